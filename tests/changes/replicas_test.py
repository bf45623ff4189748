"""Two replicas of one installation on a real API server: what a status counts is what both serve."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, wait_until  # noqa: E402

LEASE_SECONDS = 30
STALE_SECONDS = 35


class Replicas(TestCase):
    number = 78
    controller_environment = {'POD_NAME': 'penstock-a'}
    starts_programs = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        wait_until('reports are served', cls.are_reports_served)
        cls.start_controller()
        cls.start_proxy()
        cls.wait_serving()
        wait_until('it leads', lambda: 'this replica writes statuses' in cls.controller.text())
        cls.second = cls.start_second()
        cls.start_echo(11)

    @classmethod
    def are_reports_served(cls):
        try:
            return bool(cls.cluster.call('GET', cls.cluster.path_of('ReplicaReport')))
        except urllib.error.HTTPError:
            return False

    @classmethod
    def start_second(cls):
        """The same flags and addresses, which the kernel lets both listen on."""
        second = type('Second', (TestCase,), {
            name: getattr(cls, name) for name in ('cluster', 'name', 'address', 'processes')})
        second.folder = tempfile.mkdtemp(prefix='penstock-test.', dir=cls.folder)
        second.status_port = cls.status_port + 500
        second.admin_port = cls.admin_port + 500
        second.controller_environment = {'POD_NAME': 'penstock-b'}
        second.start_controller()
        second.start_proxy()
        second.wait_serving()
        return second

    def setUp(self):
        self.service('back', [11], target=7000)

    def tcp_service(self, name, port, **more):
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name,
                      'listeners': [{'name': 'one', 'port': port}],
                      'rules': [{'backends': [{'service': {'name': 'back', 'port': 80}}]}],
                      **more}})

    def found(self, name):
        return self.cluster.get('TCPService', name, self.name)

    def programmed(self, name):
        """The condition, where it tells of the object as it is."""
        found = self.found(name)
        for each in found.get('status', {}).get('conditions', []):
            if each['type'] == 'Programmed' and \
                    each['observedGeneration'] == found['metadata']['generation']:
                return each
        return {'status': None, 'message': ''}

    def wait_programmed(self, name, status, message, seconds=30):
        def holds():
            found = self.programmed(name)
            return found if (found['status'], found['message']) == (status, message) else None
        return wait_until(f'{name}: {status} {message}', holds, seconds)

    def events(self, name):
        items = self.cluster.call('GET', f'/api/v1/namespaces/{self.name}/events')['items']
        return [each['reason'] for each in items if each['involvedObject']['name'] == name]

    def report(self, pod):
        return self.cluster.get('ReplicaReport', pod, self.name)['report']

    def kubectl(self, *arguments):
        return subprocess.run(
            [os.environ['PENSTOCK_CLUSTER_BIN'] + '/kubectl', '--kubeconfig',
             self.cluster.folder / 'admin.conf', '-n', self.name, *arguments], check=True,
            capture_output=True, text=True).stdout

    def test_1_programmed_counts_the_proxies_of_both(self):
        self.tcp_service('both', 7801)
        self.wait_programmed('both', 'True', '2 of 2 proxies serve this generation')
        status = self.found('both')['status']
        self.assertEqual(status['replicas'], '2/2')
        self.assertRegex(status['configVersion'], '^[0-9a-f]{16}$')
        wait_until('both say that they serve it', lambda: {
            self.report(pod)['config'] for pod in ('penstock-a', 'penstock-b')} == {
                status['configVersion']})
        self.assertEqual(self.events('both'), ['Programmed'], 'one Event, and none of a moment between')
        rows = self.kubectl('get', 'replicareports').splitlines()
        self.assertEqual(rows[0].split(), ['NAME', 'CONFIG', 'PROXIES', 'RENEWED', 'AGE'])
        for row in rows[1:]:
            self.assertEqual(len(row.split()), 5, row)

    def test_2_a_proxy_that_lags_is_told(self):
        self.tcp_service('lagging', 7802)
        self.wait_programmed('lagging', 'True', '2 of 2 proxies serve this generation')
        proxy = self.second.proxy.popen.pid
        os.kill(proxy, signal.SIGSTOP)
        try:
            self.tcp_service('lagging', 7803)
            found = self.wait_programmed('lagging', 'False', '1 of 2 proxies serve this generation')
            self.assertEqual(found['reason'], 'PartiallyProgrammed')
        finally:
            os.kill(proxy, signal.SIGCONT)
        self.wait_programmed('lagging', 'True', '2 of 2 proxies serve this generation')

    def test_3_what_changes_elsewhere_writes_nothing(self):
        self.tcp_service('still', 7804)
        self.wait_programmed('still', 'True', '2 of 2 proxies serve this generation')
        before = self.found('still')['metadata']['resourceVersion']
        self.tcp_service('other', 7805)
        self.wait_programmed('other', 'True', '2 of 2 proxies serve this generation')
        self.assertEqual(self.found('still')['metadata']['resourceVersion'], before)

    def test_4_an_ingress_is_live_on_both(self):
        self.ingress('web', ('web.test', [('Prefix', '/', 'back')]))
        reports = self.cluster.path_of('IngressReport', namespace=self.name)
        wait_until('its report says so', lambda: [
            each['report']['live'] for each in self.cluster.call('GET', reports)['items']] == ['2/2'])

    def test_5_a_replica_that_vanishes_flips_no_condition(self):
        self.tcp_service('kept', 7806)
        since = self.wait_programmed('kept', 'True', '2 of 2 proxies serve this generation')
        config = self.found('kept')['status']['configVersion']
        self.controller.kill()
        self.proxy.kill()
        self.wait_programmed('kept', 'True', '1 of 1 proxies serve this generation',
                             LEASE_SECONDS + STALE_SECONDS + 30)
        self.assertEqual(self.programmed('kept')['lastTransitionTime'],
                         since['lastTransitionTime'])
        self.assertEqual(self.found('kept')['status']['configVersion'], config)
        self.assertEqual(self.events('kept'), ['Programmed'])

    def test_6_who_ends_in_order_takes_its_report_along(self):
        self.second.controller.kill(signal.SIGTERM)
        with self.assertRaises(urllib.error.HTTPError) as raised:
            self.report('penstock-b')
        self.assertEqual(raised.exception.code, 404)


if __name__ == '__main__':
    main()
