"""The image and the chart on a real node: installed with Helm, reached through a port of the node
and through the Service."""
import json
import os
import pathlib
import subprocess
import sys
import unittest
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from image import use_node_with_image  # noqa: E402
from penstock_testing import ROOT, Cluster, main, wait_until  # noqa: E402

NODE = '172.30.0.1'


def output(*command):
    return subprocess.run([str(each) for each in command], check=True, capture_output=True,
                          text=True).stdout


class Release(unittest.TestCase):
    """The release `penstock` in namespace `ingress`. The classes below run in the order of their names."""

    @classmethod
    def connect(cls):
        cls.folder = pathlib.Path(os.environ['PENSTOCK_CLUSTER'])
        cls.cluster = Cluster(cls.folder)
        cls.tools = pathlib.Path(os.environ['PENSTOCK_CLUSTER_BIN'])
        for name in ('HELM_CACHE_HOME', 'HELM_CONFIG_HOME', 'HELM_DATA_HOME'):
            os.environ[name] = str(cls.folder / 'helm')

    @classmethod
    def try_helm(cls, *arguments):
        command = (cls.tools / 'helm', '--kubeconfig', cls.folder / 'admin.conf', *arguments)
        return subprocess.run([str(each) for each in command], capture_output=True, text=True)

    @classmethod
    def helm(cls, *arguments):
        done = cls.try_helm(*arguments)
        if done.returncode != 0:
            raise AssertionError(f'helm {arguments[0]}: {done.stdout}{done.stderr}')
        return done.stdout

    @classmethod
    def kubectl(cls, *arguments):
        return output(cls.tools / 'kubectl', '--kubeconfig', cls.folder / 'admin.conf', *arguments)

    @staticmethod
    def curl(*arguments):
        done = subprocess.run(['curl', '-sS', '-m', '5', *arguments], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ''

    def wait_curl(self, *arguments):
        return wait_until('curl ' + ' '.join(arguments), lambda: self.curl('-f', *arguments), 60)

    def pod_ip(self):
        pods = json.loads(self.kubectl('-n', 'ingress', 'get', 'pods', '-o', 'json',
                                       '-l', 'app.kubernetes.io/component=controller'))['items']
        return pods[0]['status']['podIP']

    def status_of_upload(self, size):
        done = subprocess.run(['curl', '-sS', '-m', '10', '-o', '/dev/null', '-w', '%{http_code}',
                               '-H', 'Host: echo.test', '-H', 'Expect:', '--data-binary', '@-',
                               f'http://{NODE}/'], input='x' * size, capture_output=True, text=True)
        return done.stdout

    def service_with_stream(self):
        """With the port of the TCPService beside that of the values."""
        found = self.cluster.get('Service', 'penstock-controller', 'ingress')
        names = {each['name'] for each in found['spec']['ports']}
        return found if {'tcp-9100', '9000-tcp', 'http', 'https'} == names else None

    def addresses(self):
        found = self.cluster.get('Ingress', 'echo', 'apps')
        return found.get('status', {}).get('loadBalancer', {}).get('ingress')


class Installed(Release):
    @classmethod
    def setUpClass(cls):
        cls.connect()
        cls.helm('install', 'penstock', ROOT / 'charts/penstock', '--namespace', 'ingress',
                 '--create-namespace', '--wait', '--timeout', '120s',
                 '--set', 'controller.image.repository=localhost/penstock',
                 '--set', 'controller.image.tag=test', '--set', 'controller.image.pullPolicy=Never',
                 '--set', 'controller.kind=DaemonSet', '--set', 'controller.hostPort.enabled=true',
                 '--set', 'controller.service.type=ClusterIP',
                 '--set', 'tcp.9000=apps/echo:80', '--set', 'proxy.workers=2',
                 '--set', 'controller.config.proxy-body-size=2m')
        cls.app()

    @classmethod
    def tearDownClass(cls):
        if os.environ.get('PENSTOCK_SHOW_LOGS'):
            print(cls.kubectl('-n', 'ingress', 'logs', 'ds/penstock-controller', '-c',
                              'controller'), file=sys.stderr)

    @classmethod
    def app(cls):
        labels = {'app': 'echo'}
        cls.cluster.apply(
            {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'apps'}})
        cls.cluster.call('POST', '/apis/apps/v1/namespaces/apps/deployments', {
            'metadata': {'name': 'echo'},
            'spec': {'replicas': 2, 'selector': {'matchLabels': labels},
                     'template': {'metadata': {'labels': labels}, 'spec': {
                         'containers': [{'name': 'echo', 'image': 'localhost/echo:test',
                                         'imagePullPolicy': 'Never'}]}}}})
        cls.cluster.apply(
            {'apiVersion': 'v1', 'kind': 'Service',
             'metadata': {'name': 'echo', 'namespace': 'apps'},
             'spec': {'selector': labels, 'ports': [{'port': 80, 'targetPort': 8080}]}},
            {'apiVersion': 'networking.k8s.io/v1', 'kind': 'Ingress',
             'metadata': {'name': 'echo', 'namespace': 'apps'},
             'spec': {'ingressClassName': 'nginx', 'rules': [{'host': 'echo.test', 'http': {
                 'paths': [{'path': '/', 'pathType': 'Prefix', 'backend': {
                     'service': {'name': 'echo', 'port': {'number': 80}}}}]}}]}},
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': 'echo', 'namespace': 'apps'},
             'spec': {'listeners': [{'name': 'main', 'port': 9100}],
                      'rules': [{'backends': [{'service': {'name': 'echo', 'port': 80}}]}]}})

    def test_http_through_a_port_of_the_node(self):
        self.wait_curl('-H', 'Host: echo.test', f'http://{NODE}/')

    def test_https_through_a_port_of_the_node(self):
        self.wait_curl('-k', '--resolve', f'echo.test:443:{NODE}', 'https://echo.test/')

    def test_http_through_the_service(self):
        service = self.cluster.get('Service', 'penstock-controller', 'ingress')
        self.wait_curl('-H', 'Host: echo.test', f'http://{service["spec"]["clusterIP"]}/')

    def test_tcp_of_the_config_map_through_a_port_of_the_node(self):
        self.wait_curl('-H', 'Host: echo.test', f'http://{NODE}:9000/')

    def test_a_tcp_service_on_the_pod(self):
        self.wait_curl('-H', 'Host: echo.test', f'http://{self.pod_ip()}:9100/')

    def test_a_tcp_service_through_the_service(self):
        service = wait_until('the Service has the port', self.service_with_stream, 60)
        self.wait_curl('-H', 'Host: echo.test', f'http://{service["spec"]["clusterIP"]}:9100/')
        self.kubectl('-n', 'apps', 'wait', '--for=condition=Exposed', '--timeout=60s', 'tcpsvc/echo')

    def test_the_status_has_the_address_of_the_service(self):
        service = self.cluster.get('Service', 'penstock-controller', 'ingress')
        wait_until('the status is written',
                   lambda: self.addresses() == [{'ip': service['spec']['clusterIP']}], 60)

    def test_the_proxy_has_no_credentials(self):
        def in_proxy(*command):
            return subprocess.run([self.tools / 'kubectl', '--kubeconfig',
                                   self.folder / 'admin.conf', '-n', 'ingress', 'exec',
                                   'ds/penstock-controller', '-c', 'proxy', '--', *command],
                                  capture_output=True, text=True)
        self.assertNotEqual(in_proxy('ls', '/var/run/secrets/kubernetes.io').returncode, 0)
        self.assertEqual(in_proxy('stat', '-c', '%a %u', '/var/lib/penstock/state').stdout.strip(),
                         '600 101')
        self.assertEqual(in_proxy('stat', '-c', '%a', '/run/penstock/snapshot.sock').stdout.strip(),
                         '600')
        self.assertNotEqual(in_proxy('touch', '/written').returncode, 0, 'the root is read-only')

    def test_limits_of_the_values_are_served(self):
        self.wait_curl('-H', 'Host: echo.test', f'http://{NODE}/')
        self.assertEqual(self.status_of_upload(3 << 20), '413')

    def test_metrics_are_there(self):
        address = self.pod_ip()
        self.wait_curl('-H', 'Host: echo.test', f'http://{NODE}/')
        self.assertIn('penstock_controller_change_to_live_seconds_count',
                      self.curl(f'http://{address}:10254/metrics'))
        text = self.curl(f'http://{address}:10246/metrics')
        self.assertIn('nginx_ingress_controller_requests{namespace="apps",ingress="echo"', text)
        self.assertIn('controller_class="k8s.io/ingress-nginx",controller_namespace="ingress",'
                      'controller_pod="penstock-controller-', text)


