"""UDP ports on a real API server: DNS through them, with dnsmasq behind."""
import pathlib
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
        self.assertIn('] UDP 200 ', self.proxy.text())
        self.cluster.delete('UDPService', 'dns', self.name)
        wait_until('the port is closed', lambda: self.ask(1611) is None)

    def test_one_answer_ends_a_session(self):
        self.dns_service('short', [21])
        self.udp_service('short', 1621, 'short', session={'maxResponses': 1})
        wait_until('the port answers', lambda: self.ask(1621) == ['192.0.2.0'])
        for _ in range(50):
            self.assertEqual(self.ask(1621), ['192.0.2.0'])
        wait_until('no session is left', lambda: 'penstock_stream_sessions_active{stream="udp/1621"} '
                   '0\n' in self.proxy_metrics())

    def proxy_metrics(self):
        return status(self.admin_port, '/metrics')[1]

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


if __name__ == '__main__':
    main()
