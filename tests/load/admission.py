"""How long the admission webhook takes for a review while the controller knows 10,000 Ingresses and
50 changes a second keep it busy. Prints a Markdown table; fails where the p99 is beyond 20 ms.

  INGRESSES  default 10000
  REVIEWS    default 3000, half of them of a host and path that another Ingress has
"""
import base64
import concurrent.futures
import http.client
import json
import os
import ssl
import statistics
import threading
import time
import unittest

from scale_site import Site, host_of, main, wait_until

REVIEWS = int(os.environ.get('REVIEWS', 3000))
RATE = 50
MOST = 0.02


class Large(Site):
    number = 53
    ingresses = int(os.environ.get('INGRESSES', 10000))


class Admission(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(Large.tearDownClass)
        Large.setUpClass()
        cls.site = Large()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda create: create(), cls.site.creations()))
        cls.at = f'10.245.{Large.number}.1:8443'
        cls.site.start('--no-update-status', '--validating-webhook', cls.at,
                       '--validating-webhook-name', 'admission-bench')
        wait_until('there is a certificate', lambda: 'reviews are taken' in
                   cls.site.controller.text())

    def review(self, i):
        host = host_of(i) if i % 2 else f'new{i}.scale.test'
        item = {'apiVersion': 'networking.k8s.io/v1', 'kind': 'Ingress',
                'metadata': {'name': f'new-{i}', 'namespace': self.site.name},
                'spec': {'ingressClassName': self.site.name, 'rules': [
                    {'host': host, 'http': {'paths': [
                        {'path': path, 'pathType': 'Prefix', 'backend': {
                            'service': {'name': 's0', 'port': {'number': 80}}}}
                        for path in ('/new', '/more', '/static')]}}]}}
        request = {'uid': str(i), 'operation': 'CREATE', 'name': f'new-{i}',
                   'namespace': self.site.name, 'object': item,
                   'kind': {'group': 'networking.k8s.io', 'version': 'v1', 'kind': 'Ingress'}}
        return json.dumps({'apiVersion': 'admission.k8s.io/v1', 'kind': 'AdmissionReview',
                           'request': request})

    def change(self, ends):
        while not ends.wait(1 / RATE):
            self.site.change_endpoint()

    def test_reviews_are_quick(self):
        secret = self.site.cluster.get('Secret', 'admission-bench', self.site.name)['data']
        context = ssl.create_default_context(cadata=base64.b64decode(secret['ca']).decode())
        connection = http.client.HTTPSConnection(*self.at.split(':'), context=context)
        ends = threading.Event()
        changes = threading.Thread(target=self.change, args=(ends,))
        changes.start()
        times, refused = [], 0
        try:
            for i in range(REVIEWS):
                text = self.review(i % Large.ingresses)
                began = time.monotonic()
                connection.request('POST', '/', text, {'Content-Type': 'application/json'})
                answer = json.loads(connection.getresponse().read())
                times.append(time.monotonic() - began)
                refused += not answer['response']['allowed']
        finally:
            ends.set()
            changes.join()
        cuts = statistics.quantiles(times, n=100)
        print('| Ingresses | reviews | refused | p50 | p99 | longest |\n|---|---|---|---|---|---|')
        print(f'| {Large.ingresses} | {REVIEWS} | {refused} | {cuts[49] * 1000:.2f} ms | '
              f'{cuts[98] * 1000:.2f} ms | {max(times) * 1000:.2f} ms |')
        self.assertEqual(refused, REVIEWS // 2)
        self.assertLess(cuts[98], MOST)


if __name__ == '__main__':
    main()
