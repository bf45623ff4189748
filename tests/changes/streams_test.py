"""UDP ports on a real API server: DNS through them, with dnsmasq behind."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from dns_client import Resolver, start_dnsmasq  # noqa: E402
from penstock_testing import TestCase, main, status, wait_until  # noqa: E402


class Streams(TestCase):
    number = 16

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.servers = [
            start_dnsmasq(f'10.245.{cls.number}.{21 + i}', 53, f'one.test=192.0.2.{i}',
                          f'all.test=198.51.100.{i}') for i in range(2)]

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.kill()
        super().tearDownClass()

    def dns_service(self, name, hosts):
        self.service(name, hosts, target=53, protocol='UDP',
                     ports=[{'port': 53, 'targetPort': 53, 'protocol': 'UDP'}])

    def udp_service(self, name, port, service, **more):
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'UDPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name,
                      'listeners': [{'name': 'dns', 'port': port}],
                      'backends': [{'service': {'name': service, 'port': 53}}], **more}})

    def ask(self, port, name='one.test'):
        resolver = Resolver(self.address, port)
        try:
            return resolver.ask(name, 0.3)
        finally:
            resolver.close()

    def test_dns_by_udp_services_config_map(self):
        self.dns_service('map', [21])
        self.config('udp', **{'1601': f'{self.name}/map:53'})
        wait_until('the port answers', lambda: self.ask(1601) == ['192.0.2.0'])
        self.config('udp', **{'1602': f'{self.name}/map:53'})
        wait_until('the new port answers', lambda: self.ask(1602) == ['192.0.2.0'])
        wait_until('the old one does not', lambda: self.ask(1601) is None)
        self.cluster.delete('ConfigMap', 'udp', self.name)
        wait_until('the port is closed', lambda: self.ask(1602) is None)

    def test_dns_by_udp_service(self):
        self.dns_service('dns', [21])
        self.udp_service('dns', 1611, 'dns')
        wait_until('the port answers', lambda: self.ask(1611) == ['192.0.2.0'])
        clients = [Resolver(self.address, 1611) for _ in range(200)]
        for client in clients:
            self.assertEqual(client.ask('one.test'), ['192.0.2.0'])
        # Everything around the sessions changes; none of them ends.
        before = self.metric('penstock_stream_sessions_total', self.admin_port)
        self.udp_service('dns', 1611, 'dns', session={'idleTimeout': '5m', 'maxSessions': 1000},
                         limits={'packetsPerSecondPerIP': 10000})
        self.config('settings', keep_alive='66')
        self.endpoints('dns', [21, 22], 53, 'UDP')
        wait_until('both endpoints answer', lambda: self.ask(1611) == ['192.0.2.1'])
        for client in clients:
            self.assertEqual(client.ask('all.test'), ['198.51.100.0'])
        # One endpoint goes: its sessions move with their next datagram.
        self.endpoints('dns', [22], 53, 'UDP')
        wait_until('only the other one answers',
                   lambda: all(self.ask(1611) == ['192.0.2.1'] for _ in range(4)))
        for client in clients:
            self.assertEqual(client.ask('all.test'), ['198.51.100.1'])
            client.close()
        self.assertGreater(self.metric('penstock_stream_sessions_total', self.admin_port), before)
        wait_until('its lines are in the log', lambda: '] UDP 200 ' in self.proxy.text())
        self.cluster.delete('UDPService', 'dns', self.name)
        wait_until('the port is closed', lambda: self.ask(1611) is None)

    def test_one_answer_ends_a_session(self):
        self.dns_service('short', [21])
        self.udp_service('short', 1621, 'short', session={'maxResponses': 1})
        wait_until('the port answers', lambda: self.ask(1621) == ['192.0.2.0'])
        for _ in range(50):
            self.assertEqual(self.ask(1621), ['192.0.2.0'])
        wait_until('no session is left', lambda: self.active_sessions('udp/1621') == 0)

    def active_sessions(self, stream):
        return sum(float(line.rsplit(' ', 1)[1]) for line in self.proxy_metrics().splitlines()
                   if line.startswith('penstock_stream_sessions_active{stream="%s",' % stream))

    def proxy_metrics(self):
        return status(self.admin_port, '/metrics')[1]

    # --- statuses

    def tcp_service(self, name, *ports, service='back', **more):
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name,
                      'listeners': [{'name': f'p{port}', 'port': port} for port in ports],
                      'rules': [{'backends': [{'service': {'name': service, 'port': 80}}]}],
                      **more}})

    def condition(self, name, kind, of='TCPService'):
        found = self.cluster.get(of, name, self.name)
        for each in found.get('status', {}).get('conditions', []):
            if each['type'] == kind:
                fresh = each['observedGeneration'] == found['metadata']['generation']
                return each if fresh else None
        return None

    def wait_condition(self, name, kind, status, reason, of='TCPService'):
        def holds():
            found = self.condition(name, kind, of)
            return found if found and (found['status'], found['reason']) == (status, reason) else None
        return wait_until(f'{name}: {kind}={status} {reason}', holds)

    def kubectl(self, *arguments):
        return subprocess.run(
            [os.environ['PENSTOCK_CLUSTER_BIN'] + '/kubectl', '--kubeconfig',
             self.cluster.folder / 'admin.conf', '-n', self.name, *arguments], check=True,
            capture_output=True, text=True).stdout

    def events(self, name):
        items = self.cluster.call('GET', f'/api/v1/namespaces/{self.name}/events')['items']
        return [(each['reason'], each['message']) for each in items
                if each['involvedObject']['name'] == name]

    def test_a_status_says_what_became_of_an_object(self):
        self.service('back', [31, 32])
        self.tcp_service('whole', 1641, 1642)
        self.kubectl('wait', '--for=condition=Programmed', '--timeout=20s', 'tcpsvc/whole')
        for kind in ('Accepted', 'ResolvedRefs', 'BackendsHealthy'):
            self.assertEqual(self.condition('whole', kind)['status'], 'True', kind)
        self.assertEqual(self.condition('whole', 'Conflicted')['status'], 'False')
        rows = self.kubectl('get', 'tcpsvc', 'whole', '-o', 'wide').splitlines()
        self.assertEqual(rows[0].split(), ['NAME', 'PORTS', 'BACKENDS', 'PROGRAMMED', 'REASON',
                                           'REPLICAS', 'CLASS', 'ADDRESS', 'ALGORITHM', 'CONFLICT', 'AGE'])
        self.assertEqual(len(rows[1].split()), len(rows[0].split()), 'every column has a value')
        self.assertTrue(rows[1].startswith('whole'))
        for expected in ('1641-1642', '2/2', 'True', 'Programmed', '1/1', self.name, '*',
                         'RoundRobin', '-'):
            self.assertIn(expected, rows[1])
        listeners = self.cluster.get('TCPService', 'whole', self.name)['status']['listeners']
        self.assertEqual([(each['ports'], each['owner']) for each in listeners],
                         [(port, f'TCPService {self.name}/whole') for port in ('1641', '1642')])
        for listener in listeners:
            self.assertEqual([(each['type'], each['status']) for each in listener['conditions']],
                             [('Accepted', 'True'), ('Programmed', 'True'),
                              ('Conflicted', 'False')])
        self.assertEqual([reason for reason, _ in self.events('whole')], ['Programmed'])
        since = self.condition('whole', 'Programmed')['lastTransitionTime']
        # A change of the spec: observedGeneration follows, the time stays.
        self.tcp_service('whole', 1641, timeouts={'idle': '7m'})
        found = self.wait_condition('whole', 'Programmed', 'True', 'Programmed')
        self.assertEqual(found['lastTransitionTime'], since)
        self.endpoints('back', [])
        self.wait_condition('whole', 'BackendsHealthy', 'False', 'NoEndpoints')
        self.endpoints('back', [31])
        self.wait_condition('whole', 'BackendsHealthy', 'True', 'EndpointsReady')
        wait_until('an Event for each transition', lambda: sorted(
            reason for reason, _ in self.events('whole')) == [
                'EndpointsReady', 'NoEndpoints', 'Programmed'])

    def test_a_conflict_is_told_and_ends_when_the_owner_goes(self):
        self.service('back', [31])
        self.tcp_service('owner', 1651)
        self.wait_condition('owner', 'Programmed', 'True', 'Programmed')
        self.tcp_service('loser', 1651)
        found = self.wait_condition('loser', 'Conflicted', 'True', 'PortConflict')
        self.assertIn(f'port 1651 is already taken by the TCPService {self.name}/owner',
                      found['message'])
        self.wait_condition('loser', 'Accepted', 'False', 'PortConflict')
        stands = self.cluster.get('TCPService', 'loser', self.name)['status']
        self.assertEqual(stands['conflictWith'], f'TCPService {self.name}/owner')
        self.assertEqual([(each['ports'], each['owner']) for each in stands['listeners']],
                         [('', f'TCPService {self.name}/owner')])
        wait_until('the conflict is counted', lambda: self.metric(
            'penstock_controller_stream_port_conflicts') == 1)
        self.assertEqual(self.condition('owner', 'Programmed')['status'], 'True')
        wait_until('both are told', lambda: 'PortConflict' in dict(self.events('loser')) and
                   f'TCPService {self.name}/loser wants it, too' in
                   dict(self.events('owner')).get('PortWanted', ''))
        self.cluster.delete('TCPService', 'owner', self.name)
        self.wait_condition('loser', 'Programmed', 'True', 'Programmed')
        self.wait_condition('loser', 'Conflicted', 'False', 'NoConflict')

    def test_a_reference_that_leads_nowhere(self):
        self.tcp_service('lost', 1661, service='nobody')
        self.wait_condition('lost', 'ResolvedRefs', 'False', 'BackendNotFound')
        self.tcp_service('lost', 22, service='nobody')
        self.wait_condition('lost', 'Accepted', 'False', 'PortNotAllowed')

    def test_a_port_that_cannot_be_opened(self):
        self.service('back', [31])
        with socket.create_server((self.address, 1671)):
            self.tcp_service('busy', 1671)
            found = self.wait_condition('busy', 'Programmed', 'False', 'BindFailed')
            self.assertIn('(errno 98)', found['message'])
        self.wait_condition('busy', 'Programmed', 'True', 'Programmed')

    def test_a_udp_status(self):
        self.dns_service('told', [21, 22])
        self.udp_service('told', 1681, 'told')
        self.kubectl('wait', '--for=condition=Programmed', '--timeout=20s', 'udpsvc/told')
        self.assertIn('2/2', self.kubectl('get', 'udpsvc', 'told'))

    def test_an_entry_that_is_not_served_is_told_by_an_event(self):
        self.config('tcp', **{'1691': f'{self.name}/none:1'})
        wait_until('the Event is there', lambda: any(
            reason == 'NotServed' and f"'{self.name}/none' does not exist" in message
            for reason, message in self.events('tcp')))

    def test_a_restart_flips_no_condition(self):
        self.service('back', [31])
        self.tcp_service('steady', 1695)
        self.wait_condition('steady', 'Programmed', 'True', 'Programmed')
        before = self.cluster.get('TCPService', 'steady', self.name)
        self.controller.kill()
        self.controller.start()
        self.wait_serving()
        wait_until('it leads again', lambda: self.metric('penstock_controller_leader') == 1, 60)
        self.tcp_service('after', 1696)
        self.wait_condition('after', 'Programmed', 'True', 'Programmed')
        after = self.cluster.get('TCPService', 'steady', self.name)
        self.assertEqual(after['metadata']['resourceVersion'],
                         before['metadata']['resourceVersion'])

    def test_the_api_server_refuses_what_has_no_meaning(self):
        def refused(expected, **spec):
            with self.assertRaises(urllib.error.HTTPError) as error:
                self.udp_service('bad', 1631, 'dns', **spec)
            self.assertIn(expected, error.exception.read().decode())
        refused('hashKey only with Hash', loadBalancing={'algorithm': 'Random2',
                                                         'hashKey': 'SourceIP'})
        refused('exactly one of port and portRange', listeners=[{'name': 'a'}])
        refused('end must not be before start',
                listeners=[{'name': 'a', 'portRange': {'start': 2, 'end': 1}}])
        refused('two listeners use the same port',
                listeners=[{'name': 'a', 'port': 2000}, {'name': 'b', 'port': 2000}])
        refused('exactly one of service and host', backends=[{'weight': 1}])
        refused('one backend must have a weight',
                backends=[{'host': {'name': 'a', 'port': 1}, 'weight': 0}])
        refused('Unsupported value', backends=[{'host': {'name': 'a', 'port': 1},
                                                'proxyProtocol': 'V1'}])
        refused('must be a network', access={'allow': ['10.0.0.0/33']})
        refused('idleTimeout', session={'idleTimeout': 'ten'})


class Policies(TestCase):
    number = 17
    controller_flags = ('--stream-port-policies',)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.start_echo(13)

    def is_open(self, port):
        try:
            with socket.create_connection((self.address, port), 1):
                return True
        except OSError:
            return False

    def echo_at(self, name, port):
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name,
                      'listeners': [{'name': 'main', 'port': port}],
                      'rules': [{'backends': [{'service': {'name': 'echo', 'port': 7}}]}]}})

    def stands(self, name):
        return self.cluster.get('TCPService', name, self.name).get('status', {})

    def condition(self, name, kind):
        return next((each for each in self.stands(name).get('conditions', ())
                     if each['type'] == kind), {})

    def allocated(self, name):
        return next((each.get('allocatedPort') for each in self.stands(name).get('listeners', ())),
                    None)

    def test_a_policy_opens_and_closes_ports(self):
        def policy(**more):
            self.cluster.apply(
                {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'StreamPortPolicy',
                 'metadata': {'name': self.name},
                 'spec': {'ingressClassName': self.name,
                          'ports': [{'start': 17, 'end': 19, 'protocol': 'TCP'}], **more}})

        is_open = self.is_open
        self.service('echo', [13], port=7, target=7000)
        for port in (18, 1701):
            self.echo_at(f'echo-{port}', port)
        wait_until('the high port is open', lambda: is_open(1701))
        self.assertFalse(is_open(18))
        policy(allowPrivileged=True, namespaceSelector={'matchLabels': {'ports': 'low'}})
        wait_until('the high port is closed', lambda: not is_open(1701))
        self.assertFalse(is_open(18))
        self.cluster.apply({'apiVersion': 'v1', 'kind': 'Namespace',
                            'metadata': {'name': self.name, 'labels': {'ports': 'low'}}})
        wait_until('the low port is open', lambda: is_open(18))
        self.cluster.delete('StreamPortPolicy', self.name)
        wait_until('the high port is open again', lambda: is_open(1701))
        wait_until('the low port is closed again', lambda: not is_open(18))
        for port in (18, 1701):
            self.cluster.delete('TCPService', f'echo-{port}', self.name)

    def test_listeners_with_port_0_get_one(self):
        self.service('echo', [13], port=7, target=7000)
        self.echo_at('first', 0)

        def message(name):
            return self.condition(name, 'Accepted').get('message', '')
        wait_until('the status says why there is none',
                   lambda: 'no StreamPortPolicy with autoAllocate' in message('first'))
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'StreamPortPolicy',
             'metadata': {'name': self.name},
             'spec': {'ingressClassName': self.name, 'autoAllocate': True,
                      'ports': [{'start': 1711, 'end': 1712, 'protocol': 'TCP'}]}})
        self.addCleanup(self.cluster.delete, 'StreamPortPolicy', self.name)
        self.echo_at('second', 0)
        ports = {}
        for name in ('first', 'second'):
            wait_until(f'{name} has a port', lambda: self.allocated(name) in (1711, 1712))
            ports[name] = self.allocated(name)
            wait_until(f'{name} is programmed',
                       lambda: self.condition(name, 'Programmed').get('status') == 'True')
            self.assertTrue(self.is_open(ports[name]), name)
        self.assertEqual(set(ports.values()), {1711, 1712})
        self.echo_at('third', 0)
        wait_until('the third is told', lambda: 'all are taken' in message('third'))
        # A new leader gives nobody another port, and who goes leaves room.
        self.controller.kill(signal.SIGTERM)
        self.start_controller()
        self.wait_serving()
        self.cluster.delete('TCPService', 'second', self.name)
        wait_until('the third has its port', lambda: self.allocated('third') == ports['second'])
        wait_until('it answers', lambda: self.is_open(ports['second']))
        self.assertEqual(self.allocated('first'), ports['first'])
        self.assertTrue(self.is_open(ports['first']))

    def test_a_namespace_has_so_many_ports(self):
        self.service('echo', [13], port=7, target=7000)
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'StreamPortPolicy',
             'metadata': {'name': self.name},
             'spec': {'ingressClassName': self.name, 'maxListenersPerNamespace': 1,
                      'ports': [{'start': 1721, 'end': 1729}]}})
        self.addCleanup(self.cluster.delete, 'StreamPortPolicy', self.name)
        self.echo_at('one', 1721)
        wait_until('the first is open', lambda: self.is_open(1721))
        self.echo_at('two', 1722)
        wait_until('the second is told', lambda: 'expected at most 1 ports' in
                   self.condition('two', 'Accepted').get('message', ''))
        self.assertFalse(self.is_open(1722))
        self.cluster.delete('TCPService', 'one', self.name)
        wait_until('there is room', lambda: self.is_open(1722))


if __name__ == '__main__':
    main()
