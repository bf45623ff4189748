"""Ports of streams in the Service that leads to us, on a real API server."""
import os
import pathlib
import re
import subprocess
import sys
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import ROOT, TestCase, main, wait_until  # noqa: E402


class Exposure(TestCase):
    """What the classes share: the Service `edge`, as Helm would have made it."""

    publishes_address = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        if cls.starts_programs:
            wait_until('it leads', lambda: 'this replica writes statuses' in cls.controller.text())

    def setUp(self):
        self.edge()
        self.service('back', [31])

    def edge(self, *more, **spec):
        path = self.cluster.path_of('Service', 'edge', self.name)
        body = {'apiVersion': 'v1', 'kind': 'Service',
                'metadata': {'name': 'edge', 'namespace': self.name},
                'spec': {'selector': {'app': 'edge'}, 'ports': [
                    {'name': 'http', 'port': 80, 'targetPort': 'http', 'protocol': 'TCP'}, *more],
                         **spec}}
        self.cluster.call('PATCH', path + '?fieldManager=helm&force=true', body,
                          'application/apply-patch+yaml')

    def entries(self):
        return {(each['name'], each['port'], each['protocol'], each['targetPort'])
                for each in self.cluster.get('Service', 'edge', self.name)['spec']['ports']}

    def stream(self, name, port, kind='TCPService', **listener):
        backends = [{'service': {'name': 'back', 'port': 80}}]
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': kind,
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name,
                      'listeners': [{'name': 'main', **({'port': port} if port else {}),
                                     **listener}],
                      **({'rules': [{'backends': backends}]} if kind == 'TCPService' else
                         {'backends': backends})}})

    def status_of(self, name, kind='TCPService'):
        return self.cluster.get(kind, name, self.name).get('status', {})

    def condition(self, name, kind='TCPService'):
        found = [each for each in self.status_of(name, kind).get('conditions', [])
                 if each['type'] == 'Exposed']
        return found[0] if found else None

    def wait_exposed(self, name, status, reason, kind='TCPService'):
        def holds():
            found = self.condition(name, kind)
            return found and (found['status'], found['reason']) == (status, reason) and found
        return wait_until(f'{name}: Exposed={status} {reason}', holds)

    def warnings(self, name):
        items = self.cluster.call('GET', f'/api/v1/namespaces/{self.name}/events')['items']
        return [each['reason'] for each in items
                if each['involvedObject']['name'] == name and each['type'] == 'Warning']


