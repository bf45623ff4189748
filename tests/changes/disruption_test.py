"""What goes away and comes back, while requests flow: the API server, its history, the controller,
the proxy, name servers."""
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import Load, TestCase, main, status, wait_until  # noqa: E402


class Restarts(TestCase):
    number = 21

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.start_backend('one', 11)
        cls.start_backend('two', 12)

    def setUp(self):
        self.service('web', [11])
        self.ingress('web', ('web.test', [('Prefix', '/', 'web')]))
        self.wait_answer('web.test', server='one')

    def test_api_server_restarted(self):
        restarts = self.metric('penstock_controller_watch_total')
        with Load(self, 'web.test') as load:
            self.cluster.ctl('kill', 'apiserver')
            wait_until('the metric says since when', lambda: self.metric(
                'penstock_controller_api_disconnected_since_seconds') > 0)
            self.assertEqual(status(self.status_port, '/readyz')[0], 200)
            self.cluster.ctl('start', 'apiserver')
            self.cluster.wait_ready()
            self.endpoints('web', [12])
            self.wait_answer('web.test', server='two')
        self.assertEqual(load.failures, [])
        self.assertGreater(self.metric('penstock_controller_watch_total'), restarts)
        wait_until('the watches stand again', lambda: self.metric(
            'penstock_controller_api_disconnected_since_seconds') == 0)

    def test_compacted_history_is_listed_again(self):
        """The watches are cut while etcd forgets what they have seen: 410 Gone."""
        with Load(self, 'web.test') as load:
            self.controller.popen.send_signal(signal.SIGSTOP)
            self.endpoints('web', [12])
            # In this order there is an Ingress for the host at every moment.
            self.ingress('web2', ('web.test', [('Prefix', '/', 'web')]))
            self.cluster.delete('Ingress', 'web', self.name)
            for i in range(20):
                self.config('noise', number=str(i))
            self.cluster.ctl('kill', 'apiserver')
            self.compact()
            self.cluster.ctl('start', 'apiserver')
            self.cluster.wait_ready()
            self.controller.popen.send_signal(signal.SIGCONT)
            self.wait_answer('web.test', server='two')
        self.assertEqual(load.failures, [])
        self.cluster.delete('Ingress', 'web2', self.name)
        self.wait_answer('web.test', expected=404)

    def compact(self):
        """Drops etcd's whole history before now, by its JSON gateway."""
        import json
        import urllib.request

        def post(path, body):
            request = urllib.request.Request('http://127.0.0.1:2379' + path,
                                             json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read())
        revision = post('/v3/kv/range', {'key': 'YQ=='})['header']['revision']
        post('/v3/kv/compaction', {'revision': revision, 'physical': True})

    def test_controller_killed(self):
        with Load(self, 'web.test') as load:
            self.controller.kill()
            self.endpoints('web', [12])
            time.sleep(0.5)
            self.assertEqual(load.servers, {b'server one'}, 'the last good state serves')
            self.controller.start()
            self.wait_answer('web.test', server='two')
        self.assertEqual(load.failures, [])

    def test_proxy_restarted_without_a_controller(self):
        self.certificate('kept', 'kept.test')
        self.ingress('kept', ('kept.test', [('Prefix', '/', 'web')]),
                     tls=[{'hosts': ['kept.test'], 'secretName': 'kept'}])
        self.wait_answer('kept.test', tls=True, server='one')
        wait_until('its certificate is live', lambda: 'kept' in subprocess.run(
            ['openssl', 'x509', '-noout', '-subject'], input=self.presented('kept.test'),
            capture_output=True, text=True).stdout)
        self.controller.kill()
        self.proxy.kill()
        self.assertIsNone(self.ask('web.test'))
        self.assertEqual(os.stat(self.folder + '/state').st_mode & 0o777, 0o600)
        self.proxy.start()
        self.wait_answer('web.test', server='one')
        self.wait_answer('kept.test', tls=True, server='one')
        self.assertNotIn('PRIVATE KEY', self.proxy.text() + self.controller.text())
        self.controller.start()
        self.wait_serving()
        self.endpoints('web', [12])
        self.wait_answer('web.test', server='two')

    def test_sigterm_drains(self):
        """A request under way is answered, a new connection is not taken."""
        answers = []
        slow = threading.Thread(target=lambda: answers.append(
            self.ask('web.test', '/delay/1500', timeout=20)))
        slow.start()
        time.sleep(0.5)
        self.proxy.popen.send_signal(signal.SIGTERM)
        wait_until('no new connection is taken', lambda: self.ask('web.test', timeout=1) is None)
        slow.join()
        self.assertEqual(answers[0].status, 200)
        self.assertEqual(answers[0].headers['Connection'], 'close')
        self.assertEqual(self.proxy.popen.wait(10), 0)
        self.proxy.start()
        self.wait_answer('web.test')

    def tcp_stream(self, port, host, target):
        """A connection through a TCP port, once it is open."""
        self.service(f'tcp{port}', [host], port=target, target=target)
        self.config('tcp', **{str(port): f'{self.name}/tcp{port}:{target}'})

        def connect():
            try:
                return socket.create_connection((self.address, port), 5)
            except OSError:
                return None
        return wait_until('the port is open', connect)

    def test_a_reset_is_passed_on_as_a_reset(self):
        server = socket.create_server(('10.245.21.31', 7100))
        stream = self.tcp_stream(2131, 31, 7100)
        inside, _ = server.accept()
        stream.sendall(b'hello')
        self.assertEqual(inside.recv(5), b'hello')
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        stream.close()
        inside.settimeout(10)
        with self.assertRaises(ConnectionResetError):
            inside.recv(1)
        server.close()

    def test_streams_end_with_the_shutdown_timeout(self):
        self.config('settings', worker_shutdown_timeout='2s')
        server = socket.create_server(('10.245.21.32', 7100))
        stream = self.tcp_stream(2132, 32, 7100)
        inside, _ = server.accept()
        began = time.monotonic()
        self.proxy.popen.send_signal(signal.SIGTERM)
        time.sleep(1)
        stream.sendall(b'still')
        self.assertEqual(inside.recv(5), b'still', 'a stream goes on in a drain')
        self.assertEqual(self.proxy.popen.wait(10), 0)
        self.assertGreater(time.monotonic() - began, 1.8)
        self.cluster.delete('ConfigMap', 'settings', self.name)
        self.proxy.start()
        self.wait_answer('web.test')

    def test_sigusr1_opens_the_access_log_anew(self):
        path = pathlib.Path(self.folder) / 'access.log'
        self.config('settings', access_log_path=str(path))

        def logged(name):
            self.ask('web.test', '/' + name)
            return path.exists() and name in path.read_text()
        wait_until('lines go to the file', lambda: logged('first'))
        path.rename(path.with_suffix('.1'))
        self.proxy.popen.send_signal(signal.SIGUSR1)
        wait_until('lines go to a new file', lambda: logged('second'))
        self.cluster.delete('ConfigMap', 'settings', self.name)

    def test_a_second_sigterm_ends(self):
        slow = threading.Thread(target=lambda: self.ask('web.test', '/delay/20000', timeout=30))
        slow.start()
        time.sleep(0.5)
        self.proxy.popen.send_signal(signal.SIGTERM)
        wait_until('it drains', lambda: self.ask('web.test', timeout=1) is None)
        self.assertIsNone(self.proxy.popen.poll())
        self.proxy.popen.send_signal(signal.SIGTERM)
        self.assertEqual(self.proxy.popen.wait(5), 0)
        slow.join()
        self.proxy.start()
        self.wait_answer('web.test')


