"""The cluster of a test, from inside of its network namespace: its objects and its components."""
import json
import os
import pathlib
import ssl
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = ROOT / 'tests/cluster'
LONGEST_WAIT = 30
API = 'https://172.30.0.1:6443'

PATHS = {  # kind: (path of the API group, plural, namespaced)
    'Namespace': ('/api/v1', 'namespaces', False),
    'Node': ('/api/v1', 'nodes', False),
    'Pod': ('/api/v1', 'pods', True),
    'Service': ('/api/v1', 'services', True),
    'Secret': ('/api/v1', 'secrets', True),
    'ConfigMap': ('/api/v1', 'configmaps', True),
    'EndpointSlice': ('/apis/discovery.k8s.io/v1', 'endpointslices', True),
    'Ingress': ('/apis/networking.k8s.io/v1', 'ingresses', True),
    'IngressClass': ('/apis/networking.k8s.io/v1', 'ingressclasses', False),
    'TCPService': ('/apis/penstock.dev/v1alpha1', 'tcpservices', True),
    'UDPService': ('/apis/penstock.dev/v1alpha1', 'udpservices', True),
    'IngressReport': ('/apis/penstock.dev/v1alpha1', 'ingressreports', True),
    'ReplicaReport': ('/apis/penstock.dev/v1alpha1', 'replicareports', True),
    'StreamPortPolicy': ('/apis/penstock.dev/v1alpha1', 'streamportpolicies', False),
    'CustomResourceDefinition': ('/apis/apiextensions.k8s.io/v1', 'customresourcedefinitions', False),
    'ValidatingWebhookConfiguration': ('/apis/admissionregistration.k8s.io/v1',
                                       'validatingwebhookconfigurations', False),
    'Lease': ('/apis/coordination.k8s.io/v1', 'leases', True),
}


def wait_until(what, condition, seconds=LONGEST_WAIT):
    """Polls; the last value where it is true, else the test fails with `what`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'not within {seconds} s: {what}')
        time.sleep(0.02)


def run(*command, **options):
    return subprocess.run([str(each) for each in command], check=True, **options)


class Cluster:
    """A running cluster, from inside of its network namespace."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.tls = ssl.create_default_context(cafile=str(self.folder / 'pki/ca.crt'))

    def call(self, method, path, body=None, content_type='application/json'):
        request = urllib.request.Request(API + path, method=method)
        request.add_header('Authorization', 'Bearer admin-token')
        data = None
        if body is not None:
            request.add_header('Content-Type', content_type)
            data = json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=20, context=self.tls) as answer:
            return json.loads(answer.read() or b'{}')

    @staticmethod
    def path_of(kind, name='', namespace=''):
        group, plural, is_namespaced = PATHS[kind]
        where = f'/namespaces/{namespace}' if is_namespaced and namespace else ''
        return f'{group}{where}/{plural}' + (f'/{name}' if name else '')

    def apply(self, *objects):
        """As `kubectl apply --server-side`."""
        for each in objects:
            meta = each['metadata']
            path = self.path_of(each['kind'], meta['name'], meta.get('namespace', ''))
            self.call('PATCH', path + '?fieldManager=test&force=true', each,
                      'application/apply-patch+yaml')

    def delete(self, kind, name, namespace=''):
        try:
            self.call('DELETE', self.path_of(kind, name, namespace))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise

    def get(self, kind, name, namespace=''):
        return self.call('GET', self.path_of(kind, name, namespace))

    def ctl(self, action, component):
        environment = dict(os.environ, D=str(self.folder))
        run(CLUSTER / 'ctl.sh', action, component, env=environment)

    def wait_ready(self):
        def is_ready():
            try:
                request = urllib.request.Request(API + '/readyz')
                request.add_header('Authorization', 'Bearer admin-token')
                return urllib.request.urlopen(request, timeout=2, context=self.tls).status == 200
            except OSError:
                return False
        wait_until('the API server is ready', is_ready, 60)

    def install_crds(self):
        for file in sorted((ROOT / 'crds').glob('*.yaml')):
            run(os.environ['PENSTOCK_CLUSTER_BIN'] + '/kubectl', '--kubeconfig',
                self.folder / 'admin.conf', 'apply', '--server-side', '-f', file,
                stdout=subprocess.DEVNULL)

        def is_served():
            try:
                return [self.call('GET', self.path_of(kind))
                        for kind in ('TCPService', 'UDPService', 'StreamPortPolicy')]
            except urllib.error.HTTPError:
                return None
        wait_until('our kinds are served', is_served)
