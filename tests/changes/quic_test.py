"""QUIC connections through a UDPService with two servers, whose clients' ports change again and
again: with hashKey QUICConnectionID each goes on with its server."""
import asyncio
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, wait_until  # noqa: E402
try:
    from quic_peers import Servers, connection  # noqa: E402
except ImportError as missing:
    print(f'SKIPPED: no aioquic, see tests/support/install-test-deps.sh: {missing}', file=sys.stderr)
    sys.exit(77)
from real_servers import make_certificate  # noqa: E402

HOSTS = {'one': 11, 'two': 12}
PORT = 8443
CONNECTIONS = 24
CHANGES = 3
LONGEST_ANSWER = 15
LONGEST_SILENCE = 3  # of a connection that is lost
IDLE_TIMEOUT = 2  # of the proxy's session in one test; the id is known for as long again


class Quic(TestCase):
    number = 83

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.certificate, key = make_certificate(pathlib.Path(cls.folder), 'quic', cls.address)
        cls.servers = Servers(cls.certificate, key)
        for name, host in HOSTS.items():
            cls.servers.start(name, cls.host(host), PORT)

    @classmethod
    def tearDownClass(cls):
        cls.servers.stop()
        super().tearDownClass()

    @classmethod
    def host(cls, last):
        return f'10.245.{cls.number}.{last}'

    def open_port(self, port, hash_key, **session):
        name = f'quic-{port}'
        self.service(name, HOSTS.values(), protocol='UDP', target=PORT, ports=[
            {'port': PORT, 'targetPort': PORT, 'protocol': 'UDP'}])
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'UDPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name, 'listeners': [{'name': 'main', 'port': port}],
                      'backends': [{'service': {'name': name, 'port': PORT}}],
                      'loadBalancing': {'algorithm': 'Hash', 'hashKey': hash_key},
                      'session': session}})
        wait_until(f'UDP port {port} is open', lambda: subprocess.run(
            ['ss', '-Hlun', f'sport = {port}'], capture_output=True, text=True, check=True).stdout)

    def connect(self, port):
        return connection((self.address, port), self.host(20), self.certificate)

    async def visit(self, port, longest_answer=LONGEST_ANSWER, silence=0):
        """The servers that have answered one connection; the last one is None where there is no
        answer any more."""
        async with self.connect(port) as (client, translation):
            answered = [await client.ask('in the beginning', LONGEST_ANSWER)]
            for i in range(CHANGES):
                await asyncio.sleep(silence)
                await translation.rebind()
                try:
                    answered.append(await client.ask(f'{i} ' * 2000, longest_answer))
                except (asyncio.TimeoutError, ConnectionError):
                    return answered + [None]
            return answered

    def visits(self, port, **how):
        async def all_at_once():
            return await asyncio.gather(*(self.visit(port, **how) for _ in range(CONNECTIONS)))
        return asyncio.run(all_at_once())

    def check_all_stayed(self, visits):
        for answered in visits:
            self.assertEqual(len(set(answered)), 1, 'one server, and one connection')
            self.assertEqual(len(answered), 1 + CHANGES)
            number = answered[0][1]
            self.assertGreater(len(self.servers.clients[number]), CHANGES,
                               'the server has seen the client come from each place')
        self.assertEqual({answered[0][0] for answered in visits}, set(HOSTS), 'both have some')

    def test_a_connection_stays_with_its_server(self):
        self.open_port(8301, 'QUICConnectionID')
        self.check_all_stayed(self.visits(8301))

    def test_it_stays_after_its_session(self):
        """A client that was silent for so long that nobody on the way remembers its address."""
        self.open_port(8302, 'QUICConnectionID', idleTimeout=f'{IDLE_TIMEOUT}s')
        self.check_all_stayed(self.visits(8302, silence=1.25 * IDLE_TIMEOUT))

    def test_it_is_lost_where_the_port_is_the_key(self):
        self.open_port(8303, 'SourceIPPort')
        visits = self.visits(8303, longest_answer=LONGEST_SILENCE)
        self.assertGreater(sum(answered[-1] is None for answered in visits), CONNECTIONS / 4)


if __name__ == '__main__':
    main()