class KeptInStep(Exposure):
    number = 79
    controller_flags = ('--publish-service', 't79/edge', '--publish-stream-ports')

    def test_a_port_comes_and_goes_with_its_object(self):
        self.stream('db', 7901)
        found = self.wait_exposed('db', 'True', 'ServicePort')
        self.assertEqual(found['observedGeneration'], 1)
        self.assertIn(('tcp-7901', 7901, 'TCP', 7901), self.entries())
        address = self.cluster.get('Service', 'edge', self.name)['spec']['clusterIP']
        self.assertEqual(self.status_of('db')['addresses'],
                         [{'type': 'IPAddress', 'value': address}])
        self.assertEqual(self.warnings('db'), [], 'it was never said to be missing')
        self.stream('db', 7902)
        wait_until('the port follows', lambda: {each[0] for each in self.entries()} == {
            'http', 'tcp-7902'})
        self.cluster.delete('TCPService', 'db', self.name)
        wait_until('the port is gone',
                   lambda: self.entries() == {('http', 80, 'TCP', 'http')})

    def test_udp_beside_tcp_and_ranges(self):
        self.stream('both', 7911)
        self.stream('both', 7911, 'UDPService')
        self.stream('range', None, portRange={'start': 7912, 'end': 7915})
        self.config('tcp', **{'7916': f'{self.name}/back:80'})
        wanted = {'http', 'tcp-7911', 'udp-7911', 'tcp-7912', 'tcp-7913', 'tcp-7914', 'tcp-7915',
                  'tcp-7916'}
        wait_until('all are there', lambda: {each[0] for each in self.entries()} == wanted)
        self.wait_exposed('both', 'True', 'ServicePort', 'UDPService')
        self.cluster.delete('TCPService', 'both', self.name)
        wait_until('UDP stays', lambda: {each[0] for each in self.entries()} == wanted - {
            'tcp-7911'})
        self.cluster.delete('UDPService', 'both', self.name)
        self.cluster.delete('TCPService', 'range', self.name)
        self.cluster.delete('ConfigMap', 'tcp', self.name)
        wait_until('all are gone', lambda: {each[0] for each in self.entries()} == {'http'})

    def test_a_port_of_others_is_left_alone(self):
        theirs = {'name': '7921-tcp', 'port': 7921, 'targetPort': 7921, 'protocol': 'TCP'}
        elsewhere = {'name': 'admin', 'port': 7922, 'targetPort': 7999, 'protocol': 'TCP'}
        self.edge(theirs, elsewhere)
        for port in (7921, 7922, 7923):
            self.stream(f'port-{port}', port)
        self.wait_exposed('port-7921', 'True', 'ServicePort')
        self.wait_exposed('port-7923', 'True', 'ServicePort')
        entries = self.entries()
        self.assertIn(('7921-tcp', 7921, 'TCP', 7921), entries)
        self.assertIn(('admin', 7922, 'TCP', 7999), entries)
        for port in (7921, 7922, 7923):
            self.cluster.delete('TCPService', f'port-{port}', self.name)
        wait_until('ours is gone', lambda: self.entries() == {
            ('http', 80, 'TCP', 'http'), ('7921-tcp', 7921, 'TCP', 7921),
            ('admin', 7922, 'TCP', 7999)})
        self.edge()
        wait_until('theirs are still theirs',
                   lambda: self.entries() == {('http', 80, 'TCP', 'http')})

    def test_a_port_that_leads_elsewhere_says_so(self):
        self.edge({'name': 'admin', 'port': 7931, 'targetPort': 7999, 'protocol': 'TCP'})
        self.stream('taken', 7931)
        found = self.wait_exposed('taken', 'False', 'ServicePortTaken')
        self.assertIn("'admin' and leads to port 7999", found['message'])
        self.assertEqual([each['status'] for each in self.status_of('taken')['conditions']
                          if each['type'] == 'Programmed'], ['True'])
        self.edge()
        self.wait_exposed('taken', 'True', 'ServicePort')
        self.cluster.delete('TCPService', 'taken', self.name)

    def test_what_the_api_server_refuses_takes_no_other_along(self):
        policy = {'apiVersion': 'admissionregistration.k8s.io/v1',
                  'kind': 'ValidatingAdmissionPolicy', 'metadata': {'name': self.name},
                  'spec': {'failurePolicy': 'Fail', 'matchConstraints': {'resourceRules': [
                      {'apiGroups': [''], 'apiVersions': ['v1'], 'operations': ['UPDATE'],
                       'resources': ['services']}]},
                           'validations': [{'expression': 'object.metadata.name != "edge" || '
                                            '!object.spec.ports.exists(each, each.port == 7942)',
                                            'message': 'the cloud has no port 7942'}]}}
        binding = {'apiVersion': 'admissionregistration.k8s.io/v1',
                   'kind': 'ValidatingAdmissionPolicyBinding', 'metadata': {'name': self.name},
                   'spec': {'policyName': self.name, 'validationActions': ['Deny']}}
        group = '/apis/admissionregistration.k8s.io/v1/'
        paths = [group + 'validatingadmissionpolicies/', group + 'validatingadmissionpolicybindings/']
        for path, each in zip(paths, (policy, binding)):
            self.cluster.call('PATCH', f'{path}{self.name}?fieldManager=test', each,
                              'application/apply-patch+yaml')
        wait_until('the policy holds', self.is_refused)
        self.stream('three', None, portRange={'start': 7941, 'end': 7943})
        found = self.wait_exposed('three', 'False', 'ServicePortRefused')
        self.assertIn('does not lead to port 7942', found['message'])
        self.assertIn('the cloud has no port 7942', found['message'])
        wait_until('the others are there', lambda: {each[0] for each in self.entries()} == {
            'http', 'tcp-7941', 'tcp-7943'})
        for path in paths:
            self.cluster.call('DELETE', path + self.name)
        self.wait_exposed('three', 'True', 'ServicePort')
        self.cluster.delete('TCPService', 'three', self.name)

    def is_refused(self):
        try:
            self.cluster.call(
                'PATCH', self.cluster.path_of('Service', 'edge', self.name) + '?dryRun=All',
                [{'op': 'add', 'path': '/spec/ports/-', 'value': {'name': 'try', 'port': 7942}}],
                'application/json-patch+json')
            return False
        except urllib.error.HTTPError as error:
            return error.code in (403, 422)

    def test_what_an_earlier_leader_left_goes(self):
        self.stream('left', 7951)
        self.wait_exposed('left', 'True', 'ServicePort')
        self.controller.kill()
        self.cluster.delete('TCPService', 'left', self.name)
        self.assertIn('tcp-7951', {each[0] for each in self.entries()})
        self.controller.start()
        self.wait_serving()
        wait_until('the port is gone', lambda: self.entries() == {('http', 80, 'TCP', 'http')}, 60)

    def test_a_restart_flips_nothing(self):
        self.stream('steady', 7961)
        self.wait_exposed('steady', 'True', 'ServicePort')
        service, stream = (self.cluster.get(kind, name, self.name)['metadata']['resourceVersion']
                           for kind, name in (('Service', 'edge'), ('TCPService', 'steady')))
        self.controller.kill()
        self.controller.start()
        self.wait_serving()
        wait_until('it leads again', lambda: self.metric('penstock_controller_leader') == 1, 60)
        self.stream('after', 7962)
        self.wait_exposed('after', 'True', 'ServicePort')
        self.assertEqual(self.cluster.get('TCPService', 'steady', self.name)['metadata']
                         ['resourceVersion'], stream)
        self.assertNotEqual(self.cluster.get('Service', 'edge', self.name)['metadata']
                            ['resourceVersion'], service)
        self.assertIn('tcp-7961', {each[0] for each in self.entries()})
        for name in ('steady', 'after'):
            self.cluster.delete('TCPService', name, self.name)


