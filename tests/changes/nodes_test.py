"""What we take from the nodes that run us: addresses for statuses, a zone. On a real API server."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, wait_until  # noqa: E402


class Nodes(TestCase):
    number = 74
    starts_programs = False
    publishes_address = False
    controller_environment = {'POD_NAME': 'penstock-a'}
    nodes = {'node-a': [('InternalIP', '10.0.0.1'), ('ExternalIP', '192.0.2.1')],
             'node-b': [('Hostname', 'b'), ('InternalIP', '10.0.0.2')]}

    def setUp(self):
        self.service('web', [11])
        self.ingress('web', ('web.test', [('Prefix', '/', 'web')]))
        for name, addresses in self.nodes.items():
            self.node(name, addresses)
            self.addCleanup(self.cluster.delete, 'Node', name)
        self.pod('penstock-a', 'node-a')
        self.addCleanup(self.cluster.delete, 'Pod', 'penstock-a', self.name)

    def node(self, name, addresses):
        meta = {'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': name}}
        self.cluster.apply(meta)
        self.status('Node', name, '', {'addresses': [
            {'type': kind, 'address': address} for kind, address in addresses]})

    def pod(self, name, node, is_ready=True):
        self.cluster.apply(
            {'apiVersion': 'v1', 'kind': 'Pod',
             'metadata': {'name': name, 'namespace': self.name, 'labels': {'app': 'penstock'}},
             'spec': {'terminationGracePeriodSeconds': 0, 'nodeName': node,
                      'automountServiceAccountToken': False,
                      'containers': [{'name': 'one', 'image': 'none'}]}})
        self.status('Pod', name, self.name, {
            'phase': 'Running',
            'conditions': [{'type': 'Ready', 'status': 'True' if is_ready else 'False'}]})

    def hint(self, service, *zones):
        """An endpoint for each of the zones, from 11 on."""
        self.cluster.apply(
            {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice',
             'metadata': {'name': service + '-1', 'namespace': self.name,
                          'labels': {'kubernetes.io/service-name': service}},
             'addressType': 'IPv4', 'ports': [{'port': 8080, 'protocol': 'TCP', 'name': ''}],
             'endpoints': [{'addresses': [f'10.245.{self.number}.{11 + at}'],
                            'hints': {'forZones': [{'name': zone}]}} for at, zone in enumerate(zones)]})

    def servers(self, count=8):
        return {self.must_ask('web.test').server for _ in range(count)}

    def status(self, kind, name, namespace, value):
        path = self.cluster.path_of(kind, name, namespace)
        self.cluster.call('PATCH', path + '/status', {'status': value},
                          'application/merge-patch+json')

    def wait_addresses(self, *expected):
        wait_until(f'the status holds {expected}', lambda: self.entries() == [
            {'ip': each} for each in expected])

    def entries(self):
        found = self.cluster.get('Ingress', 'web', self.name)
        return found.get('status', {}).get('loadBalancer', {}).get('ingress')

    def test_they_follow_the_pods(self):
        self.start_controller()
        self.start_proxy()
        self.wait_addresses('192.0.2.1')
        self.pod('penstock-b', 'node-b', is_ready=False)
        self.addCleanup(self.cluster.delete, 'Pod', 'penstock-b', self.name)
        self.pod('penstock-b', 'node-b')
        self.wait_addresses('10.0.0.2', '192.0.2.1')
        self.cluster.delete('Pod', 'penstock-b', self.name)
        self.wait_addresses('192.0.2.1')
        self.pod('penstock-a', 'node-a', is_ready=False)
        self.ingress('web', ('other.test', [('Prefix', '/', 'web')]))
        self.pod('penstock-b', 'node-b')
        self.wait_addresses('10.0.0.2')
        self.controller.kill(9)

    def test_internal_ones_where_a_flag_wants_them(self):
        self.cluster.delete('Lease', f'leader-{self.name}', self.name)
        self.start_controller('--report-node-internal-ip-address')
        self.wait_addresses('10.0.0.1')
        self.controller.kill(9)

    def test_hints_for_the_zone_of_the_node_count(self):
        self.cluster.call('PATCH', self.cluster.path_of('Node', 'node-a', ''),
                          {'metadata': {'labels': {'topology.kubernetes.io/zone': 'east'}}},
                          'application/merge-patch+json')
        backends = [self.start_backend(name, host) for name, host in (('east', 11), ('west', 12))]
        self.hint('web', 'east', 'west')
        self.start_controller('--enable-topology-aware-routing')
        self.start_proxy()
        self.wait_answer('web.test')
        self.assertEqual(self.servers(), {'east'})
        self.hint('web', 'north', 'west')
        wait_until('both serve where no hint is for the zone', lambda: self.servers() == {'east', 'west'})
        for process in [self.controller, self.proxy, *backends]:
            process.kill(9)

    def test_a_node_without_a_zone_is_told_of_and_nothing_waits(self):
        self.start_controller('--enable-topology-aware-routing')
        self.start_proxy()
        self.wait_serving()
        self.assertIn('the zone of this node is not known, every ready endpoint is used: '
                      'no label topology.kubernetes.io/zone', self.controller.text())
        for process in (self.controller, self.proxy):
            process.kill(9)


if __name__ == '__main__':
    main()
