"""TLS on TCP ports, on a real API server: passed through, terminated, encrypted again."""
import base64
import pathlib
import socket
import sys
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, wait_until  # noqa: E402
from tls_server import TlsServer, ask, connect  # noqa: E402


class StreamTls(TestCase):
    number = 19

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.start_echo(13)
        cls.files = {}
        cls.servers = []

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.close()
        super().tearDownClass()

    # --- what stands around the ports

    def pair(self, name, *hosts):
        """A Secret of this name, and the files (chain, chain with key) of its pair."""
        chain = self.certificate(name, *hosts)
        key = (pathlib.Path(self.folder) / 'key.pem').read_text()
        whole, public = (pathlib.Path(self.folder) / f'{name}{end}' for end in ('.pem', '-ca.pem'))
        whole.write_text(chain + key)
        public.write_text(chain)
        return str(public), str(whole)

    def authority(self, name, chain_file):
        data = base64.b64encode(pathlib.Path(chain_file).read_bytes()).decode()
        self.cluster.apply({'apiVersion': 'v1', 'kind': 'Secret',
                            'metadata': {'name': name, 'namespace': self.name},
                            'data': {'ca.crt': data}})

    def tls_server(self, host, name, certificate, authority=None):
        server = TlsServer((f'10.245.{self.number}.{host}', 7443), name, certificate, authority)
        self.servers.append(server)
        self.service(name, [host], port=7, target=7443)
        return server

    def tcp_service(self, name, port, tls, rules):
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name,
                      'listeners': [{'name': 'main', 'port': port, **({'tls': tls} if tls else {})}],
                      'rules': rules}})

    def to(self, service, tls=None, **match):
        backend = {'service': {'name': service, 'port': 7}, **({'tls': tls} if tls else {})}
        return {'backends': [backend], **({'match': match} if match else {})}

    def condition(self, name, kind):
        found = self.cluster.get('TCPService', name, self.name)
        for each in found.get('status', {}).get('conditions', []):
            if each['type'] == kind:
                fresh = each['observedGeneration'] == found['metadata']['generation']
                return each if fresh else {}
        return {}

    def wait_condition(self, name, kind, status, reason):
        def holds():
            found = self.condition(name, kind)
            return found if (found.get('status'), found.get('reason')) == (status, reason) else None
        return wait_until(f'{name}: {kind}={status} {reason}', holds)

    def wait_ask(self, port, expected, server_name=None, **options):
        wait_until(f'port {port} for {server_name} answers {expected}', lambda: ask(
            (self.address, port), server_name, **options) == expected)

    # --- tests

    def test_passed_through_by_name_and_protocol(self):
        public, whole = self.pair('passed', 'one.test', 'other.test', 'x.wild.test')
        for host, name in ((31, 'one'), (32, 'wild'), (33, 'rest'), (34, 'quick')):
            self.tls_server(host, name, whole)
        self.tcp_service('passed', 1901, {'mode': 'Passthrough'}, [
            self.to('quick', sni=['one.test'], alpn=['echo']), self.to('one', sni=['one.test']),
            self.to('wild', sni=['*.wild.test']), self.to('rest')])
        self.wait_ask(1901, 'one/one.test hello', 'one.test', authority=public)
        self.wait_ask(1901, 'quick/one.test hello', 'one.test', protocols=['none', 'echo'])
        self.wait_ask(1901, 'wild/x.wild.test hello', 'x.wild.test', authority=public)
        self.wait_ask(1901, 'rest/other.test hello', 'other.test', authority=public)
        self.wait_ask(1901, 'rest/None hello')
        with socket.create_connection((self.address, 1901), 10) as clear:
            clear.sendall(b'in the clear')
            self.assertEqual(clear.recv(10), b'')

    def test_terminated_with_secrets_that_change(self):
        self.service('echo', [13], port=7, target=7000)
        first, _ = self.pair('first', 'one.test')
        second, _ = self.pair('second', '*.two.test')
        self.tcp_service('ended', 1911, {
            'mode': 'Terminate', 'certificateRefs': [{'name': 'first'}, {'name': 'second'}]},
            [self.to('echo')])
        address = (self.address, 1911)
        self.wait_ask(1911, 'hello', 'one.test', authority=first)
        self.assertEqual(ask(address, 'a.two.test', authority=second), 'hello')
        self.assertIsNone(ask(address, 'one.test', authority=second))
        # A new pair is live, and sessions go on.
        session = connect(address, 'one.test', authority=first)
        renewed, _ = self.pair('first', 'one.test')
        self.wait_ask(1911, 'hello', 'one.test', authority=renewed)
        self.assertIsNone(ask(address, 'a.two.test', authority=renewed))
        session.sendall(b'still here')
        self.assertEqual(session.recv(100), b'still here')
        session.close()
        # Without any usable pair nobody gets in, least of all in the clear.
        self.tcp_service('ended', 1911, {'mode': 'Terminate', 'certificateRefs': [{'name': 'gone'}]},
                         [self.to('echo')])
        found = self.wait_condition('ended', 'ResolvedRefs', 'False', 'InvalidCertificate')
        self.assertIn(f"'{self.name}/gone' does not exist", found['message'])
        wait_until('no handshake succeeds', lambda: ask(address, 'one.test') is None)
        with socket.create_connection(address, 10) as clear:
            clear.sendall(b'in the clear')
            try:
                self.assertNotIn(b'in the clear', clear.recv(100))
            except ConnectionError:
                pass
        # The Secret comes: the port opens by itself.
        gone, _ = self.pair('gone', 'one.test')
        self.wait_ask(1911, 'hello', 'one.test', authority=gone)
        self.wait_condition('ended', 'ResolvedRefs', 'True', 'ResolvedRefs')

    def test_clients_show_a_certificate(self):
        self.service('echo', [13], port=7, target=7000)
        server, _ = self.pair('guarded', 'one.test')
        client, client_pair = self.pair('client', 'client')
        _, stranger_pair = self.pair('stranger', 'stranger')
        self.authority('clients', client)
        tls = {'mode': 'Terminate', 'certificateRefs': [{'name': 'guarded'}], 'minVersion': '1.3',
               'clientAuth': {'mode': 'Required', 'caRef': {'name': 'clients'}}}
        self.tcp_service('guarded', 1921, tls, [self.to('echo')])
        self.wait_ask(1921, 'hello', 'one.test', authority=server, pair=client_pair)
        address = (self.address, 1921)
        self.assertIsNone(ask(address, 'one.test', authority=server))
        self.assertIsNone(ask(address, 'one.test', authority=server, pair=stranger_pair))
        tls['clientAuth']['mode'] = 'Optional'
        self.tcp_service('guarded', 1921, tls, [self.to('echo')])
        self.wait_ask(1921, 'hello', 'one.test', authority=server)
        self.assertIsNone(ask(address, 'one.test', authority=server, pair=stranger_pair))
        tls['clientAuth']['caRef']['name'] = 'nobody'
        self.tcp_service('guarded', 1921, tls, [self.to('echo')])
        self.wait_condition('guarded', 'ResolvedRefs', 'False', 'InvalidCertificate')
        wait_until('nobody gets in', lambda: ask(address, 'one.test') is None)

    def test_encrypted_again_with_verification(self):
        inner, inner_pair = self.pair('inner', 'inner.test')
        _, wrong_pair = self.pair('wrong', 'inner.test')
        ours, _ = self.pair('ours', 'penstock')
        outer, _ = self.pair('outer', 'one.test')
        self.authority('inner-ca', inner)
        right = self.tls_server(41, 'inner', inner_pair, ours)
        wrong = TlsServer((f'10.245.{self.number}.42', 7443), 'wrong', wrong_pair)
        self.servers.append(wrong)
        self.endpoints('inner', [42, 41], 7443)
        tls = {'serverName': 'inner.test', 'caRef': {'name': 'inner-ca'},
               'clientCertRef': {'name': 'ours'}}
        self.tcp_service('again', 1931, {'mode': 'Terminate', 'certificateRefs': [{'name': 'outer'}]},
                         [self.to('inner', tls)])
        self.wait_ask(1931, 'inner/inner.test hello', 'one.test', authority=outer)
        for _ in range(4):
            self.assertEqual(ask((self.address, 1931), 'one.test', authority=outer),
                             'inner/inner.test hello')
        self.assertGreater(wrong.failures, 0)
        wait_until('the log says why', lambda: 'certificate verify failed' in self.proxy.text())
        self.assertEqual(right.failures, 0)
        self.endpoints('inner', [42], 7443)
        wait_until('the wrong one alone is not taken', lambda: ask(
            (self.address, 1931), 'one.test', authority=outer) is None)

    def test_the_api_server_refuses_what_has_no_meaning(self):
        def refused(expected, tls, rules):
            with self.assertRaises(urllib.error.HTTPError) as error:
                self.tcp_service('bad', 1941, tls, rules)
            self.assertIn(expected, error.exception.read().decode())
        refused('mode Terminate needs certificateRefs', {'mode': 'Terminate'}, [self.to('echo')])
        refused('mode Passthrough decrypts nothing', {
            'mode': 'Passthrough', 'certificateRefs': [{'name': 'a'}]}, [self.to('echo')])
        refused('need a listener with tls', None, [self.to('echo', sni=['one.test'])])
        refused('need a listener with tls', None, [self.to('echo', alpn=['h2'])])
        refused('needs serverName', None, [self.to('echo', {'caRef': {'name': 'a'}})])
        refused('should match', {'mode': 'Passthrough'}, [self.to('echo', sni=['a.*.test'])])
        refused('Unsupported value', {'mode': 'Terminate', 'minVersion': '1.1',
                                      'certificateRefs': [{'name': 'a'}]}, [self.to('echo')])


if __name__ == '__main__':
    main()