class ByHand(Exposure):
    """Without the flag: the condition says what is missing, and nothing is written."""

    number = 80
    controller_flags = ('--publish-service', 't80/edge')

    def patch(self, message):
        """Runs the command as it is printed."""
        self.shell(re.search(r'kubectl patch service .*', message).group())

    def shell(self, command):
        environment = {'PATH': os.environ['PENSTOCK_CLUSTER_BIN'] + ':' + os.environ['PATH'],
                       'KUBECONFIG': str(self.cluster.folder / 'admin.conf')}
        subprocess.run(['bash', '-c', command], check=True, env=dict(os.environ, **environment))

    def test_the_command_of_the_message_exposes_the_port(self):
        self.stream('db', 8001)
        found = self.wait_exposed('db', 'False', 'ServicePortMissing')
        self.assertEqual(self.entries(), {('http', 80, 'TCP', 'http')})
        self.assertNotIn('addresses', {key for key, value in self.status_of('db').items() if value})
        wait_until('an Event tells of it', lambda: 'ServicePortMissing' in self.warnings('db'))
        self.patch(found['message'])
        self.wait_exposed('db', 'True', 'ServicePort')
        self.assertIn(('tcp-8001', 8001, 'TCP', 8001), self.entries())

    def test_what_the_flag_has_left_is_taken_out_as_the_manual_says(self):
        path = self.cluster.path_of('Service', 'edge', self.name)
        body = {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': 'edge'},
                'spec': {'ports': [{'name': 'tcp-8031', 'port': 8031, 'protocol': 'TCP',
                                    'targetPort': 8031}]}}
        self.cluster.call('PATCH', path + '?fieldManager=penstock-streams', body,
                          'application/apply-patch+yaml')
        self.assertIn(('tcp-8031', 8031, 'TCP', 8031), self.entries())
        manual = (ROOT / 'docs/operations.md').read_text()
        command = re.search(r'    kubectl apply --server-side --field-manager=penstock-streams.*?\n    END\n',
                            manual, re.S).group()
        command = command.replace('penstock-controller', 'edge').replace(
            'namespace: ingress', f'namespace: {self.name}')
        self.shell('\n'.join(line.strip() for line in command.splitlines()) + '\n')
        self.assertNotIn('tcp-8031', {each[0] for each in self.entries()})
        self.assertIn('http', {each[0] for each in self.entries()})

    def test_a_port_without_a_name_gets_one(self):
        self.cluster.delete('Service', 'edge', self.name)
        self.cluster.call('POST', self.cluster.path_of('Service', '', self.name), {
            'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': 'edge'},
            'spec': {'ports': [{'port': 80}]}})
        self.stream('syslog', 8011, 'UDPService')
        found = self.wait_exposed('syslog', 'False', 'ServicePortMissing', 'UDPService')
        self.patch(found['message'])
        self.wait_exposed('syslog', 'True', 'ServicePort', 'UDPService')
        self.cluster.delete('Service', 'edge', self.name)
        wait_until('nothing is known without the Service',
                   lambda: self.condition('syslog', 'UDPService') is None)

    def test_a_load_balancer_without_an_address(self):
        self.edge({'name': 'db', 'port': 8021, 'targetPort': 8021, 'protocol': 'TCP'},
                  type='LoadBalancer')
        self.addCleanup(self.cluster.delete, 'Service', 'edge', self.name)
        self.stream('waits', 8021)
        self.wait_exposed('waits', 'False', 'LoadBalancerPending')
        path = self.cluster.path_of('Service', 'edge', self.name) + '/status'
        self.cluster.call('PATCH', path, {'status': {'loadBalancer': {'ingress': [
            {'ip': '192.0.2.80'}, {'hostname': 'edge.test'}]}}}, 'application/merge-patch+json')
        self.wait_exposed('waits', 'True', 'ServicePort')
        self.assertEqual(self.status_of('waits')['addresses'],
                         [{'type': 'IPAddress', 'value': '192.0.2.80'},
                          {'type': 'Hostname', 'value': 'edge.test'}])
        self.cluster.call('PATCH', path, {'status': {'loadBalancer': {'ingress': [
            {'ip': '192.0.2.80', 'ports': [{'port': 80, 'protocol': 'TCP'}, {
                'port': 8021, 'protocol': 'TCP', 'error': 'PortNotSupported'}]}]}}},
                          'application/merge-patch+json')
        found = self.wait_exposed('waits', 'False', 'ServicePortRefused')
        self.assertIn('the load balancer says: PortNotSupported', found['message'])


