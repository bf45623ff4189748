#!/usr/bin/env python3
"""A real Prometheus scrapes both programs as the chart's ServiceMonitor says. The expressions of alerts
and dashboards are understood, and those of the dashboards return data."""
import http.server
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'support'))
from charts_test import CHART, HELM, documents, of_kind, render  # noqa: E402
from cluster_api import wait_until  # noqa: E402
from processes import Process, status  # noqa: E402

RANGE = '20s'
# What nothing here can have: the kubelet's own metrics, and what only a leader of a cluster tells.
ABSENT = ('container_', 'ssl_expire_time_seconds')
VARIABLE = re.compile(r'\$(controller_namespace|controller_class|controller|exported_namespace|ingress|'
                      r'namespace|name|stream)\b')


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(('127.0.0.1', 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        self.send_response(500 if self.path == '/broken' else 200)
        self.send_header('Content-Length', '5')
        self.end_headers()
        self.wfile.write(b'hello')

    def log_message(self, *_):
        pass


def manifests(port, gone, stream):
    def service(name, endpoint):
        return [{'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': name, 'namespace': 'apps'},
                 'spec': {'ports': [{'name': 'http', 'port': 80}]}},
                {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice',
                 'metadata': {'name': name, 'namespace': 'apps',
                              'labels': {'kubernetes.io/service-name': name}},
                 'addressType': 'IPv4', 'ports': [{'name': 'http', 'port': endpoint}],
                 'endpoints': [{'addresses': ['127.0.0.1']}]}]
    paths = [{'path': path, 'pathType': 'Prefix',
              'backend': {'service': {'name': name, 'port': {'name': 'http'}}}}
             for path, name in (('/', 'web'), ('/gone', 'gone'))]
    return [{'apiVersion': 'networking.k8s.io/v1', 'kind': 'IngressClass',
             'metadata': {'name': 'nginx'}, 'spec': {'controller': 'k8s.io/ingress-nginx'}},
            {'apiVersion': 'networking.k8s.io/v1', 'kind': 'Ingress',
             'metadata': {'name': 'web', 'namespace': 'apps'},
             'spec': {'ingressClassName': 'nginx',
                      'rules': [{'host': 'web.test', 'http': {'paths': paths}}]}},
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': 'web', 'namespace': 'apps'},
             'spec': {'ingressClassName': 'nginx', 'listeners': [{'name': 'main', 'port': stream}],
                      'rules': [{'backends': [{'service': {'name': 'web', 'port': 'http'}}]}]}},
            *service('web', port), *service('gone', gone)]