class Lifecycle(Release):
    """What Helm does to a release that runs."""

    @classmethod
    def setUpClass(cls):
        cls.connect()

    def setUp(self):
        self.wait_curl('-H', 'Host: echo.test', f'http://{NODE}/')

    def select(self, extra):
        self.kubectl('-n', 'ingress', 'patch', 'service', 'penstock-controller', '--type', 'merge',
                     '--patch', json.dumps({'spec': {'selector': {'nobody': extra}}}))

    def test_helm_test_succeeds(self):
        self.assertIn('Succeeded', self.helm('test', 'penstock', '-n', 'ingress', '--timeout', '120s'))

    def test_helm_test_fails_where_the_service_leads_nowhere(self):
        self.select('here')
        try:
            done = self.try_helm('test', 'penstock', '-n', 'ingress', '--timeout', '60s')
            self.assertNotEqual(done.returncode, 0, done.stdout)
        finally:
            self.select(None)
        service = self.cluster.get('Service', 'penstock-controller', 'ingress')
        self.wait_curl('-H', 'Host: echo.test', f'http://{service["spec"]["clusterIP"]}/')

    def test_a_value_is_upgraded_and_rolled_back(self):
        pod = self.pod_ip()
        self.assertEqual(self.status_of_upload(3 << 20), '413')
        self.helm('upgrade', 'penstock', ROOT / 'charts/penstock', '-n', 'ingress', '--reuse-values',
                  '--wait', '--timeout', '120s', '--set', 'controller.config.proxy-body-size=4m')
        wait_until('the new limit is served', lambda: self.status_of_upload(3 << 20) == '200', 30)
        self.assertEqual(self.pod_ip(), pod, 'a setting needs no new pod')
        self.assertTrue(self.service_with_stream(), 'Helm leaves the port of the TCPService')
        self.helm('rollback', 'penstock', '-n', 'ingress', '--wait', '--timeout', '120s')
        wait_until('the old limit is served', lambda: self.status_of_upload(3 << 20) == '413', 30)

    def review(self, ingress_class):
        """What the API server says to an Ingress with a broken annotation; empty where it takes it."""
        item = {'apiVersion': 'networking.k8s.io/v1', 'kind': 'Ingress',
                'metadata': {'name': 'new', 'namespace': 'apps', 'annotations': {
                    'nginx.ingress.kubernetes.io/proxy-body-size': 'much'}},
                'spec': {'ingressClassName': ingress_class, 'defaultBackend': {
                    'service': {'name': 'echo', 'port': {'number': 80}}}}}
        try:
            self.cluster.call('POST', self.cluster.path_of('Ingress', namespace='apps') +
                              '?dryRun=All', item)
        except urllib.error.HTTPError as error:
            return error.read().decode()
        return ''

    def test_the_admission_webhook_comes_and_goes(self):
        """With a certificate that it makes by the rights that the chart gives it."""
        self.assertEqual(self.review('nginx'), '')
        self.helm('upgrade', 'penstock', ROOT / 'charts/penstock', '-n', 'ingress', '--reuse-values',
                  '--wait', '--timeout', '120s', '--set', 'controller.admissionWebhooks.enabled=true')
        try:
            wait_until('the webhook refuses', lambda: 'proxy-body-size contains invalid value' in
                       self.review('nginx'), 120)
            secret = self.cluster.get('Secret', 'penstock-admission', 'ingress')
            self.assertEqual(set(secret['data']), {'ca', 'cert', 'key'})
            self.assertEqual(secret['metadata']['labels']['app.kubernetes.io/instance'], 'penstock')
            # The conditions of the chart: of another class the API server does not even ask.
            self.kubectl('-n', 'ingress', 'patch', 'service', 'penstock-admission', '--type', 'merge',
                         '--patch', json.dumps({'spec': {'selector': {'nobody': 'here'}}}))
            wait_until('nobody answers', lambda: 'failed calling webhook' in self.review('nginx'), 30)
            self.assertEqual(self.review('other'), '')
        finally:
            self.helm('rollback', 'penstock', '-n', 'ingress', '--wait', '--timeout', '120s')
        self.assertEqual(self.review('nginx'), '')

    def test_an_upgrade_that_the_chart_refuses_changes_nothing(self):
        done = self.try_helm('upgrade', 'penstock', ROOT / 'charts/penstock', '-n', 'ingress',
                             '--reuse-values', '--set', 'controller.allowSnippetAnnotations=true')
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('controller.allowSnippetAnnotations: there is no configuration text', done.stderr)


