"""The life of our pods on a real node, two replicas behind a Service, under load: an update, an
eviction, containers that are killed, a leader that vanishes."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from image import use_node_with_image  # noqa: E402
from penstock_testing import ROOT, Cluster, Load, main, run, wait_until  # noqa: E402

NAMESPACE = 'ingress'
LEASE_SECONDS = 30
REPLICAS = 2


def pods_of_node(program):
    """Process ids by the uid of their pod. All namespaces of processes are below ours."""
    found = {}
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            if (folder / 'comm').read_text().strip() != program[:15]:
                continue
            text = (folder / 'cgroup').read_text()
        except OSError:
            continue
        if owner := re.search(r'/pod([0-9a-f-]{36})/', text):
            found[owner[1]] = int(folder.name)
    return found


class Life(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(os.environ['PENSTOCK_CLUSTER'])
        cls.cluster = Cluster(cls.folder)
        cls.tools = pathlib.Path(os.environ['PENSTOCK_CLUSTER_BIN'])
        for name in ('HELM_CACHE_HOME', 'HELM_CONFIG_HOME', 'HELM_DATA_HOME'):
            os.environ[name] = str(cls.folder / 'helm')
        cls.helm()
        labels = {'app': 'echo'}
        cls.cluster.apply({'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'apps'}})
        cls.cluster.call('POST', '/apis/apps/v1/namespaces/apps/deployments', {
            'metadata': {'name': 'echo'},
            'spec': {'replicas': 2, 'selector': {'matchLabels': labels},
                     'template': {'metadata': {'labels': labels}, 'spec': {
                         'containers': [{'name': 'echo', 'image': 'localhost/echo:test',
                                         'imagePullPolicy': 'Never'}]}}}})
        cls.cluster.apply(
            {'apiVersion': 'v1', 'kind': 'Service',
             'metadata': {'name': 'echo', 'namespace': 'apps'},
             'spec': {'selector': labels, 'ports': [{'port': 80, 'targetPort': 8080}]}})
        cls.ingress('echo')
        service = cls.cluster.get('Service', 'penstock-controller', NAMESPACE)
        cls.address = service['spec']['clusterIP']
        cls.wait_served()

    @classmethod
    def helm(cls, *settings):
        run(cls.tools / 'helm', '--kubeconfig', cls.folder / 'admin.conf', 'upgrade', '--install', 'penstock',
            ROOT / 'charts/penstock', '--namespace', NAMESPACE, '--create-namespace', '--wait',
            '--timeout', '180s', *(word for each in (
                'controller.image.repository=localhost/penstock', 'controller.image.tag=test',
                'controller.image.pullPolicy=Never', f'controller.replicaCount={REPLICAS}',
                'controller.service.type=ClusterIP', 'proxy.workers=1', *settings)
                for word in ('--set', each)), stdout=subprocess.DEVNULL)

    @classmethod
    def ingress(cls, name):
        cls.cluster.apply(
            {'apiVersion': 'networking.k8s.io/v1', 'kind': 'Ingress',
             'metadata': {'name': name, 'namespace': 'apps'},
             'spec': {'ingressClassName': 'nginx', 'rules': [{'host': f'{name}.test', 'http': {
                 'paths': [{'path': '/', 'pathType': 'Prefix', 'backend': {
                     'service': {'name': 'echo', 'port': {'number': 80}}}}]}}]}})

    @classmethod
    def wait_served(cls):
        wait_until('the app answers', lambda: subprocess.run(
            ['curl', '-sf', '-m', '5', '-H', 'Host: echo.test', f'http://{cls.address}/'],
            stdout=subprocess.DEVNULL).returncode == 0, 90)

    @classmethod
    def pods(cls):
        found = cls.cluster.call('GET', f'/api/v1/namespaces/{NAMESPACE}/pods')['items']
        return {each['metadata']['name']: each for each in found
                if 'deletionTimestamp' not in each['metadata']}

    @staticmethod
    def is_ready(pod):
        conditions = pod.get('status', {}).get('conditions', [])
        return any(each['type'] == 'Ready' and each['status'] == 'True' for each in conditions)

    def setUp(self):
        self.wait_all_ready()

    def wait_all_ready(self):
        def are_ready():
            pods = self.pods()
            return len(pods) == REPLICAS and all(map(self.is_ready, pods.values()))
        wait_until('all replicas are ready', are_ready, 120)

    def restarts(self, name):
        statuses = self.pods()[name]['status']['containerStatuses']
        return {each['name']: each['restartCount'] for each in statuses}

    def kill(self, pod, container, number):
        uid = pod['metadata']['uid']
        os.kill(wait_until(f'{container} runs', lambda: pods_of_node(f'penstock-{container}').get(uid)),
                number)

    def kill_and_wait(self, container, number):
        name, pod = next(iter(self.pods().items()))
        before = self.restarts(name)[container]
        self.kill(pod, container, number)
        wait_until(f'{container} is started again',
                   lambda: self.restarts(name)[container] > before, 60)
        self.wait_all_ready()

    def loads(self):
        """Connections that are kept, and as many that ask once."""
        return Load(self, 'echo.test', threads=2, pause=0.005), Load(
            self, 'echo.test', threads=2, pause=0.005, requests=1)

    def failures_while(self, action):
        kept, fresh = self.loads()
        with kept, fresh:
            action()
        print(f'\n    {self.id().rsplit(".", 1)[1]}: {kept.sent + fresh.sent} requests, '
              f'{len(kept.failures)} failed on kept connections, {len(fresh.failures)} on new ones',
              file=sys.stderr)
        return kept.failures + fresh.failures

    def test_a_rolling_update_fails_no_request(self):
        before = set(self.pods())

        def update():
            self.helm('controller.podAnnotations.moment=later')
            wait_until('the old pods are gone', lambda: not before & set(self.pods()), 120)
        self.assertEqual(self.failures_while(update), [])

    def test_an_eviction_fails_no_request(self):
        """What `kubectl drain` does with each pod of a node."""
        name = sorted(self.pods())[0]

        def evict():
            self.cluster.call('POST', f'/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction', {
                'apiVersion': 'policy/v1', 'kind': 'Eviction',
                'metadata': {'name': name, 'namespace': NAMESPACE}})
            wait_until('it is gone', lambda: name not in json.dumps(self.cluster.call(
                'GET', f'/api/v1/namespaces/{NAMESPACE}/pods')['items']), 120)
            self.wait_all_ready()
        self.assertEqual(self.failures_while(evict), [])

    def test_a_killed_controller_fails_no_request(self):
        self.assertEqual(self.failures_while(
            lambda: self.kill_and_wait('controller', signal.SIGKILL)), [])

    def test_a_proxy_that_is_told_to_end_fails_no_request_on_a_kept_connection(self):
        """New connections of the moment until the kubelet has seen it may be refused."""
        kept = Load(self, 'echo.test', threads=2, pause=0.005)
        with kept:
            self.kill_and_wait('proxy', signal.SIGTERM)
        self.assertEqual([each for each in kept.failures if 'refused' not in each], [])

    def test_a_killed_proxy_harms_only_what_it_carried(self):
        failures = self.failures_while(lambda: self.kill_and_wait('proxy', signal.SIGKILL))
        self.assertLess(len(failures), 2000)
        self.assertEqual(self.failures_while(self.wait_served), [], 'and then none')

    def holder(self):
        lease = self.cluster.get('Lease', 'penstock-leader', NAMESPACE)
        return lease['spec'].get('holderIdentity')

    def test_another_replica_leads_within_one_lease(self):
        leader = wait_until('one leads', self.holder)
        pod = wait_until('the leader is one of the pods', lambda: self.pods().get(leader))
        # A container that is started again would only take its own Lease up.
        self.cluster.call('DELETE', f'/api/v1/namespaces/{NAMESPACE}/pods/{leader}'
                                    '?gracePeriodSeconds=0')
        self.ingress('afterwards')

        def is_written():
            found = self.cluster.get('Ingress', 'afterwards', 'apps')
            return found.get('status', {}).get('loadBalancer', {}).get('ingress')
        self.assertEqual(wait_until('the next one writes', is_written, LEASE_SECONDS + 10),
                         [{'ip': self.address}])
        self.assertNotEqual(self.holder(), pod['metadata']['name'])


if __name__ == '__main__':
    use_node_with_image()
    main()