class ByPod(Exposure):
    """Without a Service: the ports of our own pod count."""

    number = 81
    starts_programs = False
    controller_environment = {'POD_NAME': 'penstock-a'}
    publishes_address = True

    def setUp(self):
        super().setUp()
        self.cluster.delete('Pod', 'penstock-a', self.name)
        self.cluster.delete('Lease', f'leader-{self.name}', self.name)

    def run_as(self, **spec):
        def create():
            try:
                self.cluster.call('POST', self.cluster.path_of('Pod', '', self.name), {
                    'apiVersion': 'v1', 'kind': 'Pod',
                    'metadata': {'name': 'penstock-a', 'labels': {'app': 'penstock'}},
                    'spec': {'terminationGracePeriodSeconds': 0, 'nodeName': 'none',
                             'automountServiceAccountToken': False, **spec}})
                return True
            except urllib.error.HTTPError as error:
                if error.code != 409:
                    raise
                return False
        wait_until('the pod is there', create)
        self.start_controller()
        self.start_proxy()
        self.wait_serving()
        self.addCleanup(self.controller.kill)
        self.addCleanup(self.proxy.kill)

    def test_by_a_port_of_the_node(self):
        self.run_as(containers=[{'name': 'one', 'image': 'none', 'ports': [
            {'containerPort': 8101, 'hostPort': 8101}]}])
        self.stream('has', 8101)
        self.stream('has-not', 8102)
        self.wait_exposed('has', 'True', 'HostPort')
        self.assertEqual(self.status_of('has')['addresses'],
                         [{'type': 'IPAddress', 'value': self.address}])
        self.wait_exposed('has-not', 'False', 'HostPortMissing')

    def test_by_the_network_of_the_node(self):
        self.run_as(hostNetwork=True, containers=[{'name': 'one', 'image': 'none'}])
        self.stream('any', 8111)
        self.wait_exposed('any', 'True', 'HostNetwork')


if __name__ == '__main__':
    main()
