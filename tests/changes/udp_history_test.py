"""UDP sessions: 5,000 at once; and over random histories: clients that come and send, endpoints and
settings that change. What must hold after each step is kept by a model of the session table."""
import contextlib
import os
import pathlib
import random
import select
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, status, wait_until  # noqa: E402

PORT = 6401
ENDPOINTS = range(11, 16)
STEPS = 1500
SESSIONS = 5000
SCRAPE = 1  # the descriptor of who asks for the metrics
LONGEST_ANSWER = 5


class Client:
    """A socket, and what the model knows of its session."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((address, PORT))
        self.socket.settimeout(LONGEST_ANSWER)
        self.endpoint = None   # that its session has; None: it has none, or one that has left
        self.has_session = False
        self.sent = 0

    def ask(self, text):
        """Who has answered this; the answer must be to this and come once."""
        self.sent += 1
        asked = f'{self.sent} {text}'.encode()
        self.socket.send(asked)
        name, answered = self.socket.recv(2048).split(b' ', 1)
        assert answered == asked, (asked, answered)
        return int(name)

    def is_quiet(self):
        return not select.select([self.socket], [], [], 0)[0]


class UdpHistory(TestCase):
    number = 64

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.open_sockets = contextlib.ExitStack()
        cls.last_peer = None
        for host in ENDPOINTS:
            cls.serve(host)

    @classmethod
    def tearDownClass(cls):
        cls.open_sockets.close()
        super().tearDownClass()

    @classmethod
    def serve(cls, host):
        """Answers with its own name before what it was sent."""
        listener = cls.open_sockets.enter_context(
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        listener.bind((f'10.245.{cls.number}.{host}', 5000))

        def work():
            with contextlib.suppress(OSError):
                while True:
                    data, cls.last_peer = listener.recvfrom(2048)
                    listener.sendto(b'%d ' % host + data, cls.last_peer)
        threading.Thread(target=work, daemon=True).start()

    def metrics(self, name):
        start = f'penstock_stream_{name}{{stream="udp/{PORT}"'
        return sum(float(line.rsplit(' ', 1)[1]) for line in
                   status(self.admin_port, '/metrics')[1].splitlines() if line.startswith(start))

    def version(self):
        return self.metric('penstock_snapshot_version', self.admin_port)

    def apply_service(self, idle, algorithm, **session):
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'UDPService',
             'metadata': {'name': 'names', 'namespace': self.name},
             'spec': {'ingressClassName': self.name, 'listeners': [{'name': 'main', 'port': PORT}],
                      'backends': [{'service': {'name': 'names', 'port': 5000}}],
                      'loadBalancing': {'algorithm': algorithm},
                      'session': {'idleTimeout': idle, 'maxSessions': 1000, **session}}})

    def change(self, what, *arguments):
        """A change, as soon as all workers serve it."""
        before = self.version()
        what(*arguments)
        wait_until(f'{what.__name__} {arguments} is live', lambda: self.version() > before)

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.proxy.popen.pid}/fd'))

    def wait_given_back(self, before):
        """Every session has had a descriptor."""
        wait_until(f'descriptors are given back: {before} before',
                   lambda: self.descriptors() <= before + SCRAPE)

    def test_5000_sessions_at_once(self):
        before = self.descriptors()
        self.service('names', [11], protocol='UDP', target=5000, ports=[
            {'port': 5000, 'targetPort': 5000, 'protocol': 'UDP'}])
        self.apply_service('10m', 'RoundRobin', maxSessions=SESSIONS + 10)
        wait_until('the port is open', self.is_served)
        begun = self.metrics('sessions_active')
        with contextlib.ExitStack() as sockets:
            clients = [Client(self.address) for _ in range(SESSIONS)]
            for client in clients:
                sockets.enter_context(client.socket)
            for _ in range(2):
                self.assertEqual({client.ask('') for client in clients}, {11})
            self.assertEqual(self.metrics('sessions_active'), begun + SESSIONS)
            print(f'{SESSIONS} sessions, each answered twice; proxy '
                  f'{self.proxy.memory() >> 20} MiB, {self.descriptors()} descriptors', flush=True)
        self.cluster.delete('UDPService', 'names', self.name)
        wait_until('all sessions have ended', lambda: self.metrics('sessions_active') == 0)
        self.wait_given_back(before)

    def set_endpoints(self, hosts):
        self.endpoints('names', hosts, 5000, 'UDP')

    def test_random_histories(self):
        seed = int(os.environ.get('SEED') or random.randrange(1 << 32))
        print(f'SEED={seed}', flush=True)
        chance = random.Random(seed)
        before, ended = self.descriptors(), self.metrics('sessions_total')
        self.ready = set(chance.sample(ENDPOINTS, 3))
        self.service('names', protocol='UDP', target=5000, ports=[
            {'port': 5000, 'targetPort': 5000, 'protocol': 'UDP'}])
        self.set_endpoints(sorted(self.ready))
        self.apply_service('10m', 'RoundRobin')
        wait_until('the port is open', self.is_served)
        self.clients, self.changes = [], 0
        self.active = self.metrics('sessions_active')
        self.begun = max(self.active, self.metrics('sessions_total') - ended)
        for step in range(STEPS):
            try:
                self.step(chance)
            except Exception as error:
                raise AssertionError(f'SEED={seed}, step {step}: {error!r}') from error
        print(f'{STEPS} steps, {self.changes} changes, {len(self.clients)} clients, '
              f'{self.begun:.0f} sessions begun', flush=True)
        self.finish(before, ended)

    def is_served(self):
        client = Client(self.address)
        with client.socket, contextlib.suppress(OSError):
            client.socket.settimeout(0.2)
            return client.ask('first')

    def step(self, chance):
        kind = chance.choices(('new', 'send', 'endpoints', 'settings', 'stranger'),
                              (15, 70, 3, 1, 5))[0]
        if kind == 'new' and len(self.clients) < 400 or not self.clients:
            self.clients.append(Client(self.address))
            self.send(self.clients[-1], chance)
        elif kind in ('new', 'send'):
            self.send(chance.choice(self.clients), chance)
        elif kind == 'endpoints':
            # A session whose endpoint goes moves with its next datagram.
            wanted = set(chance.sample(ENDPOINTS, chance.randint(1, len(ENDPOINTS))))
            if wanted != self.ready:
                self.change(self.set_endpoints, sorted(wanted))
                self.ready = wanted
                self.changes += 1
                # Also one that comes back later: that is another one by then.
                for client in self.clients:
                    client.endpoint = client.endpoint if client.endpoint in wanted else None
        elif kind == 'settings':
            self.changes += 1
            self.change(self.apply_service, f'{10 + self.changes}m',
                        chance.choice(('RoundRobin', 'LeastConnections', 'Random2')))
        else:
            self.spoof(chance)

    def send(self, client, chance):
        text = 'x' * chance.choice((0, 1, 100, 1400))
        for _ in range(chance.choice((1, 1, 3))):
            answered = client.ask(text)
            if client.endpoint:
                assert answered == client.endpoint, (
                    f'its endpoint {client.endpoint} is there, but {answered} answers')
            else:
                assert answered in self.ready, f'{answered} answers, not one of {self.ready}'
                self.begun += 1
                self.active += not client.has_session
            client.endpoint, client.has_session = answered, True

    def spoof(self, chance):
        """Somebody else sends to the port that a session has towards its endpoint: in vain."""
        client = chance.choice(self.clients)
        self.send(client, chance)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            with contextlib.suppress(ConnectionRefusedError):
                stranger.sendto(b'99 not yours', self.last_peer)
        self.send(client, chance)  # an answer that is not to this would be seen
        assert client.is_quiet(), 'it got more than it has asked for'

    def finish(self, before, ended):
        """The table is what the model says; with the port's object everything goes."""
        for client in self.clients:
            self.assertTrue(client.is_quiet())
        self.assertEqual(self.metrics('sessions_active'), self.active)
        self.cluster.delete('UDPService', 'names', self.name)
        wait_until('all sessions have ended', lambda: self.metrics('sessions_active') == 0)
        wait_until('each has been counted once',
                   lambda: self.metrics('sessions_total') == ended + self.begun)
        self.wait_given_back(before)
        for client in self.clients:
            client.socket.close()


if __name__ == '__main__':
    main()
