"""Traces from the manifest to the collector: real programs, a collector that reads as protobuf does."""
import collections
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('PENSTOCK_BIN', ROOT / 'build/dev/bin'))
sys.path.insert(0, str(ROOT / 'tests/support'))

from otlp import Collector  # noqa: E402

TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
CALLER = '00f067aa0ba902b7'
PREFIX = 'nginx.ingress.kubernetes.io/'
LOG_FORMAT = '{"host":"$host","trace":"$opentelemetry_trace_id","span":"$opentelemetry_span_id"}'

SETTINGS = '''
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: demo}}
data:
  enable-opentelemetry: "true"
  otlp-collector-host: 127.0.0.1
  otlp-collector-port: "{collector}"
  otel-service-name: edge
  otel-schedule-delay-millis: "200"
  otel-max-export-batch-size: "8"
  access-log-path: {log}
  log-format-escape-json: "true"
  log-format-upstream: '{format}'
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: demo}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: demo, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{name: http, port: {backend}}}]
endpoints: [{{addresses: ["127.0.0.1"]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: dead, namespace: demo}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: dead-1, namespace: demo, labels: {{kubernetes.io/service-name: dead}}}}
addressType: IPv4
ports: [{{name: http, port: {dead}}}]
endpoints: [{{addresses: ["127.0.0.1"]}}]
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{name: nginx}}
spec: {{controller: k8s.io/ingress-nginx}}
'''

INGRESS = '''
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: demo, annotations: {annotations}}}
spec:
  ingressClassName: nginx
  rules:
  - host: {name}.test
    http:
      paths:
      - {{path: /shop, pathType: Prefix, backend: {{service: {{name: {service}, port: {{name: http}}}}}}}}
'''


def ingress(name, service='web', **annotations):
    return INGRESS.format(name=name, service=service, annotations=json.dumps(
        {PREFIX + key.replace('_', '-'): value for key, value in annotations.items()}))


