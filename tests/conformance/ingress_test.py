"""The behaviours that the Kubernetes project's public suite asks of an Ingress controller, each a
scenario of our own, against a real API server. The proxy is reached only through the address in
the status of the Ingress."""
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, wait_until  # noqa: E402


class Conformance(TestCase):
    number = 31

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hosts = {}
        for index, name in enumerate(['foo-exact', 'foo-prefix', 'aaa-bbb-prefix', 'aaa-prefix',
                                      'bar', 'other', 'fallback', 'r1', 'r2', 'r3']):
            cls.start_backend(name, 11 + index)
            cls.hosts[name] = 11 + index

    def setUp(self):
        for name, host in self.hosts.items():
            self.service(name, [host])

    def tearDown(self):
        for name in self.used:
            self.cluster.delete('Ingress', name, self.name)

    used = ()

    def publish(self, name, *rules, **options):
        """Creates an Ingress; from now on requests go to the address in its status."""
        self.used = [*self.used, name]
        self.ingress(name, *rules, **options)

        def address():
            found = self.cluster.get('Ingress', name, self.name)
            entries = found.get('status', {}).get('loadBalancer', {}).get('ingress') or [{}]
            return entries[0].get('ip') or entries[0].get('hostname')
        self.status_address = wait_until(f'Ingress {name} has an address', address)

    def reaches(self, host, path, server, **options):
        answer = self.wait_answer(host, path, server=server, address=self.status_address,
                                  **options)
        self.assertTrue(answer.headers['Server'], 'every response carries a Server header')

    def refuses(self, host, path, status=404, **options):
        answer = self.wait_answer(host, path, expected=status, address=self.status_address,
                                  **options)
        self.assertTrue(answer.headers['Server'])
        return answer

    # --- default backend

    def test_default_backend_without_rules(self):
        self.publish('default', default='fallback')
        self.reaches('anything.test', '/any/path', 'fallback')
        self.reaches('other.test', '/', 'fallback')

    def test_default_backend_where_no_rule_matches(self):
        self.publish('default', ('known.test', [('Exact', '/known', 'bar')]), default='fallback')
        self.reaches('known.test', '/known', 'bar')
        self.reaches('known.test', '/unknown', 'fallback')

    def test_default_backend_passes_status_and_headers(self):
        self.publish('default', default='fallback')
        self.reaches('any.test', '/', 'fallback')
        answer = self.wait_answer('any.test', '/status/418', expected=418,
                                  address=self.status_address, headers={'X-Sent': 'yes'})
        self.assertIn('X-Sent: yes', answer.body)
        self.assertIn('text/plain', answer.headers['Content-Type'])
        self.assertTrue(answer.headers['Content-Length'])
        self.assertTrue(answer.headers['Date'])

    def test_nothing_matches(self):
        self.publish('only', ('only.test', [('Prefix', '/', 'bar')]))
        self.reaches('only.test', '/', 'bar')
        self.assertIn('404', self.refuses('nobody.test', '/').body)

    # --- host rules

    def test_exact_host(self):
        self.publish('hosts', ('foo.bar.test', [('Prefix', '/', 'bar')]))
        self.reaches('foo.bar.test', '/', 'bar')
        self.reaches('FOO.bar.TEST', '/', 'bar')
        self.reaches('foo.bar.test:80', '/', 'bar')
        self.refuses('bar.test', '/')
        self.refuses('x.foo.bar.test', '/')

    def test_wildcard_host_takes_one_label(self):
        self.publish('hosts', ('*.foo.test', [('Prefix', '/', 'bar')]))
        self.reaches('one.foo.test', '/', 'bar')
        self.refuses('foo.test', '/')
        self.refuses('one.two.foo.test', '/')

    def test_exact_host_goes_before_wildcard(self):
        self.publish('hosts', ('*.foo.test', [('Prefix', '/', 'bar')]),
                     ('one.foo.test', [('Prefix', '/', 'other')]))
        self.reaches('one.foo.test', '/', 'other')
        self.reaches('two.foo.test', '/', 'bar')

    def test_tls_by_server_name(self):
        first = self.certificate('cert-foo', 'foo.tls.test')
        second = self.certificate('cert-wild', '*.wild.test')
        self.publish('tls', ('foo.tls.test', [('Prefix', '/', 'bar')]),
                     ('*.wild.test', [('Prefix', '/', 'other')]),
                     tls=[{'hosts': ['foo.tls.test'], 'secretName': 'cert-foo'},
                          {'hosts': ['*.wild.test'], 'secretName': 'cert-wild'}])
        self.reaches('foo.tls.test', '/', 'bar', tls=True)
        self.reaches('any.wild.test', '/', 'other', tls=True)
        wait_until('both are presented', lambda: (
            self.presented('foo.tls.test') == first and
            self.presented('any.wild.test') == second))
        self.assertNotIn(self.presented('none.test'), (first, second))

    def test_status_address_is_reachable(self):
        self.publish('reach', ('reach.test', [('Prefix', '/', 'bar')]))
        for port in (80, 443):
            socket.create_connection((self.status_address, port), 5).close()

    # --- ingress class

    def test_class_of_another_controller(self):
        self.cluster.apply({'apiVersion': 'networking.k8s.io/v1', 'kind': 'IngressClass',
                            'metadata': {'name': 'elsewhere'},
                            'spec': {'controller': 'example.com/elsewhere'}})
        self.publish('ours', ('ours.test', [('Prefix', '/', 'bar')]))
        self.used = [*self.used, 'theirs']
        self.ingress('theirs', ('theirs.test', [('Prefix', '/', 'bar')]),
                     ingress_class='elsewhere')
        self.reaches('ours.test', '/', 'bar')
        self.refuses('theirs.test', '/')
        theirs = self.cluster.get('Ingress', 'theirs', self.name)
        self.assertFalse(theirs.get('status', {}).get('loadBalancer', {}).get('ingress'))

    # --- load balancing

    def test_requests_spread_over_scaled_replicas(self):
        self.service('scaled', [self.hosts['r1']])
        self.publish('scaled', ('scaled.test', [('Prefix', '/', 'scaled')]))
        self.reaches('scaled.test', '/', 'r1')
        self.endpoints('scaled', [self.hosts[each] for each in ('r1', 'r2', 'r3')])
        seen = set()

        def all_seen():
            seen.add(self.ask('scaled.test', address=self.status_address).server)
            return seen == {'r1', 'r2', 'r3'}
        wait_until('all replicas answer', all_seen)
        counts = {}
        for _ in range(90):
            server = self.ask('scaled.test', address=self.status_address).server
            counts[server] = counts.get(server, 0) + 1
        self.assertTrue(all(20 <= count <= 40 for count in counts.values()), counts)

    # --- path rules

    def test_exact_path(self):
        self.publish('paths', ('exact.test', [('Exact', '/foo', 'foo-exact')]))
        self.reaches('exact.test', '/foo', 'foo-exact')
        for path in ('/foo/', '/foobar', '/FOO', '/', '/foo/bar'):
            self.refuses('exact.test', path)

    def test_prefix_path(self):
        self.publish('paths', ('prefix.test', [('Prefix', '/foo', 'foo-prefix')]))
        for path in ('/foo', '/foo/', '/foo/bar', '/foo?query'):
            self.reaches('prefix.test', path, 'foo-prefix')
        for path in ('/foobar', '/FOO', '/'):
            self.refuses('prefix.test', path)

    def test_prefix_path_with_a_trailing_slash(self):
        self.publish('paths', ('slash.test', [('Prefix', '/aaa/bbb/', 'aaa-bbb-prefix')]))
        self.reaches('slash.test', '/aaa/bbb/', 'aaa-bbb-prefix')
        self.reaches('slash.test', '/aaa/bbb/ccc', 'aaa-bbb-prefix')
        answer = self.wait_answer('slash.test', '/aaa/bbb', expected=301,
                                  address=self.status_address)
        self.assertEqual(answer.headers['Location'], 'http://slash.test/aaa/bbb/')
        self.refuses('slash.test', '/aaa/bbbccc')

    def test_longest_prefix_goes_first(self):
        self.publish('paths', ('long.test', [('Prefix', '/aaa', 'aaa-prefix'),
                                             ('Prefix', '/aaa/bbb', 'aaa-bbb-prefix')]))
        self.reaches('long.test', '/aaa', 'aaa-prefix')
        self.reaches('long.test', '/aaa/ccc', 'aaa-prefix')
        self.reaches('long.test', '/aaa/bbb', 'aaa-bbb-prefix')
        self.reaches('long.test', '/aaa/bbb/ccc', 'aaa-bbb-prefix')
        self.reaches('long.test', '/aaa/bbbccc', 'aaa-prefix')

    def test_exact_goes_before_prefix(self):
        self.publish('paths', ('mixed.test', [('Prefix', '/foo', 'foo-prefix'),
                                              ('Exact', '/foo', 'foo-exact')]))
        self.reaches('mixed.test', '/foo', 'foo-exact')
        self.reaches('mixed.test', '/foo/bar', 'foo-prefix')

    def test_root_prefix_takes_the_rest(self):
        self.publish('paths', ('root.test', [('Prefix', '/', 'other'),
                                             ('Exact', '/foo', 'foo-exact')]))
        self.reaches('root.test', '/foo', 'foo-exact')
        self.reaches('root.test', '/anything/else', 'other')

    # --- connections

    def test_a_refused_body_is_no_request_of_the_next_client(self):
        self.publish('refused', ('refused.test', [('Prefix', '/', 'bar')]))
        self.reaches('refused.test', '/', 'bar')
        inner = b'GET /status/418 HTTP/1.1\r\nHost: refused.test\r\n\r\n'
        for _ in range(10):
            with socket.create_connection((self.status_address, 80), 5) as client:
                client.sendall(b'POST / HTTP/1.1\r\nHost: refused.test\r\n'
                               b'Content-Length: 99999999\r\n\r\n' + inner)
                self.assertIn(b' 413 ', client.recv(4096))
            answer = self.must_ask('refused.test', address=self.status_address)
            self.assertEqual(answer.status, 200, 'the answer to its own request')


if __name__ == '__main__':
    main()
