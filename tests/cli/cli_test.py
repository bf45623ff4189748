"""The `penstock` command as people use it: run, check, explain, dump."""
import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('PENSTOCK_BIN', ROOT / 'build/dev/bin'))

BROKEN = '''\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 80
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations:
    nginx.ingress.kubernetes.io/proxy-body-size: much
    nginx.ingress.kubernetes.io/rewrite-target: /$1
spec:
  ingressClassName: nginx
  rules:
  - host: shop.test
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
      - {path: /gone, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}
'''


def penstock(*arguments, **options):
    return subprocess.run([str(BIN / 'penstock'), *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, **options)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Check(unittest.TestCase):
    def test_a_good_directory(self):
        done = penstock('check', ROOT / 'manifests/demo')
        self.assertEqual((done.returncode, done.stdout), (0, ''), done.stderr)

    def test_everything_that_is_wrong_has_its_file_and_line(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'shop.yaml')
            path.write_text(BROKEN)
            done = penstock('check', path)
        self.assertEqual(done.returncode, 1)
        lines = [line.replace(str(path), 'shop.yaml') for line in done.stdout.splitlines()]
        prefix = 'nginx.ingress.kubernetes.io/'
        self.assertEqual(lines, [
            f"shop.yaml:14: Ingress default/shop: {prefix}proxy-body-size: expected a size such as "
            "512k, 8m or 1g, got 'much'",
            f'shop.yaml:15: Ingress default/shop: {prefix}rewrite-target: this annotation is not '
            'served by this version',
            'shop.yaml:23: Ingress default/shop: spec.rules[0].http.paths[1]: prefix / of host '
            'shop.test is already taken by another path of this Ingress',
            "shop.yaml:24: Ingress default/shop: spec.rules[0].http.paths[2].backend.service.name: "
            "expected a Service, 'default/gone' does not exist"])

    def test_the_ports_of_a_range_are_refused_in_one_line(self):
        with tempfile.NamedTemporaryFile('w', suffix='.yaml') as file:
            file.write("""
apiVersion: penstock.dev/v1alpha1
kind: TCPService
metadata: {name: low, namespace: default}
spec:
  listeners:
  - {name: low, portRange: {start: 990, end: 1009}}
  rules:
  - backends: [{host: {name: 127.0.0.1, port: 9}}]
""")
            file.flush()
            done = penstock('check', file.name)
        self.assertEqual(done.returncode, 1)
        lines = [each for each in done.stdout.splitlines() if 'portRange' in each]
        self.assertEqual(len(lines), 1, done.stdout)
        self.assertRegex(lines[0], r'listeners\[0\]\.portRange: .*got \d+: .*; 19 more ports of the range likewise$')

    def test_a_file_that_is_no_yaml(self):
        with tempfile.NamedTemporaryFile('w', suffix='.yaml') as file:
            file.write('a: [1\nb: }\n')
            file.flush()
            done = penstock('check', file.name)
        self.assertEqual(done.returncode, 1)
        self.assertIn(file.name + ':', done.stdout)


class Explain(unittest.TestCase):
    def explain(self, *arguments):
        done = penstock('explain', *arguments, '--manifests', ROOT / 'manifests/demo')
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_who_answers_and_who_lost(self):
        text = self.explain('GET', 'http://demo.localhost/private/x')
        self.assertIn('host      demo.localhost (exact)', text)
        self.assertIn('route     prefix /private  (Ingress default/private', text)
        self.assertIn('answer    from one of 127.0.0.1:18081, 127.0.0.1:18082 (round_robin)', text)
        self.assertIn('not       prefix /  (Ingress default/demo', text)
        self.assertIn('a longer prefix matches', text)

    def test_what_filters_say(self):
        self.assertIn('answer    403',
                      self.explain('GET', 'http://demo.localhost/private', '--from', '192.0.2.1'))
        self.assertIn('answer    413', self.explain('POST', 'http://demo.localhost/', '-H',
                                                    'Content-Length: 9000000'))

    def test_a_host_that_nobody_names(self):
        text = self.explain('GET', 'http://nobody.test/')
        self.assertIn('the catch-all', text)
        self.assertIn('answer    404', text)

    def test_a_name_that_a_stream_has(self):
        def explain(url):
            done = penstock('explain', 'GET', url, '--enable-ssl-passthrough', '--manifests',
                            ROOT / 'tests/features/ssl_passthrough/in.yaml', '--manifests',
                            ROOT / 'tests/features/shared_ports/in.yaml')
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout
        text = explain('https://vault.example.com/v1')
        self.assertIn('stream    vault.example.com of Ingress safe/vault', text)
        self.assertIn('answer    by that stream, to which TLS is given as it is', text)
        self.assertIn('stream    *.shop.example.com of TCPService data/api',
                      explain('https://a.shop.example.com/'))
        for url in ('https://shop.example.com/', 'http://vault.example.com/'):
            self.assertNotIn('by that stream', explain(url), url)

    def test_a_malformed_request(self):
        self.assertIn('answer    400', self.explain('GET', 'http://demo.localhost/', '-H', 'a b: c'))


class RunWithoutFlags(unittest.TestCase):
    def test_it_names_what_it_needs(self):
        outside = {key: value for key, value in os.environ.items()
                   if not key.startswith('KUBERNETES_')}
        done = penstock('run', env=outside)
        self.assertEqual(done.returncode, 2)
        self.assertIn('--manifests DIR', done.stderr)
        self.assertIn('--kubeconfig FILE', done.stderr)
        self.assertIn('KUBERNETES_SERVICE_HOST', done.stderr)


class ControllerFlags(unittest.TestCase):
    def refusal(self, *flags):
        done = subprocess.run([str(BIN / 'penstock-controller'), '--socket', '/nowhere/socket',
                               *flags], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_a_namespace_and_a_selector_exclude_each_other(self):
        self.assertIn('--watch-namespace and --watch-namespace-selector exclude each other',
                      self.refusal('--watch-namespace', 'a', '--watch-namespace-selector', 'b=c'))

    def test_a_selector_that_cannot_be_read(self):
        self.assertIn("--watch-namespace-selector: expected k=v, k!=v, k in (a,b), k notin (a,b), k "
                      "or !k, got 'team of (shop)'",
                      self.refusal('--watch-namespace-selector', 'team of (shop)'))

    def test_secrets_of_other_namespaces_than_the_watched_one(self):
        self.assertIn("--secret-namespaces: expected 'a', the one of --watch-namespace, got 'b'",
                      self.refusal('--watch-namespace', 'a', '--secret-namespaces', 'a,b'))


class Run(unittest.TestCase):
    """`penstock run` with the demonstration, and dump and explain of what runs."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.port, tls, cls.status = free_port(), free_port(), free_port()
        ports = {name: free_port() for name in ('18081', '18082', '18007', '9000', '9001')}
        cls.manifests = pathlib.Path(cls.folder.name, 'manifests')
        cls.manifests.mkdir()
        for file in (ROOT / 'manifests/demo').glob('*.yaml'):
            text = file.read_text()
            for name, port in ports.items():
                text = text.replace(name, str(port))
            (cls.manifests / file.name).write_text(text)
        cls.tcp = ports['9000']
        cls.backends = subprocess.Popen(
            [BIN / 'penstock-demo', '--http', f'one=127.0.0.1:{ports["18081"]}', '--http',
             f'two=127.0.0.1:{ports["18082"]}', '--tcp', f'127.0.0.1:{ports["18007"]}'],
            stdout=subprocess.DEVNULL)
        cls.log = pathlib.Path(cls.folder.name, 'log')
        cls.program = subprocess.Popen(
            [BIN / 'penstock', 'run', '--manifests', cls.manifests, '--http-port', str(cls.port),
             '--https-port', str(tls), '--status-address', f'127.0.0.1:{cls.status}', '--admin-address', f'127.0.0.1:{free_port()}'],
            stderr=cls.log.open('w'), stdout=subprocess.DEVNULL)
        cls.wait(lambda: cls.ask('/') == 200)
        # It says where it can be asked.
        cls.socket, cls.admin_socket = re.search(
            r'dump and explain ask --socket (\S+), top and tap --socket (\S+)',
            cls.log.read_text()).groups()

    @classmethod
    def tearDownClass(cls):
        cls.program.send_signal(signal.SIGTERM)
        cls.assertion = cls.program.wait(20)
        cls.backends.terminate()
        cls.backends.wait(20)
        cls.folder.cleanup()

    @classmethod
    def ask(cls, path, headers=None):
        try:
            connection = http.client.HTTPConnection('127.0.0.1', cls.port, timeout=5)
            connection.request('GET', path, headers={'Host': 'demo.localhost', **(headers or {})})
            return connection.getresponse().status
        except OSError:
            return 0

    @staticmethod
    def wait(condition):
        end = time.monotonic() + 20
        while not condition():
            if time.monotonic() > end:
                raise AssertionError('not within 20 s')
            time.sleep(0.02)

    def test_http_and_tcp_flow(self):
        self.assertEqual(self.ask('/private'), 200)
        with socket.create_connection(('127.0.0.1', self.tcp), 5) as stream:
            stream.sendall(b'hello')
            self.assertEqual(stream.recv(5), b'hello')

    def test_ipv6(self):
        connection = http.client.HTTPConnection('::1', self.port, timeout=5)
        connection.request('GET', '/', headers={'Host': 'demo.localhost'})
        answer = connection.getresponse()
        self.assertIn('X-Real-IP: ::1', answer.read().decode())
        connection.close()
        with socket.create_connection(('::1', self.tcp), 5) as stream:
            stream.sendall(b'hello')
            self.assertEqual(stream.recv(5), b'hello')

    def test_an_edited_file_is_live(self):
        path = self.manifests / 'http.yaml'
        before = path.read_text()
        path.write_text(before.replace('127.0.0.0/8,::1', '192.0.2.0/24'))
        self.wait(lambda: self.ask('/private') == 403)
        path.write_text('broken: [')
        path.write_text(before)
        self.wait(lambda: self.ask('/private') == 200)

    def test_dump_and_explain_of_what_runs(self):
        done = penstock('dump', '--socket', self.socket)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('demo.localhost', done.stdout)
        self.assertIn('private_key_pem: (hidden)', done.stdout)
        self.assertNotIn('PRIVATE KEY', done.stdout)
        done = penstock('explain', 'GET', 'http://demo.localhost/private', '--socket', self.socket)
        self.assertIn('Ingress default/private', done.stdout)
        log = self.log.read_text()
        self.assertEqual(log.count('has connected'), 1, log)
        self.assertIn('penstock-proxy', log)

    def test_top_of_what_runs(self):
        with socket.create_connection(('127.0.0.1', self.tcp), 5) as stream:
            stream.sendall(b'hello')
            stream.recv(5)
            done = penstock('top', '--once', '--socket', self.admin_socket)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f'tcp/{self.tcp}', done.stdout)

    def test_a_port_that_nobody_has_opened(self):
        for port, is_open in ((f'tcp/{self.tcp}', True), (f'udp/{self.tcp}', False), ('tcp/1', False)):
            for command in (['top', '--once', '--by', port], ['tap', port, '--duration', '1s']):
                done = penstock(*command, '--socket', self.admin_socket)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(f'note: nobody has opened the port {port}\n' in done.stderr, not is_open, command)

    def test_no_controller_is_a_clear_error(self):
        done = penstock('dump', '--socket', '/nowhere/socket')
        self.assertEqual(done.returncode, 2)
        self.assertIn('no controller at /nowhere/socket', done.stderr)


class Live(unittest.TestCase):
    def test_no_proxy_is_a_clear_error(self):
        for command in (['top', '--once'], ['tap', 'tcp/1']):
            done = penstock(*command, '--socket', '/nowhere/socket')
            self.assertEqual(done.returncode, 1)
            self.assertIn('/nowhere/socket: the proxy does not answer: No such file', done.stderr)

    def test_a_time_that_is_too_long(self):
        done = penstock('tap', 'tcp/1', '--duration', '11m')
        self.assertEqual(done.returncode, 1)
        self.assertIn("--duration: expected 1s to 10m, got '11m'", done.stderr)

    def test_bytes_out_of_bounds(self):
        for number in ('0', '4097', '-1', 'all'):
            done = penstock('tap', 'tcp/1', '--bytes', number, '--socket', '/nowhere/socket')
            self.assertNotEqual(done.returncode, 0)
            self.assertIn('--bytes: ', done.stderr)
            self.assertNotIn('/nowhere/socket', done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2, warnings='ignore')
