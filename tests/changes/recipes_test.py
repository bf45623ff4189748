"""Every recipe as a user applies it: the API server takes each object without a warning, and
Penstock serves it."""
import json
import os
import subprocess
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import ROOT, TestCase, main, wait_until  # noqa: E402

RECIPES = sorted((ROOT / 'manifests/recipes').glob('*.yaml'))
STREAMS = ('TCPService', 'UDPService')


class Recipes(TestCase):
    number = 62
    controller_flags = ('--stream-port-policies',)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()

    def kubectl(self, *arguments):
        done = subprocess.run(
            [os.environ['PENSTOCK_CLUSTER_BIN'] + '/kubectl', '--kubeconfig',
             self.cluster.folder / 'admin.conf', *arguments], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f'{arguments}: {done.stderr}')
        self.assertEqual(done.stderr, '', arguments)
        return done.stdout

    def objects(self, recipe):
        shown = self.kubectl('create', '--dry-run=client', '--validate=false', '-o', 'json', '-f',
                             recipe)
        decoder, found, at = json.JSONDecoder(), [], 0
        while at < len(shown.rstrip()):
            each, at = decoder.raw_decode(shown, at + len(shown[at:]) - len(shown[at:].lstrip()))
            found += each['items'] if each['kind'] == 'List' else [each]
        return found

    def make_backends(self, of):
        """The Services that an object names, with an endpoint that is ready."""
        spec = of['spec']
        namespace = of['metadata']['namespace']
        protocol = of['kind'][:3]
        self.cluster.apply({'apiVersion': 'v1', 'kind': 'Namespace',
                            'metadata': {'name': namespace}})
        rules = spec.get('rules', [spec])
        for name, port in {(backend['service']['name'], backend['service']['port'])
                           for rule in rules for backend in rule['backends']}:
            # One Service has both protocols of a port.
            both = [{'name': each.lower(), 'port': port, 'protocol': each}
                    for each in ('TCP', 'UDP')]
            self.cluster.apply(
                {'apiVersion': 'v1', 'kind': 'Service',
                 'metadata': {'name': name, 'namespace': namespace}, 'spec': {'ports': both}},
                {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice',
                 'metadata': {'name': name + '-1', 'namespace': namespace,
                              'labels': {'kubernetes.io/service-name': name}},
                 'addressType': 'IPv4', 'ports': both,
                 'endpoints': [{'addresses': [f'10.245.{self.number}.20']}]})
        return protocol

    def make_secrets(self, of):
        """The Secrets that an object names: each is a pair and its own authority."""
        def names(value, key=''):
            if key in ('certificateRefs', 'caRef', 'clientCertRef'):
                return [each['name'] for each in (value if isinstance(value, list) else [value])]
            below = value.items() if isinstance(value, dict) else [
                ('', each) for each in value] if isinstance(value, list) else []
            return [name for at, each in below for name in names(each, at)]
        for name in names(of['spec']):
            self.certificate(name, 'example.com')
            found = self.cluster.get('Secret', name, self.name)['data']
            self.cluster.apply(
                {'apiVersion': 'v1', 'kind': 'Secret',
                 'metadata': {'name': name, 'namespace': of['metadata']['namespace']},
                 'data': {**found, 'ca.crt': found['tls.crt']}})

    def conditions(self, of):
        meta = of['metadata']
        found = self.cluster.get(of['kind'], meta['name'], meta['namespace'])
        return {each['type']: each['status'] for each in
                found.get('status', {}).get('conditions', [])}

    def test_every_recipe_is_served(self):
        self.assertGreaterEqual(len(RECIPES), 6)
        wanted = {'Accepted': 'True', 'ResolvedRefs': 'True', 'Programmed': 'True',
                  'BackendsHealthy': 'True', 'Conflicted': 'False'}
        for recipe in RECIPES:
            streams = [each for each in self.objects(recipe) if each['kind'] in STREAMS]
            self.assertTrue(streams, recipe.name)
            for each in streams:
                self.make_backends(each)
                self.make_secrets(each)
            self.kubectl('apply', '--server-side', '--validate=strict', '-f', recipe)
            for each in streams:
                name = f'{recipe.name}: {each["kind"]} {each["metadata"]["name"]}'
                with self.subTest(name):
                    wait_until(name, lambda: self.conditions(each) == wanted)
            self.kubectl('delete', '-f', recipe)


if __name__ == '__main__':
    main()