class Scrape(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        folder = pathlib.Path(cls.folder.name)
        cls.backend = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Answers)
        threading.Thread(target=cls.backend.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.backend.shutdown)
        (cls.port, https, cls.of_controller, cls.of_proxy, cls.prometheus_port, gone,
         cls.stream) = free_ports(7)
        (folder / 'manifests').mkdir()
        (folder / 'manifests/all.yaml').write_text('\n---\n'.join(
            json.dumps(each) for each in manifests(cls.backend.server_port, gone, cls.stream)))
        cls.penstock = Process(
            'penstock', 'run', '--manifests', folder / 'manifests', '--listen-address', '127.0.0.1',
            '--http-port', cls.port, '--https-port', https, '--workers', '2',
            '--status-address', f'127.0.0.1:{cls.of_controller}',
            '--admin-address', f'127.0.0.1:{cls.of_proxy}',
            env={'POD_NAME': 'penstock-0', 'POD_NAMESPACE': 'ingress'})
        cls.addClassCleanup(cls.penstock.kill, signal.SIGTERM)
        wait_until('it serves', lambda: status(cls.of_proxy, '/readyz')[0] == 200)
        cls.start_prometheus(folder)
        cls.stops = threading.Event()
        cls.client = threading.Thread(target=cls.ask, daemon=True)
        cls.client.start()
        cls.addClassCleanup(cls.client.join)
        cls.addClassCleanup(cls.stops.set)
        wait_until('there are rates', lambda: cls.query(
            f'sum(rate(nginx_ingress_controller_requests[{RANGE}])) > 0'), 60)

    @classmethod
    def ask(cls):
        while not cls.stops.wait(0.05):
            for port, path in ((cls.port, '/'), (cls.port, '/broken'), (cls.port, '/gone'),
                               (cls.stream, '/')):
                request = urllib.request.Request(f'http://127.0.0.1:{port}{path}',
                                                 headers={'Host': 'web.test'})
                try:
                    urllib.request.urlopen(request, timeout=5).read()
                except urllib.error.HTTPError as error:
                    error.read()

    @classmethod
    def start_prometheus(cls, folder):
        """The configuration that the Prometheus operator would make of the ServiceMonitor."""
        found = documents(render(None, 'controller.metrics.enabled=true',
                                 'controller.metrics.serviceMonitor.enabled=true',
                                 'controller.metrics.prometheusRule.enabled=true'))
        monitor = of_kind(found, 'ServiceMonitor')[0]
        service = next(each for each in of_kind(found, 'Service')
                       if monitor['spec']['selector']['matchLabels'].items() <=
                       each['metadata']['labels'].items())
        assert service['metadata']['namespace'] in monitor['spec']['namespaceSelector']['matchNames']
        targets = {'metrics': cls.of_controller, 'proxy-metrics': cls.of_proxy}
        assert {each['name'] for each in service['spec']['ports']} == set(targets)
        jobs = [{
            'job_name': endpoint['port'], 'scrape_interval': '1s',
            'honor_labels': endpoint.get('honorLabels', False),
            'static_configs': [{'targets': [f'127.0.0.1:{targets[endpoint["port"]]}'], 'labels': {
                'job': service['metadata']['name'], 'service': service['metadata']['name'],
                'namespace': service['metadata']['namespace'], 'pod': 'penstock-0',
                'endpoint': endpoint['port']}}]} for endpoint in monitor['spec']['endpoints']]
        cls.rules = folder / 'rules.yaml'
        cls.rules.write_text(json.dumps(of_kind(found, 'PrometheusRule')[0]['spec']))
        config = folder / 'prometheus.yaml'
        config.write_text(json.dumps({'global': {'evaluation_interval': '1s'},
                                      'scrape_configs': jobs, 'rule_files': [str(cls.rules)]}))
        cls.log = open(folder / 'log', 'w+')
        cls.prometheus = subprocess.Popen(
            ['prometheus', f'--config.file={config}', f'--storage.tsdb.path={folder}/data',
             f'--web.listen-address=127.0.0.1:{cls.prometheus_port}'],
            stdout=cls.log, stderr=cls.log)
        cls.addClassCleanup(cls.prometheus.wait, 20)
        cls.addClassCleanup(cls.prometheus.terminate)

    @classmethod
    def get(cls, path, **arguments):
        url = f'http://127.0.0.1:{cls.prometheus_port}/api/v1/{path}?' + urllib.parse.urlencode(arguments)
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)['data']
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return None  # it reads its log still
            raise AssertionError(f'{arguments}: {error.read().decode()}') from error
        except OSError:
            return None  # it is not up yet

    @classmethod
    def query(cls, expression):
        found = cls.get('query', query=expression)
        return found and found['result']

    def test_both_targets_are_up(self):
        up = {each['metric']['endpoint']: each['value'][1] for each in self.query('up')}
        self.assertEqual(up, {'metrics': '1', 'proxy-metrics': '1'})

    def test_the_namespace_of_the_ingress_is_kept_beside_that_of_the_target(self):
        for each in self.query('nginx_ingress_controller_requests'):
            self.assertEqual(each['metric']['namespace'], 'ingress')
            self.assertEqual(each['metric']['exported_namespace'], 'apps')
            self.assertEqual(each['metric']['controller_namespace'], 'ingress')

    def test_promtool_finds_nothing_wrong(self):
        for port in (self.of_controller, self.of_proxy):
            done = subprocess.run(['promtool', 'check', 'metrics'], input=status(port, '/metrics')[1],
                                  capture_output=True, text=True)
            wrong = [line for line in done.stderr.splitlines()
                     if not re.match(r'nginx_ingress_controller_|penstock_controller_watch_total|'
                                     r'penstock_stream_sessions_active', line)]
            self.assertEqual(wrong, [], 'names of ingress-nginx are what they are')
        done = subprocess.run(['promtool', 'check', 'rules', self.rules], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_alert_is_evaluated(self):
        def rules():
            groups = self.get('rules')['groups']
            return [each for group in groups for each in group['rules']]
        wait_until('all are evaluated', lambda: rules() and all(
            each['health'] != 'unknown' for each in rules()), 30)
        self.assertEqual([(each['name'], each.get('lastError')) for each in rules()
                          if each['health'] != 'ok'], [])
        self.assertGreater(len(rules()), 10)

    def test_alerts_see_what_goes_wrong_here(self):
        """Two thirds of the answers are 5xx, and one upstream is refused: both are pending at once."""
        def pending():
            return {each['labels']['alertname'] for each in self.get('alerts')['alerts']}
        wait_until('they are pending', lambda: {'PenstockServerErrors', 'PenstockEndpointsFail'} <=
                   pending(), 60)
        self.assertFalse({'PenstockNoProxy', 'PenstockConfigurationRefused', 'PenstockPortNotOpen'} &
                         pending())

    def expressions(self):
        for path in sorted((CHART / 'dashboards').glob('*.json')):
            board = json.loads(path.read_text())
            for panel in board['panels']:
                for target in panel.get('targets', []):
                    if 'penstock_stream_' not in target['expr']:
                        yield f'{path.name}: {panel["title"]}', target['expr']

    def test_the_queries_of_the_dashboards_return_data(self):
        asked = 0
        for where, expression in self.expressions():
            if any(name in expression for name in ABSENT):
                continue
            text = VARIABLE.sub('.*', expression.replace('$__rate_interval', RANGE)
                                .replace('$__range', RANGE))
            self.assertNotIn('$', text, where)
            with self.subTest(panel=where):
                wait_until(f'{where}: {text}', lambda text=text: self.query(text), 30)
                asked += 1
        self.assertGreater(asked, 30)

    def test_the_variables_of_the_dashboards_have_values(self):
        for path in sorted((CHART / 'dashboards').glob('*.json')):
            for variable in json.loads(path.read_text())['templating']['list']:
                if variable['type'] != 'query':
                    continue
                metric, label = re.fullmatch(r'label_values\((.*), (\w+)\)',
                                             variable['query']['query']).groups()
                with self.subTest(variable=variable['name'], board=path.name):
                    found = self.query(f'count by ({label}) ({VARIABLE.sub(".*", metric)})')
                    self.assertTrue(found and all(each['metric'].get(label) for each in found), metric)


if __name__ == '__main__':
    if not HELM.exists() or not shutil.which('prometheus'):
        print('skipped: needs Helm (tests/cluster/build.sh) and prometheus (make test-deps)')
        sys.exit(77)
    unittest.main()
