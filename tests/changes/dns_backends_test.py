"""Backends by DNS name on a real API server, with dnsmasq: SRV records, IPv6, names without one."""
import pathlib
import shutil
import socket
import subprocess
import sys
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, wait_until  # noqa: E402


class DnsBackends(TestCase):
    number = 77
    starts_programs = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.dns = None
        cls.serve()
        conf = pathlib.Path(cls.folder) / 'resolv.conf'
        conf.write_text(f'nameserver 10.245.{cls.number}.53\noptions timeout:1\n')
        cls.start_controller('--resolv-conf', conf)
        cls.start_proxy()
        cls.wait_serving()
        cls.start_backend('one', 11, 7001)
        cls.start_backend('two', 12, 7002)

    @classmethod
    def tearDownClass(cls):
        cls.dns.kill()
        cls.dns.wait()
        super().tearDownClass()

    @classmethod
    def serve(cls, *records):
        """dnsmasq anew, with these."""
        if cls.dns:
            cls.dns.kill()
            cls.dns.wait()
        program = shutil.which('dnsmasq') or '/usr/sbin/dnsmasq'
        cls.dns = subprocess.Popen(
            [program, '--keep-in-foreground', '--no-resolv', '--no-hosts', '--bind-interfaces',
             '--conf-file=/dev/null', '--pid-file=', f'--listen-address=10.245.{cls.number}.53',
             '--user=root', '--local=/test/', '--local-ttl=1', *records],
            stderr=subprocess.DEVNULL)

    def host(self, name, port, /, **host):
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name, 'listeners': [{'name': 'a', 'port': port}],
                      'rules': [{'backends': [{'host': host}]}]}})

    def server_of(self, port):
        try:
            with socket.create_connection((self.address, port), 1) as stream:
                stream.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
                answer = b''
                while piece := stream.recv(4096):
                    answer += piece
            for line in answer.decode().splitlines():
                if line.startswith('server '):
                    return line[7:]
        except OSError:
            pass
        return None

    def reason(self, name):
        found = self.cluster.get('TCPService', name, self.name).get('status', {})
        for each in found.get('conditions', []):
            if each['type'] == 'ResolvedRefs':
                return each['reason']
        return None

    def test_srv_records_bring_ports_weights_and_priorities(self):
        hosts = [f'--host-record=a.test,10.245.{self.number}.11',
                 f'--host-record=b.test,10.245.{self.number}.12']
        service = '--srv-host=_web._tcp.app.test,'
        self.serve(*hosts, service + 'a.test,7001,10,3', service + 'b.test,7002,10,1')
        self.host('srv', 7701, name='_web._tcp.app.test')
        wait_until('it answers', lambda: self.server_of(7701))
        wait_until('both are known', lambda: {self.server_of(7701) for _ in range(8)} == {'one', 'two'})
        count = [self.server_of(7701) for _ in range(80)]
        # Exact over a period for each of two workers.
        self.assertTrue(50 <= count.count('one') <= 70, count.count('one'))
        self.serve(*hosts, service + 'a.test,7001,20,3', service + 'b.test,7002,10,1')
        wait_until('the lower priority has it alone', lambda: {
            self.server_of(7701) for _ in range(12)} == {'two'})

    def test_a_name_without_an_address_is_said(self):
        self.serve()
        self.host('absent', 7711, name='absent.test', port=7001)
        wait_until('the status says so', lambda: self.reason('absent') == 'DNSUnresolved')
        self.assertIsNone(self.server_of(7711))
        self.serve(f'--host-record=absent.test,10.245.{self.number}.11')
        wait_until('it answers', lambda: self.server_of(7711) == 'one')
        wait_until('and the status', lambda: self.reason('absent') == 'ResolvedRefs')

    def test_ipv6_is_asked_for_alone(self):
        self.serve(f'--host-record=both.test,10.245.{self.number}.11,2001:db8::7')
        self.host('six', 7721, name='both.test', port=7001, resolve='AAAA')
        wait_until('the address is known', lambda: '2001:db8::7' in subprocess.run(
            [str(pathlib.Path(self.proxy.arguments[0]).parent / 'penstock'), 'dump', '--socket',
             self.folder + '/socket'], capture_output=True, text=True).stdout)
        self.host('six', 7721, name='both.test', port=7001, resolve='A')
        wait_until('IPv4 answers', lambda: self.server_of(7721) == 'one')

    def test_the_api_server_refuses_what_has_no_meaning(self):
        for host in ({'name': 'a.test'}, {'name': '_a._tcp.test', 'port': 1},
                     {'name': 'a.test', 'resolve': 'SRV', 'port': 1}):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.host('refused', 7731, **host)
            self.assertIn('a port is needed, but for SRV records', caught.exception.read().decode())


if __name__ == '__main__':
    main()
