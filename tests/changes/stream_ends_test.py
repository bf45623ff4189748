"""How a client sees its TCP session end: in order, or by a reset (docs/streams-guide.md)."""
import contextlib
import pathlib
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, wait_until  # noqa: E402

ENDED, RESET = 'ended', 'reset'


class Ends(TestCase):
    number = 63

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.start_echo(13)
        cls.closing = contextlib.ExitStack()
        cls.serve(15, resets=True)
        cls.serve(16, resets=False)

    @classmethod
    def tearDownClass(cls):
        cls.closing.close()
        super().tearDownClass()

    @classmethod
    def serve(cls, host, resets):
        """A server that reads once and then closes, or resets."""
        listener = cls.closing.enter_context(socket.create_server((f'10.245.{cls.number}.{host}',
                                                                   7000)))

        def work():
            with contextlib.suppress(OSError):  # closed at the end of the test
                while True:
                    connection = listener.accept()[0]
                    connection.recv(10)
                    if resets:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                              struct.pack('ii', 1, 0))
                    connection.close()
        threading.Thread(target=work, daemon=True).start()

    def open_port(self, port, host, target=7000, **more):
        name = f's-{port}'
        self.service(name, [host] if host else [], target=target)
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name, 'listeners': [{'name': 'main', 'port': port}],
                      'rules': [{'backends': [{'service': {'name': name, 'port': 80}}]}], **more}})

        def is_open():
            with contextlib.suppress(OSError):
                socket.create_connection((self.address, port), 5).close()
                return True
        wait_until(f'port {port} is open', is_open)

    def sees(self, port, sent):
        """(how it ended, after how many seconds) of a client that sends this and reads."""
        with socket.create_connection((self.address, port), 5) as stream:
            stream.settimeout(20)
            began = time.monotonic()
            how = ENDED
            try:
                if sent:
                    stream.sendall(sent)
                while stream.recv(100):
                    pass
            except ConnectionError:
                how = RESET
            return how, time.monotonic() - began

    def logged(self, status, at_least):
        wait_until(f'{at_least} sessions with status {status} are in the log', lambda:
                   self.proxy.text().count(f' TCP {status} ') >= at_least)

    def test_times_end_a_session_in_order(self):
        self.open_port(6301, 13, timeouts={'idle': '1s'})
        self.open_port(6302, 13, timeouts={'maxSession': '1s'})
        for port in (6301, 6302):
            for sent in (b'', b'x'):
                how, seconds = self.sees(port, sent)
                self.assertEqual(how, ENDED, port)
                self.assertGreater(seconds, 0.9)

    def test_who_is_refused_reads_the_end_if_nothing_was_sent(self):
        self.open_port(6303, 13, access={'deny': ['0.0.0.0/0']})
        self.open_port(6305, 14, target=7001)
        self.open_port(6306, None)
        for port in (6303, 6305, 6306):
            how, seconds = self.sees(port, b'')
            self.assertEqual(how, ENDED, port)
            self.assertLess(seconds, 10)
            # With bytes that nobody has read it may be either, as the kernel has it; but at once.
            self.assertLess(self.sees(port, b'x')[1], 10)
        self.logged(403, 2)
        self.logged(502, 4)

    def test_an_endpoints_end_and_reset_are_passed_on_as_they_are(self):
        self.open_port(6307, 15)
        self.open_port(6308, 16)
        self.assertEqual(self.sees(6307, b'x')[0], RESET)
        self.assertEqual(self.sees(6308, b'x')[0], ENDED)


if __name__ == '__main__':
    main()