class Uninstalled(Release):
    """After all others: with the image, the rights and the hook of the chart."""

    @classmethod
    def setUpClass(cls):
        cls.connect()

    def left(self):
        """What still carries the release's label, in every kind that the chart renders."""
        kinds = ('daemonsets,deployments,pods,services,configmaps,serviceaccounts,roles,rolebindings,'
                 'clusterroles,clusterrolebindings,ingressclasses,leases,secrets,jobs,'
                 'validatingwebhookconfigurations')
        found = json.loads(self.kubectl('get', kinds, '-A', '-o', 'json', '-l',
                                        'app.kubernetes.io/instance=penstock'))['items']
        return [f'{each["kind"]} {each["metadata"]["name"]}' for each in found]

    def written(self):
        """What the controllers have made besides."""
        kinds = 'leases.coordination.k8s.io,ingressreports,replicareports'
        found = [*json.loads(self.kubectl('-n', 'ingress', 'get', kinds, '-o', 'json'))['items'],
                 *json.loads(self.kubectl('get', 'ingressreports', '-A', '-o', 'json'))['items']]
        return sorted({f'{each["kind"]} {each["metadata"]["name"]}' for each in found})

    def status_of_stream(self):
        return self.cluster.get('TCPService', 'echo', 'apps').get('status')

    def test_nothing_is_left_and_the_address_leaves_the_status(self):
        """As docs/operations.md says: with `helm uninstall` alone."""
        wait_until('the status is written', self.addresses, 60)
        wait_until('reports are written', lambda: [each.split()[0] for each in self.written()] == [
            'IngressReport', 'Lease', 'ReplicaReport'], 60)
        self.assertTrue(self.status_of_stream())
        self.assertGreater(len(self.left()), 10)
        self.helm('uninstall', 'penstock', '-n', 'ingress', '--wait', '--timeout', '120s')
        self.assertFalse(self.addresses())
        self.assertFalse(self.status_of_stream())
        wait_until('nothing is left', lambda: not self.left() and not self.written(), 60)
        self.assertFalse(self.addresses(), 'the last pod has ended')
        self.assertFalse(self.status_of_stream())
        crds = self.kubectl('get', 'crds', '-o', 'name')
        self.assertIn('tcpservices.penstock.dev', crds, 'their objects are the users\'')


if __name__ == '__main__':
    use_node_with_image()
    main()
