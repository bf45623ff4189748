"""Just enough DNS to ask a server for an address, and a server to ask: dnsmasq."""
import random
import shutil
import socket
import struct
import subprocess
import time


def query(name, number=None):
    """A question for the A record of a name."""
    number = random.randrange(65536) if number is None else number
    labels = b''.join(bytes([len(each)]) + each.encode() for each in name.split('.'))
    return struct.pack('>6H', number, 0x0100, 1, 0, 0, 0) + labels + b'\0' + struct.pack('>2H', 1, 1)


def addresses(answer, question):
    """The addresses of an answer; None where it answers something else."""
    if len(answer) < 12 or answer[:2] != question[:2]:
        return None
    count = struct.unpack('>H', answer[6:8])[0]
    at, out = len(question), []
    for _ in range(count):
        at += 2 if answer[at] >= 0xc0 else answer.index(0, at) - at + 1
        kind, size = struct.unpack('>H6xH', answer[at:at + 10])
        if kind == 1:
            out.append(socket.inet_ntoa(answer[at + 10:at + 10 + size]))
        at += 10 + size
    return out


class Resolver:
    """One client: a socket of its own, which takes answers from whom it has asked alone."""

    def __init__(self, address, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((address, port))

    def ask(self, name, timeout=2):
        question = query(name)
        self.socket.settimeout(timeout)
        try:
            self.socket.send(question)
            while (found := addresses(self.socket.recv(4096), question)) is None:
                pass
            return found
        except OSError:
            return None

    def close(self):
        self.socket.close()


def start_dnsmasq(address, port, *records):
    """A dnsmasq that knows these names ("name=address") and no others."""
    program = shutil.which('dnsmasq') or '/usr/sbin/dnsmasq'
    hosts = [f'--address=/{name}/{to}' for name, to in (each.split('=') for each in records)]
    server = subprocess.Popen(
        [program, '--keep-in-foreground', '--no-resolv', '--no-hosts', '--bind-interfaces',
         '--conf-file=/dev/null', '--pid-file=', f'--listen-address={address}', f'--port={port}',
         '--user=root', *hosts], stderr=subprocess.DEVNULL)
    resolver = Resolver(address, port)
    for _ in range(200):
        if resolver.ask(records[0].split('=')[0], 0.05):
            resolver.close()
            return server
        time.sleep(0.02)  # refused at once while nobody listens
    server.kill()
    raise AssertionError('dnsmasq does not answer')
