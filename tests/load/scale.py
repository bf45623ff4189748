"""10,000 Ingresses on a real API server: time from start to serving, memory, and how long a change
takes to be live while 50 changes a second flow. Prints a Markdown table and build/bench/scale.json.

  INGRESSES  default 10000, with three paths each; half as many Services with three endpoints
  SECONDS    of each phase, default 20
"""
import concurrent.futures
import http.client
import json
import os
import pathlib
import ssl
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import ROOT, Load, TestCase, main, status, wait_until  # noqa: E402

INGRESSES = int(os.environ.get('INGRESSES', 10000))
SECONDS = int(os.environ.get('SECONDS', 20))
RATE = 50


class Api(threading.local):
    """A kept connection to the API server for each thread."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.connection = None

    def send(self, method, path, body, content_type='application/json'):
        for attempt in (0, 1):
            if self.connection is None:
                self.connection = http.client.HTTPSConnection('172.30.0.1', 6443, timeout=30,
                                                              context=self.cluster.tls)
            try:
                self.connection.request(method, path, json.dumps(body), {
                    'Authorization': 'Bearer admin-token', 'Content-Type': content_type})
                answer = self.connection.getresponse()
                answer.read()
                if answer.status >= 300:
                    raise RuntimeError(f'{path}: {answer.status}')
                return
            except (OSError, http.client.HTTPException, ssl.SSLError):
                self.connection = None
                if attempt:
                    raise


class Scale(TestCase):
    number = 51
    starts_programs = False

    def buckets(self):
        """The cumulative counts of change_to_live by upper bound."""
        out = {}
        name = 'penstock_controller_change_to_live_seconds_bucket{le="'
        for line in status(self.status_port, '/metrics')[1].splitlines():
            if line.startswith(name):
                bound, count = line[len(name):].split('"} ')
                out[float(bound.replace('+Inf', 'inf'))] = float(count)
        return out

    @staticmethod
    def percentile(before, after, share):
        counts = [(bound, after[bound] - before.get(bound, 0)) for bound in sorted(after)]
        total = counts[-1][1]
        return next((bound for bound, count in counts if total and count >= share * total), None)

    def fill(self):
        api = Api(self.cluster)
        base = f'/namespaces/{self.name}'

        def service(i):
            api.send('POST', f'/api/v1{base}/services', {
                'metadata': {'name': f's{i}'}, 'spec': {'ports': [{'port': 80,
                                                                   'targetPort': 8080}]}})
            api.send('POST', f'/apis/discovery.k8s.io/v1{base}/endpointslices', self.slice(i, 0))

        def ingress(i):
            api.send('POST', f'/apis/networking.k8s.io/v1{base}/ingresses', self.route(i, 'p'))
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(service, range(INGRESSES // 2)))
            list(pool.map(ingress, range(INGRESSES)))
        print(f'{INGRESSES} Ingresses, {INGRESSES // 2} Services created in '
              f'{time.monotonic() - began:.0f} s', file=sys.stderr)

    def slice(self, i, turn):
        hosts = [11 + (turn + each) % 4 for each in range(3)]
        return {'metadata': {'name': f's{i}-1', 'labels': {'kubernetes.io/service-name': f's{i}'}},
                'addressType': 'IPv4', 'ports': [{'name': '', 'port': 8080}],
                'endpoints': [{'addresses': [f'10.245.{self.number}.{host}']} for host in hosts]}

    def route(self, i, path):
        backend = {'service': {'name': f's{i // 2}', 'port': {'number': 80}}}
        return {'metadata': {'name': f'i{i}'}, 'spec': {
            'ingressClassName': self.name, 'rules': [{'host': f'h{i}.test', 'http': {'paths': [
                {'path': each, 'pathType': 'Prefix', 'backend': backend}
                for each in ('/', '/' + path, '/static')]}}]}}

    def flow(self, change):
        """50 changes a second for the time of a phase; the percentiles of change to live."""
        before = self.buckets()
        began = time.monotonic()
        for turn in range(RATE * SECONDS):
            change(turn)
            ahead = began + (turn + 1) / RATE - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        time.sleep(1)
        after = self.buckets()
        rate = RATE * SECONDS / (time.monotonic() - began - 1)
        return {'p50_ms': self.percentile(before, after, 0.5) * 1000,
                'p99_ms': self.percentile(before, after, 0.99) * 1000, 'changes_per_s': rate}

    def test_scale(self):
        for host in range(11, 15):
            self.start_backend(f'b{host}', host)
        self.fill()
        began = time.monotonic()
        self.start_controller('--no-update-status')
        self.start_proxy()
        last = f'h{INGRESSES - 1}.test'
        wait_until('the last host is served', lambda: (
            (answer := self.ask(last, '/static')) and answer.status == 200), 300)
        results = {'ingresses': INGRESSES, 'ready_s': time.monotonic() - began}
        api = Api(self.cluster)
        base = f'/namespaces/{self.name}'
        merge = 'application/merge-patch+json'
        with Load(self, 'h0.test', threads=2, pause=0.01) as load:
            results['endpoints'] = self.flow(lambda turn: api.send(
                'PATCH', f'/apis/discovery.k8s.io/v1{base}/endpointslices/s{turn % 1000}-1',
                self.slice(turn % 1000, 1 + turn // 1000), merge))
            results['routes'] = self.flow(lambda turn: api.send(
                'PATCH', f'/apis/networking.k8s.io/v1{base}/ingresses/i{turn % 1000}',
                {'spec': self.route(turn % 1000, f'q{turn}')['spec']}, merge))
        results['requests'] = load.sent
        results['failed_requests'] = len(load.failures)
        results['controller_mb'] = self.controller.memory() / 1e6
        results['proxy_mb'] = self.proxy.memory() / 1e6
        self.show(results)
        self.assertEqual(load.failures, [])

    def show(self, results):
        folder = ROOT / 'build/bench'
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'scale.json').write_text(json.dumps(results, indent=1))
        print(f'''
| {INGRESSES} Ingresses, {3 * INGRESSES} paths, {INGRESSES // 2} Services | |
|---|---|
| start to serving | {results['ready_s']:.1f} s |
| memory, controller + proxy | {results['controller_mb']:.0f} + {results['proxy_mb']:.0f} MB |
| endpoint changed to live, p50 / p99 | ≤ {results['endpoints']['p50_ms']:g} / {results['endpoints']['p99_ms']:g} ms |
| route changed to live, p50 / p99 | ≤ {results['routes']['p50_ms']:g} / {results['routes']['p99_ms']:g} ms |
| changes a second meanwhile | {results['endpoints']['changes_per_s']:.0f} |
| requests meanwhile, failed | {results['requests']}, {results['failed_requests']} |
''')


if __name__ == '__main__':
    main()