class NameServer(threading.Thread):
    """Answers A questions for one name from `address`, with `ttl`; silent while `is_away`."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.addresses = {}
        self.ttl = 2
        self.is_away = False
        self.asked = []

    def run(self):
        while True:
            question, peer = self.socket.recvfrom(512)
            labels, at = [], 12
            while question[at]:
                labels.append(question[at + 1:at + 1 + question[at]].decode())
                at += question[at] + 1
            name = '.'.join(labels).lower()
            self.asked.append(name)
            kind = struct.unpack('>H', question[at + 1:at + 3])[0]
            if self.is_away:
                continue
            address = self.addresses.get(name)
            answers = [address] if address and kind == 1 else []
            flags = 0x8180 if address else 0x8183
            reply = question[:2] + struct.pack('>HHHHH', flags, 1, len(answers), 0, 0)
            reply += question[12:at + 5]
            for each in answers:
                reply += struct.pack('>HHHIH', 0xc00c, 1, 1, self.ttl, 4) + socket.inet_aton(each)
            self.socket.sendto(reply, peer)


class Names(TestCase):
    number = 22
    starts_programs = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = NameServer('10.245.22.53')
        cls.server.start()
        cls.cluster.install_crds()
        conf = pathlib.Path(cls.folder) / 'resolv.conf'
        conf.write_text('nameserver 10.245.22.53\nsearch corp.test\noptions ndots:2 timeout:1\n')
        cls.start_controller('--resolv-conf', conf)
        cls.start_proxy()
        cls.wait_serving()
        cls.start_backend('one', 11)
        cls.start_backend('two', 12)
        cls.start_echo(13)

    def test_an_answer_that_changes_is_followed_at_its_ttl(self):
        self.server.addresses['app.corp.test'] = '10.245.22.11'
        self.service('app', externalName='app', type='ExternalName', port=80, target=8080)
        self.ingress('app', ('app.test', [('Prefix', '/', 'app')]))
        self.wait_answer('app.test', server='one')
        self.assertIn('app.corp.test', self.server.asked, 'the search list is honoured')
        with Load(self, 'app.test') as load:
            self.server.addresses['app.corp.test'] = '10.245.22.12'
            began = time.monotonic()
            self.wait_answer('app.test', server='two')
            self.assertLess(time.monotonic() - began, 6)
        self.assertEqual(load.failures, [])

    def test_a_stale_answer_stays_while_the_server_is_away(self):
        self.server.addresses['away.corp.test'] = '10.245.22.11'
        self.service('away', externalName='away', type='ExternalName', port=80, target=8080)
        self.ingress('away', ('away.test', [('Prefix', '/', 'away')]))
        self.wait_answer('away.test', server='one')
        self.server.is_away = True
        asked = len(self.server.asked)
        wait_until('it is asked again', lambda: len(self.server.asked) > asked + 3)
        self.assertEqual(self.ask('away.test').status, 200)
        self.server.is_away = False

    def test_host_backends_of_a_tcp_service(self):
        self.server.addresses['echo.corp.test'] = '10.245.22.13'
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': 'far', 'namespace': self.name},
             'spec': {'ingressClassName': self.name, 'listeners': [{'name': 'l', 'port': 2201}],
                      'rules': [{'backends': [{'host': {'name': 'echo', 'port': 7000}}]}]}})

        def echoes():
            try:
                with socket.create_connection((self.address, 2201), 2) as stream:
                    stream.sendall(b'hello')
                    return stream.recv(5) == b'hello'
            except OSError:
                return False
        wait_until('the host answers', echoes)


if __name__ == '__main__':
    main()
