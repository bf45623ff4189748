"""QUIC servers and clients (aioquic), and a network address translation between them that gives a
client another port when it is told to."""
import asyncio
import collections
import contextlib
import os
import pathlib
import sys
import threading

CACHE = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache')
sys.path.insert(0, str(CACHE / 'penstock/aioquic'))  # tests/support/install-test-deps.sh
from aioquic.asyncio import QuicConnectionProtocol, serve  # noqa: E402
from aioquic.quic.configuration import QuicConfiguration  # noqa: E402
from aioquic.quic.connection import QuicConnection  # noqa: E402
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived  # noqa: E402

PROTOCOL = 'names'
LONGEST_HANDSHAKE = 20


class Servers:
    """QUIC servers in a thread of their own. Each answers what comes on a stream with its name and
    the number of the connection before it."""

    def __init__(self, certificate, key):
        self.configuration = QuicConfiguration(alpn_protocols=[PROTOCOL], is_client=False)
        self.configuration.load_cert_chain(certificate, key)
        self.connections = 0
        self.clients = {}  # by the number of a connection: the addresses that it came from
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def start(self, name, address, port):
        servers = self

        class Protocol(QuicConnectionProtocol):
            def __init__(self, *arguments, **more):
                super().__init__(*arguments, **more)
                servers.connections += 1
                self.number = servers.connections
                self.clients = servers.clients[self.number] = set()
                self.parts = collections.defaultdict(bytes)

            def datagram_received(self, data, address):
                self.clients.add(address)
                super().datagram_received(data, address)

            def quic_event_received(self, event):
                if not isinstance(event, StreamDataReceived):
                    return
                self.parts[event.stream_id] += event.data
                if event.end_stream:
                    answer = f'{name} {self.number} '.encode() + self.parts.pop(event.stream_id)
                    self._quic.send_stream_data(event.stream_id, answer, end_stream=True)
                    self.transmit()
        started = serve(address, port, configuration=self.configuration, create_protocol=Protocol)
        asyncio.run_coroutine_threadsafe(started, self.loop).result(10)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


TAKEN_PORTS = []  # sockets that stay open as long as this process


class Translation(asyncio.DatagramProtocol):
    """Between one client and a server: what the server sees is a port of ours, which `rebind`
    changes, as a router does that has forgotten the client."""

    def __init__(self, server):
        self.server = server
        self.client = None
        self.outside = None

    async def start(self, address):
        loop = asyncio.get_running_loop()
        self.inside, _ = await loop.create_datagram_endpoint(lambda: self, (address, 0))
        await self.rebind()
        return self.inside.get_extra_info('sockname')

    async def rebind(self):
        translation = self

        class Outside(asyncio.DatagramProtocol):
            def datagram_received(self, data, _):
                translation.inside.sendto(data, translation.client)
        before = self.outside
        self.outside, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            Outside, (self.inside.get_extra_info('sockname')[0], 0), self.server)
        if before:
            self.let_go(before)

    def datagram_received(self, data, client):
        self.client = client
        self.outside.sendto(data)

    @staticmethod
    def let_go(transport):
        """Its port is not given to another connection while the proxy still knows the session of it."""
        TAKEN_PORTS.append(os.dup(transport.get_extra_info('socket').fileno()))
        transport.close()

    def close(self):
        self.let_go(self.outside)
        self.inside.close()


class Client(QuicConnectionProtocol):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.answers = {}  # by stream: a future, and what has come of it

    def quic_event_received(self, event):
        if isinstance(event, StreamDataReceived) and event.stream_id in self.answers:
            answer, parts = self.answers[event.stream_id]
            parts.append(event.data)
            if event.end_stream and not answer.done():
                answer.set_result(b''.join(parts).decode())
        if isinstance(event, ConnectionTerminated):
            for answer, _ in self.answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionError(event.reason_phrase))

    async def ask(self, text, timeout):
        """Who answers this on a stream of its own: the server's name and the connection's number."""
        stream = self._quic.get_next_available_stream_id()
        answer = asyncio.get_running_loop().create_future()
        self.answers[stream] = answer, []
        self._quic.send_stream_data(stream, text.encode(), end_stream=True)
        self.transmit()
        whole = await asyncio.wait_for(answer, timeout)
        name, number, answered = whole.split(' ', 2)
        assert answered == text
        return name, int(number)


@contextlib.asynccontextmanager
async def connection(server, from_address, certificate):
    """A client that has connected, and the translation that it goes through."""
    configuration = QuicConfiguration(alpn_protocols=[PROTOCOL], server_name='quic.test')
    configuration.load_verify_locations(str(certificate))
    translation = Translation(server)
    inside = await translation.start(from_address)
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Client(QuicConnection(configuration=configuration)), (from_address, 0))
    try:
        client.connect(inside)
        await asyncio.wait_for(client.wait_connected(), LONGEST_HANDSHAKE)
        yield client, translation
    finally:
        client.close()
        transport.close()
        translation.close()
