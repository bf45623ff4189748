"""The life and end of TCP sessions on a real API server: drain rules, timeouts, bandwidth, and why a
session ended in the log and in the metric."""
import pathlib
import socket
import sys
import time
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, status, wait_until  # noqa: E402


class Sessions(TestCase):
    number = 18

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        for host in (21, 22):
            cls.start_echo(host)

    def tcp_service(self, name, port, service, **more):
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name,
                      'listeners': [{'name': 'main', 'port': port}],
                      'rules': [{'backends': [{'service': {'name': service, 'port': 80}}]}],
                      'accessLog': {'format': 'JSON'}, **more}})

    def open(self, port):
        """A session that has carried something."""
        def connected():
            try:
                client = socket.create_connection((self.address, port), 5)
            except OSError:
                return None
            try:
                client.sendall(b'hello')
                if client.recv(5) == b'hello':
                    return client
            except OSError:
                pass
            client.close()
            return None
        return wait_until(f'port {port} answers', connected)

    def is_open(self, client):
        try:
            client.sendall(b'x')
            return client.recv(1) == b'x'
        except OSError:
            return False

    def ended(self, name, reason):
        text = status(self.admin_port, '/metrics')[1]
        return sum(float(line.rsplit(' ', 1)[1]) for line in text.splitlines()
                   if line.startswith('penstock_stream_sessions_total{')
                   and f'namespace="{self.name}",name="{name}",reason="{reason}"' in line)

    def wait_ended(self, name, reason, number=1):
        wait_until(f'{number} of {name} ended with {reason}',
                   lambda: self.ended(name, reason) == number)

    def test_sessions_stay_with_an_endpoint_that_is_gone(self):
        self.service('keep', [21], target=7000)
        self.tcp_service('keep', 1801, 'keep')
        client = self.open(1801)
        self.endpoints('keep', [22], 7000)
        time.sleep(1)
        self.assertTrue(self.is_open(client))
        client.close()
        self.wait_ended('keep', 'client_closed')

    def test_sessions_end_with_their_endpoint(self):
        self.service('close', [21], target=7000)
        self.tcp_service('close', 1811, 'close', drain={'onEndpointRemoval': 'Close'})
        client = self.open(1811)
        self.endpoints('close', [21, 22], 7000)
        self.assertTrue(self.is_open(client), 'one more endpoint ends nothing')
        self.endpoints('close', [22], 7000)
        wait_until('the session has ended', lambda: not self.is_open(client))
        self.wait_ended('close', 'endpoint_removed')
        wait_until('its line says so', lambda: '"reason":"endpoint_removed"' in self.proxy.text())

    def test_or_some_time_later(self):
        self.service('later', [21], target=7000)
        self.tcp_service('later', 1821, 'later',
                         drain={'onEndpointRemoval': 'CloseAfter', 'after': '2s'})
        client = self.open(1821)
        self.endpoints('later', [22], 7000)
        begun = time.monotonic()
        wait_until('the session has ended', lambda: not self.is_open(client))
        self.assertGreater(time.monotonic() - begun, 1.5)
        self.wait_ended('later', 'endpoint_removed')

    def test_sessions_end_with_the_object(self):
        self.service('spec', [21], target=7000)
        self.tcp_service('spec', 1831, 'spec', drain={'onSpecChange': 'Close'})
        client = self.open(1831)
        self.tcp_service('spec', 1831, 'spec', drain={'onSpecChange': 'Close'},
                         timeouts={'clientIdle': '1s', 'upstreamIdle': '20s', 'halfClose': '5s'})
        self.wait_ended('spec', 'spec_changed')
        client.close()
        self.open(1831)
        self.wait_ended('spec', 'client_idle_timeout')
        self.open(1831)
        self.cluster.delete('TCPService', 'spec', self.name)
        self.wait_ended('spec', 'port_closed')

    def test_bandwidth(self):
        self.service('slow', [21], target=7000)
        self.tcp_service('slow', 1841, 'slow', limits={'downloadBytesPerSecond': 100000})
        client = self.open(1841)
        begun = time.monotonic()
        client.sendall(b'x' * 300000)
        missing = 300000
        while missing:
            missing -= len(client.recv(65536))
        self.assertGreater(time.monotonic() - begun, 1.5)

    def test_failures_have_an_error_line(self):
        self.service('dead', [29], target=7000)
        self.tcp_service('dead', 1851, 'dead')
        def refused():
            try:
                with socket.create_connection((self.address, 1851), 5) as client:
                    return client.recv(1) == b''
            except OSError:
                return False
        wait_until('the port is open', refused)
        wait_until('an error line', lambda: f'TCPService {self.name}/dead: TCP session: connect_' in
                   self.proxy.text())
        line = next(line for line in self.proxy.text().splitlines() if '/dead: TCP session' in line)
        for part in ('stream=tcp/1851', 'side=upstream', 'phase=connecting', 'errno=',
                     f'upstream=10.245.{self.number}.29:7000', f'server={self.address}:1851'):
            self.assertIn(part, line)

    def test_the_api_server_refuses_what_cannot_be_meant(self):
        def refused(expected, **spec):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.tcp_service('bad', 1861, 'bad', **spec)
            self.assertIn(expected, caught.exception.read().decode())
        refused('CloseAfter needs after', drain={'onEndpointRemoval': 'CloseAfter'})
        refused('Unsupported value', drain={'onSpecChange': 'Maybe'})
        refused('should match', drain={'onEndpointRemoval': 'CloseAfter', 'after': 'soon'})
        refused('should match', timeouts={'halfClose': '5 seconds'})
        refused('greater than or equal to 1024', limits={'uploadBytesPerSecond': 1})


if __name__ == '__main__':
    main()