INGRESSES = ingress('plain') + ingress('many') + ingress('later') + ingress('hostile') + \
    ingress('quiet', enable_opentelemetry='false') + ingress('dead', 'dead') + \
    ingress('own', enable_opentelemetry='true', opentelemetry_trust_incoming_span='false',
            opentelemetry_operation_name='checkout')


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Backend(http.server.BaseHTTPRequestHandler):
    """Answers with the headers that it was sent."""
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        body = json.dumps({key.lower(): value for key, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Traces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.collector = Collector()
        cls.backend = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Backend)
        threading.Thread(target=cls.backend.serve_forever, daemon=True).start()
        cls.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.folder.name)
        (folder / 'manifests').mkdir()
        cls.access_log = folder / 'access.log'
        cls.port, cls.admin, cls.backend_port = free_port(), free_port(), cls.backend.server_port
        (folder / 'manifests/all.yaml').write_text(SETTINGS.format(
            collector=cls.collector.port, backend=cls.backend_port, dead=free_port(),
            log=cls.access_log, format=LOG_FORMAT) + INGRESSES)
        cls.log = open(folder / 'log', 'w+')
        cls.program = subprocess.Popen(
            [BIN / 'penstock', 'run', '--manifests', folder / 'manifests', '--configmap',
             'demo/settings', '--socket', folder / 'socket', '--listen-address', '127.0.0.1',
             '--http-port', str(cls.port), '--https-port', '0', '--log-format', 'json',
             '--status-address', f'127.0.0.1:{free_port()}', '--admin-address',
             f'127.0.0.1:{cls.admin}'], stdout=cls.log, stderr=cls.log)
        cls.wait(lambda: cls.ask('plain.test')[0] == 200)

    @classmethod
    def tearDownClass(cls):
        cls.program.send_signal(signal.SIGTERM)
        cls.program.wait(20)
        cls.backend.shutdown()
        cls.backend.server_close()
        cls.collector.close()
        cls.log.close()
        cls.folder.cleanup()

    @classmethod
    def wait(cls, condition):
        end = time.monotonic() + 20
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError('not within 20 s: ' + cls.text())
            time.sleep(0.05)

    @classmethod
    def text(cls):
        return (pathlib.Path(cls.folder.name) / 'log').read_text()

    @classmethod
    def ask(cls, host, path='/shop/1?secret=yes', headers=()):
        """(status, what the backend was sent)"""
        try:
            connection = http.client.HTTPConnection('127.0.0.1', cls.port, timeout=10)
            connection.putrequest('GET', path, skip_host=True)
            connection.putheader('Host', host)
            for key, value in headers:
                connection.putheader(key, value)
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, json.loads(body) if answer.status == 200 else {}
        except OSError:
            return 0, {}

    @classmethod
    def metric(cls, name):
        with urllib.request.urlopen(f'http://127.0.0.1:{cls.admin}/metrics', timeout=5) as answer:
            text = answer.read().decode()
        return float(re.search('^' + re.escape(name) + r' (\S+)$', text, re.MULTILINE)[1])

    def tearDown(self):
        self.assertEqual(self.collector.refused, [], 'a message was no OTLP')

    def test_a_trace_goes_through(self):
        status, sent = self.ask('plain.test', headers=[
            ('traceparent', f'00-{TRACE}-{CALLER}-01'), ('tracestate', 'a=1'),
            ('User-Agent', 'tester/1')])
        self.assertEqual(status, 200)
        spans = self.wait(lambda: [each for each in self.collector.spans('plain.test')
                                   if each.trace == TRACE])
        self.assertEqual(len(spans), 1)
        span = spans[0]
        self.assertEqual((span.parent, span.state, span.name), (CALLER, 'a=1', 'GET /shop'))
        self.assertTrue(span.is_sampled)
        self.assertFalse(span.is_error)
        self.assertGreaterEqual(span.end, span.start)
        self.assertLess(abs(span.end / 1e9 - time.time()), 60)
        expected = {
            'http.request.method': 'GET', 'http.response.status_code': 200, 'http.route': '/shop',
            'url.path': '/shop/1', 'url.scheme': 'http', 'client.address': '127.0.0.1',
            'server.port': self.port, 'network.protocol.version': '1.1',
            'user_agent.original': 'tester/1', 'penstock.namespace': 'demo',
            'penstock.ingress': 'plain', 'penstock.service': 'web'}
        self.assertEqual(expected, {key: span.attributes.get(key) for key in expected})
        self.assertNotIn('yes', str(span.attributes), 'the query is nobody\'s business')
        asked = [each for each in self.collector.spans('plain.test', 'client') if each.trace == TRACE]
        self.assertEqual([(each.parent, each.attributes['server.port']) for each in asked],
                         [(span.id, self.backend_port)])
        self.assertLessEqual(span.start, asked[0].start)
        self.assertLessEqual(asked[0].end, span.end)
        self.assertEqual(sent['traceparent'], f'00-{TRACE}-{asked[0].id}-01')
        self.assertEqual(sent['tracestate'], 'a=1')
        self.assertEqual({each['service.name'] for each in self.collector.resources()}, {'edge'})
        lines = self.wait(lambda: [each for each in map(
            json.loads, self.access_log.read_text().splitlines()) if each['trace'] == TRACE])
        self.assertEqual(lines, [{'host': 'plain.test', 'trace': TRACE, 'span': span.id}])

    def test_annotations_say_else(self):
        parent = f'00-{TRACE}-{CALLER}-00'
        sent = self.ask('quiet.test', headers=[('traceparent', parent)])[1]
        self.assertEqual(sent['traceparent'], parent)
        sent = self.ask('own.test', headers=[('traceparent', parent), ('tracestate', 'a=1')])[1]
        self.assertNotIn('tracestate', sent)
        span, = self.wait(lambda: self.collector.spans('own.test'))
        self.assertNotEqual(span.trace, TRACE)
        self.assertEqual((span.parent, span.name), ('', 'checkout'))
        self.assertTrue(sent['traceparent'].startswith(f'00-{span.trace}-'))
        self.assertEqual(self.collector.spans('quiet.test'), [])

    def test_a_failure_has_its_reason(self):
        self.assertEqual(self.ask('dead.test')[0], 502)
        span, = self.wait(lambda: self.collector.spans('dead.test'))
        self.assertTrue(span.is_error)
        self.assertEqual(span.attributes['error.type'], 'connect_refused')
        attempt, = self.collector.spans('dead.test', 'client')
        self.assertTrue(attempt.is_error)
        self.assertEqual(attempt.attributes['error.type'], 'connect_refused')
        self.assertNotIn('http.response.status_code', attempt.attributes)

    def test_whatever_a_client_sends_the_message_can_be_read(self):
        agent = b'"\\}],\xff\xc3\xa4' + b'x' * 5000
        status, sent = self.ask('hostile.test', '/shop/%22%5c', headers=[
            ('User-Agent', agent), ('traceparent', b'00-\xff"'), ('tracestate', b'"\xff')])
        self.assertEqual(status, 200)
        self.assertRegex(sent['traceparent'], '^00-[0-9a-f]{32}-[0-9a-f]{16}-01$')
        self.assertNotIn('tracestate', sent)
        span, = self.wait(lambda: self.collector.spans('hostile.test'))
        text = span.attributes['user_agent.original']
        self.assertTrue(text.startswith('"\\}],\ufffdäxxx'), text[:20])
        self.assertLessEqual(len(text), 1024)
        self.assertEqual(span.parent, '')

    def test_no_message_is_longer_than_it_may_be(self):
        for _ in range(20):
            self.ask('many.test')
        spans = self.wait(lambda: len(self.collector.spans('many.test')) == 20 and
                          self.collector.spans('many.test', 'client'))
        self.wait(lambda: len(self.collector.spans('many.test', 'client')) == 20)
        self.assertTrue(spans)
        every = [span for batch in self.collector.batches() for span in batch]
        self.assertLessEqual(max(map(len, self.collector.batches())), 8)
        twice = [key for key, count in collections.Counter(each.id for each in every).items()
                 if count > 1]
        self.assertEqual(twice, [])

    def test_a_collector_that_is_down_costs_requests_nothing(self):
        self.wait(lambda: self.ask('later.test')[0] == 200 and self.collector.spans('later.test'))
        before = len(self.collector.spans('later.test'))
        cls, port = type(self), self.collector.port
        old = self.collector
        old.close()
        begun = time.monotonic()
        for _ in range(10):
            self.assertEqual(self.ask('later.test')[0], 200)
        self.assertLess(time.monotonic() - begun, 2)
        self.wait(lambda: 'trace collector' in self.text())
        cls.collector = Collector(port)
        cls.collector.messages.extend(old.messages)
        self.wait(lambda: len(self.collector.spans('later.test')) == before + 10)
        self.assertEqual(self.metric('penstock_trace_spans_dropped_total{reason="unreachable"}'), 0)
        self.assertEqual(self.metric('penstock_trace_spans_dropped_total{reason="queue_full"}'), 0)
        self.wait(lambda: self.metric('penstock_trace_spans_exported_total') ==
                  sum(map(len, self.collector.batches())))

    def test_a_log_line_is_a_json_object(self):
        lines = [json.loads(line) for line in self.text().splitlines()]
        self.assertTrue(lines)
        for line in lines:
            self.assertLessEqual({'time', 'level', 'program', 'message'}, set(line), line)
        self.assertEqual({line['program'] for line in lines} & {'proxy', 'controller'},
                         {'proxy', 'controller'})


if __name__ == '__main__':
    unittest.main(verbosity=2)
