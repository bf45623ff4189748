"""Balancing and health of streams on a real API server, with real servers behind."""
import pathlib
import signal
import socket
import subprocess
import sys
import unittest
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from dns_client import Resolver, query, start_dnsmasq  # noqa: E402
from penstock_testing import TestCase, main, status, wait_until  # noqa: E402

GRPC_SERVER = '''
import sys
from concurrent import futures
import grpc
serving = b"\\x08\\x01"
def check(request, context):
    return serving if request == b"\\x0a\\x02db" else b"\\x08\\x03"
class Handlers(grpc.GenericRpcHandler):
    def service(self, call):
        if call.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(check)
        return None
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((Handlers(),))
server.add_insecure_port(sys.argv[1])
server.start()
server.wait_for_termination()
'''


class Health(TestCase):
    number = 76

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.servers = []

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.send_signal(signal.SIGCONT)
            server.kill()
            server.wait()
        super().tearDownClass()

    @classmethod
    def host(cls, last):
        return f'10.245.{cls.number}.{last}'

    def start(self, *command):
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.servers.append(server)
        return server

    def start_redis(self, last):
        server = self.start('redis-server', '--bind', self.host(last), '--port', '6379', '--save',
                            '', '--appendonly', 'no', '--protected-mode', 'no')
        wait_until('redis answers', lambda: self.says(self.host(last), 6379, b'PING\r\n', b'+PONG'))
        return server

    @staticmethod
    def says(address, port, sent, expected, timeout=1):
        try:
            with socket.create_connection((address, port), timeout) as stream:
                stream.sendall(sent)
                return stream.recv(100).startswith(expected)
        except OSError:
            return False

    def stream(self, kind, name, port, backend, backend_port, **more):
        backends = [{'service': {'name': backend, 'port': backend_port}}]
        spec = {'ingressClassName': self.name, 'listeners': [{'name': 'a', 'port': port}], **more}
        spec |= {'rules': [{'backends': backends}]} if kind == 'TCPService' else {'backends': backends}
        self.cluster.apply({'apiVersion': 'penstock.dev/v1alpha1', 'kind': kind,
                            'metadata': {'name': name, 'namespace': self.name}, 'spec': spec})

    def refused(self, kind='TCPService', **more):
        """What the API server says."""
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.stream(kind, 'refused', 7699, 'nothing', 80, **more)
        self.assertEqual(caught.exception.code, 422)
        return caught.exception.read().decode()

    def condition(self, kind, name):
        found = self.cluster.get(kind, name, self.name).get('status', {})
        for each in found.get('conditions', []):
            if each['type'] == 'BackendsHealthy':
                return found['backends'], each['reason'], each['message']
        return '', '', ''

    def wait_healthy(self, kind, name, backends, reason):
        return wait_until(f'{name}: {backends} {reason}', lambda: (
            (found := self.condition(kind, name))[:2] == (backends, reason)) and found)[2]

    def healthy(self, upstream, endpoint):
        line = f'penstock_upstream_endpoint_healthy{{upstream="{upstream}",endpoint="{endpoint}"}} '
        for each in status(self.admin_port, '/metrics')[1].splitlines():
            if each.startswith(line):
                return int(each[len(line):])
        return None

    def test_a_server_that_hangs_is_left_alone_until_it_answers(self):
        """It is stopped, not killed: the kernel still accepts connections for it."""
        first, second = self.start_redis(21), self.start_redis(22)
        self.service('redis', [21, 22], port=6379, target=6379)
        self.stream('TCPService', 'redis', 7601, 'redis', 6379, health={'active': {
            'type': 'SendExpect', 'sendHex': '50494e470d0a', 'expectRegex': r'^\+PONG',
            'interval': '200ms', 'timeout': '200ms', 'fails': 2, 'passes': 2}})
        upstream = f'tcpservice/{self.name}/redis/redis/6379'
        self.wait_healthy('TCPService', 'redis', '2/2', 'EndpointsReady')
        first.send_signal(signal.SIGSTOP)
        wait_until('the metric says so', lambda: self.healthy(upstream, self.host(21) + ':6379') == 0)
        self.assertEqual(self.healthy(upstream, self.host(22) + ':6379'), 1)
        for _ in range(30):
            self.assertTrue(self.says(self.address, 7601, b'PING\r\n', b'+PONG'))
        self.wait_healthy('TCPService', 'redis', '1/2', 'EndpointsReady')
        second.send_signal(signal.SIGSTOP)
        said = self.wait_healthy('TCPService', 'redis', '0/2', 'AllUnhealthy')
        self.assertIn(f'{self.host(21)}:6379: answer: nothing within 200ms', said)
        for server in (first, second):
            server.send_signal(signal.SIGCONT)
        self.wait_healthy('TCPService', 'redis', '2/2', 'EndpointsReady')
        wait_until('it is asked again', lambda: self.healthy(upstream, self.host(21) + ':6379') == 1)

    def test_udp_servers_are_asked_a_question(self):
        servers = [start_dnsmasq(self.host(31 + i), 53, f'one.test=192.0.2.{i}') for i in range(2)]
        self.servers.extend(servers)
        self.service('dns', [31, 32], target=53, protocol='UDP',
                     ports=[{'port': 53, 'targetPort': 53, 'protocol': 'UDP'}])
        self.stream('UDPService', 'dns', 7611, 'dns', 53, session={'maxResponses': 1}, health={
            'active': {'type': 'SendExpect', 'sendHex': query('one.test').hex(),
                       'expectRegex': r'\xc0\x00\x02', 'interval': '200ms', 'timeout': '200ms'}})
        self.wait_healthy('UDPService', 'dns', '2/2', 'EndpointsReady')
        servers[0].send_signal(signal.SIGSTOP)
        upstream = f'udpservice/{self.name}/dns/dns/53'
        wait_until('it is down', lambda: self.healthy(upstream, self.host(31) + ':53') == 0)
        for _ in range(20):
            resolver = Resolver(self.address, 7611)
            self.assertEqual(resolver.ask('one.test', 1), ['192.0.2.1'])
            resolver.close()
        servers[0].send_signal(signal.SIGCONT)
        wait_until('it is up', lambda: self.healthy(upstream, self.host(31) + ':53') == 1)

    @unittest.skipUnless(subprocess.run(['/usr/bin/python3', '-c', 'import grpc'],
                                        capture_output=True).returncode == 0, 'no python3-grpcio')
    def test_a_grpc_server_says_how_its_service_is(self):
        self.start('/usr/bin/python3', '-c', GRPC_SERVER, self.host(41) + ':50051')
        self.service('grpc', [41], port=50051, target=50051)
        active = {'type': 'GRPC', 'service': 'db', 'interval': '200ms', 'fails': 1, 'passes': 1}
        self.stream('TCPService', 'grpc', 7621, 'grpc', 50051, health={'active': active})
        self.wait_healthy('TCPService', 'grpc', '1/1', 'EndpointsReady')
        upstream = f'tcpservice/{self.name}/grpc/grpc/50051'
        passed = (f'penstock_upstream_health_checks_total{{upstream="{upstream}",endpoint="'
                  f'{self.host(41)}:50051",result="passed"}} ')
        wait_until('a check has passed', lambda: any(
            each.startswith(passed) and not each.endswith(' 0')
            for each in status(self.admin_port, '/metrics')[1].splitlines()))
        self.stream('TCPService', 'grpc', 7621, 'grpc', 50051,
                    health={'active': active | {'service': 'cache'}})
        said = self.wait_healthy('TCPService', 'grpc', '0/1', 'AllUnhealthy')
        self.assertIn('serving status 3, expected 1 (SERVING)', said)

    def test_http_is_judged_by_its_status(self):
        self.start_backend('one', 51)
        self.service('web', [51])
        active = {'type': 'HTTP', 'path': '/ready', 'status': '200', 'interval': '200ms'}
        self.stream('TCPService', 'web', 7631, 'web', 80, health={'active': active})
        self.wait_healthy('TCPService', 'web', '1/1', 'EndpointsReady')
        self.stream('TCPService', 'web', 7631, 'web', 80,
                    health={'active': active | {'status': '500-599'}})
        said = self.wait_healthy('TCPService', 'web', '0/1', 'AllUnhealthy')
        self.assertIn('status 200, expected 500 to 599', said)
        # Where all fail, all are tried.
        self.assertTrue(self.says(self.address, 7631, b'GET / HTTP/1.1\r\nHost: a\r\n\r\n', b'HTTP/1.1 200'))

    def test_the_api_server_refuses_what_has_no_meaning(self):
        for message, more in (
                ('SendExpect needs one of expect and expectRegex',
                 {'health': {'active': {'type': 'SendExpect', 'send': 'x'}}}),
                ('other types none', {'health': {'active': {'type': 'Connect', 'expect': 'x'}}}),
                ('one of send and sendHex',
                 {'health': {'active': {'type': 'SendExpect', 'send': 'x', 'sendHex': '00',
                                        'expect': 'x'}}}),
                ('path and status only with HTTP',
                 {'health': {'active': {'type': 'TLS', 'path': '/'}}}),
                ('service only with GRPC', {'health': {'active': {'type': 'HTTP', 'service': 'a'}}}),
                ('host only with', {'health': {'active': {'type': 'Connect', 'host': 'a'}}}),
                ('Unsupported value', {'health': {'active': {'type': 'ICMPUnreachable'}}}),
                ('boundedLoadPercent only with a hash algorithm',
                 {'loadBalancing': {'algorithm': 'Random', 'boundedLoadPercent': 125}}),
                ('hashKey only with Hash',
                 {'loadBalancing': {'algorithm': 'SourceIPHash', 'hashKey': 'SourceIPPort'}}),
                ('slowStart not with a hash algorithm',
                 {'loadBalancing': {'algorithm': 'Hash', 'slowStart': '1m'}})):
            self.assertIn(message, self.refused(**more), more)
        self.assertIn('Unsupported value', self.refused(
            'UDPService', health={'active': {'type': 'HTTP'}}))


if __name__ == '__main__':
    main()
