"""`penstock retire` on a real API server with its garbage collector, and with the rights of the chart: what an
installation has written is taken back while its replicas run, and none of them writes it again."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from cluster_api import API  # noqa: E402
from penstock_testing import ROOT, TestCase, main, wait_until  # noqa: E402
from processes import BIN  # noqa: E402

HOLDER = 'penstock-retire'
LEASE_SECONDS = 4


class Retire(TestCase):
    number = 82
    starts_programs = False
    publishes_address = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service_path = f'{cls.name}/penstock-controller'
        cls.controller_flags = ('--election-ttl', f'{LEASE_SECONDS}s', '--publish-service', cls.service_path,
                                '--publish-stream-ports')
        cls.cluster.install_crds()
        wait_until('reports are served', cls.are_reports_served)
        cls.grant_rights_of_the_chart()
        cls.deploy()
        cls.start_replicas()

    @classmethod
    def are_reports_served(cls):
        try:
            return [cls.get(kind, '') for kind in ('ReplicaReport', 'IngressReport')]
        except urllib.error.HTTPError:
            return None

    @classmethod
    def get(cls, kind, name):
        """Null where there is none."""
        try:
            return cls.cluster.call('GET', cls.cluster.path_of(kind, name, cls.name))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return None

    @classmethod
    def tool(cls, name, *arguments, **options):
        return subprocess.run([f'{os.environ["PENSTOCK_CLUSTER_BIN"]}/{name}', *map(str, arguments)], check=True,
                              capture_output=True, text=True, **options).stdout

    @classmethod
    def grant_rights_of_the_chart(cls):
        rights = cls.tool('helm', 'template', 'penstock', ROOT / 'charts/penstock', '--namespace', cls.name,
                          '--show-only', 'templates/rbac.yaml', '--set', f'controller.electionID=leader-{cls.name}')
        cls.tool('kubectl', '--kubeconfig', cls.cluster.folder / 'admin.conf', 'apply', '-f', '-', input=rights)
        answer = cls.cluster.call('POST', f'/api/v1/namespaces/{cls.name}/serviceaccounts/penstock/token',
                                  {'spec': {'expirationSeconds': 3600}})
        cls.account = pathlib.Path(cls.folder) / 'account.conf'
        cls.account.write_text(json.dumps({
            'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'c',
            'clusters': [{'name': 'c', 'cluster': {
                'server': API, 'certificate-authority': str(cls.cluster.folder / 'pki/ca.crt')}}],
            'users': [{'name': 'u', 'user': {'token': answer['status']['token']}}],
            'contexts': [{'name': 'c', 'context': {'cluster': 'c', 'user': 'u'}}]}))

    @classmethod
    def deploy(cls):
        """Pods for whom the replicas run; no node takes them."""
        wait_until('pods can be made', lambda: cls.cluster.call(
            'GET', f'/api/v1/namespaces/{cls.name}/serviceaccounts')['items'])
        labels = {'app': 'penstock'}
        cls.cluster.call('POST', f'/apis/apps/v1/namespaces/{cls.name}/deployments', {
            'metadata': {'name': 'penstock'},
            'spec': {'replicas': 2, 'selector': {'matchLabels': labels},
                     'template': {'metadata': {'labels': labels}, 'spec': {
                         'containers': [{'name': 'one', 'image': 'none'}]}}}})
        wait_until('there are two pods', lambda: len(cls.pods()) == 2)

    @classmethod
    def pods(cls):
        return cls.cluster.call('GET', cls.cluster.path_of('Pod', namespace=cls.name))['items']

    @classmethod
    def start_replicas(cls):
        cls.cluster.apply({'apiVersion': 'v1', 'kind': 'Service',
                           'metadata': {'name': 'penstock-controller', 'namespace': cls.name},
                           'spec': {'externalIPs': [cls.address],
                                    'ports': [{'name': 'http', 'port': 80, 'targetPort': 80}]}})
        first, second = (each['metadata'] for each in cls.pods())
        cls.controller_environment = {'POD_NAME': first['name'], 'POD_UID': first['uid']}
        cls.start_controller()
        cls.start_proxy()
        cls.wait_serving()
        wait_until('it leads', lambda: 'this replica writes statuses' in cls.controller.text())
        other = type('Second', (TestCase,), {name: getattr(cls, name) for name in (
            'cluster', 'name', 'address', 'processes', 'controller_flags', 'publishes_address')})
        other.folder = tempfile.mkdtemp(prefix='penstock-test.', dir=cls.folder)
        other.status_port, other.admin_port = cls.status_port + 500, cls.admin_port + 500
        other.controller_environment = {'POD_NAME': second['name'], 'POD_UID': second['uid']}
        other.start_controller()
        other.start_proxy()
        other.wait_serving()
        cls.second = other

    def setUp(self):
        self.service('web', [11])
        self.ingress('web', ('web.test', [('Prefix', '/', 'web')]))
        self.ingress('other', ('other.test', [('Prefix', '/', 'web')]), ingress_class='of-another')
        self.cluster.call('PATCH', self.cluster.path_of('Ingress', 'other', self.name) + '/status',
                          {'status': {'loadBalancer': {'ingress': [{'ip': self.address}]}}},
                          'application/merge-patch+json')
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': 'db', 'namespace': self.name},
             'spec': {'ingressClassName': self.name, 'listeners': [{'name': 'one', 'port': 8201}],
                      'rules': [{'backends': [{'service': {'name': 'web', 'port': 80}}]}]}})

    def retire(self, *flags, selector='app=penstock'):
        return subprocess.run(
            [BIN / 'penstock', 'retire', '--kubeconfig', self.account, '--controller-class', f'test/{self.name}',
             '--ingress-class', self.name, '--election-id', f'leader-{self.name}',
             *(['--pod-selector', selector] if selector else []), *(flags or self.controller_flags)],
            env=dict(os.environ, POD_NAMESPACE=self.name), capture_output=True, text=True)

    def entries(self, name='web'):
        return self.get('Ingress', name)['status']['loadBalancer'].get('ingress')

    def ports(self):
        return sorted(each['port'] for each in self.get('Service', 'penstock-controller')['spec']['ports'])

    def holder(self):
        lease = self.get('Lease', f'leader-{self.name}')
        return lease['spec'].get('holderIdentity') if lease else None

    def is_written(self):
        return (self.entries() == [{'ip': self.address}] and self.get('IngressReport', 'web') and
                self.get('TCPService', 'db').get('status', {}).get('conditions') and
                self.ports() == [80, 8201])

    def is_taken_back(self):
        return (not self.entries() and not self.get('IngressReport', 'web') and
                not self.get('TCPService', 'db').get('status') and self.ports() == [80])

    def assert_stays_taken_back(self, seconds=2 * LEASE_SECONDS):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertTrue(self.is_taken_back())
            time.sleep(0.2)

    def test_1_a_lease_that_is_deleted_is_made_anew_by_its_holder(self):
        wait_until('statuses are written', self.is_written)
        leader = self.holder()
        self.cluster.delete('Lease', f'leader-{self.name}', self.name)
        wait_until('it is there again', lambda: self.holder() == leader)
        self.assertNotIn('no longer leading', self.controller.text())

    def test_2_a_failure_lets_the_replicas_write_again(self):
        wait_until('statuses are written', self.is_written)
        done = self.retire('--publish-service', f'{self.name}/missing', '--election-ttl', f'{LEASE_SECONDS}s')
        self.assertEqual(done.returncode, 1)
        self.assertIn('Ingresses: 1 have addresses, and which are ours is not known: there is no Service '
                      f'{self.name}/missing', done.stderr)
        self.assertEqual(self.entries(), [{'ip': self.address}])
        wait_until('a replica leads', lambda: self.holder() not in ('', None, HOLDER))
        wait_until('what was taken back is written again', self.is_written)
        self.assertFalse(self.get('Lease', f'leader-{self.name}')['metadata'].get('ownerReferences'))

    def test_3_what_was_written_is_taken_back_while_replicas_run(self):
        wait_until('statuses are written', self.is_written)
        done = self.retire()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], f'^Lease {self.name}/leader-{self.name}: held for 600 s, or until it goes with '
                                   r'ReplicaSet penstock-\w+; waiting 2 s until no replica writes$')
        self.assertEqual(lines[1:], [
            'Ingresses: 1 statuses cleared, 0 left with addresses that are not ours',
            'TCPServices: 1 statuses cleared', 'UDPServices: 0 statuses cleared',
            'IngressReports: 1 deleted', 'ReplicaReports: 0 deleted, 2 go with their pods',
            f'Service {self.service_path}: 1 ports of streams taken out'])
        self.assertTrue(self.is_taken_back())
        self.assertEqual(self.entries('other'), [{'ip': self.address}], 'of another class')
        # What would make a leader write.
        self.ingress('web', ('more.test', [('Prefix', '/', 'web')]))
        self.assert_stays_taken_back()
        self.assertEqual(self.holder(), HOLDER)

    def test_4_again_there_is_nothing_to_do(self):
        """By hand, without a selector: what the Lease goes with is known from before."""
        done = self.retire(selector='')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn('Ingresses: 0 statuses cleared', done.stdout)
        lease = self.get('Lease', f'leader-{self.name}')
        self.assertEqual([each['kind'] for each in lease['metadata']['ownerReferences']], ['ReplicaSet'])
        self.assertEqual(lease['spec']['holderIdentity'], HOLDER)

    def test_5_a_time_that_is_too_short_for_the_leader_changes_nothing(self):
        lease = {'apiVersion': 'coordination.k8s.io/v1', 'kind': 'Lease',
                 'metadata': {'name': f'leader-{self.name}', 'namespace': self.name},
                 'spec': {'holderIdentity': 'somebody', 'leaseDurationSeconds': 600}}
        self.cluster.apply(lease)
        done = self.retire(*self.controller_flags, '--timeout', '5s')
        self.assertEqual(done.returncode, 1)
        self.assertIn('somebody may write for another 300 s, which is more than --timeout leaves', done.stderr)
        self.assertEqual(self.holder(), 'somebody')

    def test_6_who_gives_it_up_deletes_the_lease_and_restarts_the_pods(self):
        self.cluster.delete('Lease', f'leader-{self.name}', self.name)
        for process in (self.controller, self.second.controller):
            process.kill(signal.SIGKILL)
            process.start()
        wait_until('statuses are written again', self.is_written)

    def test_7_lease_and_reports_go_with_the_pods_and_nobody_writes_then(self):
        wait_until('statuses are written', self.is_written)
        done = self.retire()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # As Helm does: the replicas go on for a while, and find no Lease.
        self.cluster.call('DELETE', f'/apis/apps/v1/namespaces/{self.name}/deployments/penstock',
                          {'propagationPolicy': 'Background'})
        wait_until('the Lease is gone', lambda: self.holder() is None)
        wait_until('the reports are gone', lambda: not self.get('ReplicaReport', '')['items'])
        self.ingress('web', ('again.test', [('Prefix', '/', 'web')]))
        self.assert_stays_taken_back()
        self.assertIsNone(self.holder())
        for process in (self.controller, self.second.controller):
            process.kill(signal.SIGTERM)
        self.assertTrue(self.is_taken_back())
        self.assertIsNone(self.holder())
        self.assertFalse(self.get('ReplicaReport', '')['items'])

    def test_8_without_pods_the_lease_is_deleted(self):
        self.cluster.apply({'apiVersion': 'coordination.k8s.io/v1', 'kind': 'Lease',
                            'metadata': {'name': f'leader-{self.name}', 'namespace': self.name},
                            'spec': {'holderIdentity': 'penstock-that-was', 'leaseDurationSeconds': 4}})
        done = self.retire()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIsNone(self.holder())


if __name__ == '__main__':
    main()
