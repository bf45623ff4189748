"""What an ending controller leaves in the statuses of Ingresses, on a real API server."""
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, wait_until  # noqa: E402


class Shutdown(TestCase):
    number = 71
    starts_programs = False
    controller_environment = {'POD_NAME': 'penstock-a'}

    def setUp(self):
        self.service('web', [11])
        self.ingress('web', ('web.test', [('Prefix', '/', 'web')]))
        self.cluster.delete('Pod', 'penstock-b', self.name)
        self.pod('penstock-a', '1')
        self.cluster.delete('Lease', f'leader-{self.name}', self.name)

    def pod(self, name, generation):
        self.cluster.apply(
            {'apiVersion': 'v1', 'kind': 'Pod',
             'metadata': {'name': name, 'namespace': self.name,
                          'labels': {'app': 'penstock', 'pod-template-hash': generation}},
             'spec': {'terminationGracePeriodSeconds': 0, 'nodeName': 'none',
                      'automountServiceAccountToken': False,
                      'containers': [{'name': 'one', 'image': 'none'}]}})

    def entries(self):
        found = self.cluster.get('Ingress', 'web', self.name)
        return found.get('status', {}).get('loadBalancer', {}).get('ingress')

    def lead_and_end(self, *flags, expected=None):
        self.start_controller(*flags)
        wait_until('it leads', lambda: 'this replica writes statuses' in self.controller.text())
        wait_until('the status holds the address', lambda: self.entries() == (
            expected or [{'ip': self.address}]))
        self.controller.kill(signal.SIGTERM)
        self.assertEqual(self.controller.popen.returncode, 0)
        lease = self.cluster.get('Lease', f'leader-{self.name}', self.name)
        self.assertFalse(lease['spec'].get('holderIdentity'), 'the Lease is free')

    def test_the_last_replica_clears_them(self):
        self.lead_and_end()
        self.assertFalse(self.entries())
        self.assertIn('clearing the status of 1 Ingresses', self.controller.text())

    def test_another_replica_keeps_them(self):
        self.pod('penstock-b', '2')
        self.lead_and_end()
        self.assertEqual(self.entries(), [{'ip': self.address}])

    def test_a_flag_keeps_them(self):
        self.lead_and_end('--no-update-status-on-shutdown')
        self.assertEqual(self.entries(), [{'ip': self.address}])

    def test_several_addresses_are_kept(self):
        both = [{'ip': self.address}, {'hostname': 'edge.test'}]
        type(self).published = f'{self.address},edge.test'
        self.addCleanup(setattr, type(self), 'published', '')
        self.lead_and_end(expected=both)
        self.assertEqual(self.entries(), both)

    def test_a_pod_that_is_not_there_clears_nothing(self):
        self.cluster.delete('Pod', 'penstock-a', self.name)
        wait_until('it is gone', self.is_gone)
        self.lead_and_end()
        self.assertEqual(self.entries(), [{'ip': self.address}])
        self.assertIn('its replicas cannot be counted', self.controller.text())

    def is_gone(self):
        try:
            self.cluster.get('Pod', 'penstock-a', self.name)
            return False
        except OSError:
            return True


if __name__ == '__main__':
    main()
