"""Every query of the dashboards asks for metrics and labels that a running proxy exports."""
import json
import os
import pathlib
import re
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('PENSTOCK_BIN', ROOT / 'build/dev/bin'))
DASHBOARDS = sorted((ROOT / 'charts/penstock/dashboards').glob('streams*.json'))
# Of PromQL, not of us.
WORDS = {'sum', 'rate', 'by', 'histogram_quantile', 'max', 'min', 'avg', 'count', 'topk', 'increase',
         'without', 'label_values', 'clamp_min', 'or', 'on', 'ignoring', 'and', 'unless'}

MANIFESTS = '''
apiVersion: v1
kind: Service
metadata: {{name: echo, namespace: demo}}
spec:
  ports: [{{name: tcp, port: 1, protocol: TCP}}, {{name: udp, port: 1, protocol: UDP}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: echo-1, namespace: demo, labels: {{kubernetes.io/service-name: echo}}}}
addressType: IPv4
ports: [{{name: tcp, port: {tcp}, protocol: TCP}}, {{name: udp, port: {udp}, protocol: UDP}}]
endpoints: [{{addresses: ["127.0.0.1"]}}]
---
apiVersion: penstock.dev/v1alpha1
kind: TCPService
metadata: {{name: echo, namespace: demo}}
spec:
  listeners: [{{name: main, port: {tcp_port}, address: 127.0.0.1}}]
  rules: [{{backends: [{{service: {{name: echo, port: tcp}}}}]}}]
---
apiVersion: penstock.dev/v1alpha1
kind: TCPService
metadata: {{name: dead, namespace: demo}}
spec:
  listeners: [{{name: main, port: {dead_port}, address: 127.0.0.1}}]
  rules: [{{backends: [{{host: {{name: 127.0.0.1, port: {dead}}}}}]}}]
---
apiVersion: penstock.dev/v1alpha1
kind: UDPService
metadata: {{name: echo, namespace: demo}}
spec:
  listeners: [{{name: main, port: {udp_port}, address: 127.0.0.1}}]
  backends: [{{service: {{name: echo, port: udp}}}}]
  session: {{maxResponses: 1}}
'''


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class EchoTcp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(self.request.recv(100))


class EchoUdp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(self.request[0], self.client_address)


def queries(dashboard):
    for panel in dashboard['panels']:
        for target in panel['targets']:
            yield panel['title'], target['expr']
    for variable in dashboard['templating']['list']:
        if variable['type'] == 'query':
            yield '$' + variable['name'], variable['query']['query']


def asked_for(expression):
    """(metric, its labels) of a query, the labels of `by` and label_values for each metric of it."""
    grouped = [label.strip() for found in re.findall(r'\bby \(([^)]*)\)', expression)
               for label in found.split(',')]
    named = re.fullmatch(r'label_values\((.*), (\w+)\)', expression)
    if named:
        grouped.append(named[2])
        expression = named[1]
    plain = re.sub(r'"[^"]*"', '""', re.sub(r'\bby \([^)]*\)|\[[^\]]*\]', '', expression))
    for found in re.finditer(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})?', plain):
        name, matchers = found[1], found[2] or ''
        if name not in WORDS:
            yield name, {*re.findall(r'(\w+)\s*[=!]', matchers), *grouped}


def exported(text):
    """The labels that the samples of each metric have."""
    labels = {}
    for line in text.splitlines():
        found = re.match(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ', line)
        if found and not line.startswith('#'):
            labels.setdefault(found[1], set()).update(re.findall(r'(\w+)="', found[2] or ''))
    return labels


class Dashboards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = [socketserver.ThreadingTCPServer(('127.0.0.1', 0), EchoTcp),
                       socketserver.ThreadingUDPServer(('127.0.0.1', 0), EchoUdp)]
        for server in cls.servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        tcp, udp = (server.server_address[1] for server in cls.servers)
        cls.tcp_port, cls.dead_port, cls.admin = free_port(), free_port(), free_port()
        cls.udp_port = free_port(socket.SOCK_DGRAM)
        cls.folder = tempfile.TemporaryDirectory()
        manifests = pathlib.Path(cls.folder.name, 'manifests')
        manifests.mkdir()
        (manifests / 'all.yaml').write_text(MANIFESTS.format(
            tcp=tcp, udp=udp, dead=free_port(), tcp_port=cls.tcp_port, dead_port=cls.dead_port,
            udp_port=cls.udp_port))
        cls.log = open(pathlib.Path(cls.folder.name, 'log'), 'w+')
        cls.program = subprocess.Popen(
            [BIN / 'penstock', 'run', '--manifests', manifests,
             '--socket', pathlib.Path(cls.folder.name, 'socket'), '--http-port', '0',
             '--https-port', '0', '--status-address', f'127.0.0.1:{free_port()}',
             '--admin-address', f'127.0.0.1:{cls.admin}'], stdout=cls.log, stderr=cls.log)

    @classmethod
    def tearDownClass(cls):
        cls.program.send_signal(signal.SIGTERM)
        cls.program.wait(20)
        for server in cls.servers:
            server.shutdown()
            server.server_close()
        cls.log.close()
        cls.folder.cleanup()

    def wait(self, condition):
        end = time.monotonic() + 20
        while not condition():
            if time.monotonic() > end:
                self.log.seek(0)
                raise AssertionError('not within 20 s: ' + self.log.read())
            time.sleep(0.05)

    def speak_tcp(self, port):
        try:
            with socket.create_connection(('127.0.0.1', port), 5) as stream:
                stream.sendall(b'hello')
                return stream.recv(10)
        except OSError:
            return None

    def speak_udp(self):
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(0.3)
            client.sendto(b'hello', ('127.0.0.1', self.udp_port))
            try:
                return client.recv(10)
            except OSError:
                return None

    def metrics(self):
        with urllib.request.urlopen(f'http://127.0.0.1:{self.admin}/metrics', timeout=5) as answer:
            return answer.read().decode()

    def test_queries_name_what_is_exported(self):
        self.wait(lambda: self.speak_tcp(self.tcp_port) == b'hello')
        self.wait(lambda: self.speak_udp() == b'hello')
        self.wait(lambda: self.speak_tcp(self.dead_port) is not None)
        self.wait(lambda: 'reason="connect_refused"' in self.metrics())
        labels = exported(self.metrics())
        self.assertEqual(labels['penstock_stream_sessions_total'],
                         {'stream', 'namespace', 'name', 'reason'})
        self.assertTrue(DASHBOARDS)
        for file in DASHBOARDS:
            seen = 0
            for title, expression in queries(json.loads(file.read_text())):
                for metric, wanted in asked_for(expression):
                    with self.subTest(dashboard=file.name, panel=title, metric=metric):
                        self.assertIn(metric, labels, expression)
                        self.assertLessEqual(wanted, labels[metric], expression)
                        seen += 1
            self.assertGreater(seen, 20, 'the queries were not understood')

    def test_a_wrong_query_would_be_found(self):
        self.assertEqual(list(asked_for('sum by (le, a) (rate(x_bucket{b="c",d!~"e=f"}[5m])) / y')),
                         [('x_bucket', {'b', 'd', 'le', 'a'}), ('y', {'le', 'a'})])
        self.assertEqual(list(asked_for('label_values(x{b=~"$b"}, c)')), [('x', {'b', 'c'})])


if __name__ == '__main__':
    unittest.main(verbosity=2)
