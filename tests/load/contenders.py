"""The proxies that are compared: how each is configured and started, which processes are its."""
import base64
import contextlib
import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import machine
from template import expand

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = pathlib.Path(__file__).resolve().parent / 'peers'
BIN = pathlib.Path(os.environ.get('PENSTOCK_BIN', ROOT / 'build/dev/bin'))
CACHE = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache')
BACKEND = {'BACKEND_HTTP': 9080, 'BACKEND_ECHO': 9007, 'BACKEND_BULK': 9009}
LONGEST_START = 60
LONGEST_STOP = 5
VARIANTS = ('plain', 'log', 'routes', 'idle')

# What every proxy must add to a request, as the backend gets it. Values that are not the same each
# time are patterns.
ADDED = {'host': '{host}', 'x-request-id': '[0-9a-f-]{{32,36}}', 'x-real-ip': r'127\.0\.0\.1',
         'x-forwarded-for': r'127\.0\.0\.1', 'x-forwarded-host': '{host}',
         'x-forwarded-port': '{port}', 'x-forwarded-proto': 'http', 'x-forwarded-scheme': 'http',
         'x-scheme': 'http'}


def sites(variant):
    """The hosts with their paths: one, or 5,000 with four paths each."""
    if variant != 'routes':
        return [{'HOST': 'bench.test', 'path': [{'PATH': '/'}]}]
    paths = [{'PATH': f'/p{i}/'} for i in range(4)]
    return [{'HOST': f'h{i}.bench.test', 'path': paths} for i in range(5000)]


class Contender:
    """One running proxy. Its variant says what it serves: `plain` one host, `log` with an access
    log, `routes` many hosts, `idle` as plain."""

    name = ''
    templates = ()

    def __init__(self, number, variant, folder, processor):
        self.variant = variant
        self.folder = pathlib.Path(folder) / f'{self.name}-{variant}'
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        base = 1000 * (number + 1) + 100 * VARIANTS.index(variant)
        self.ports = {'HTTP': base + 80, 'HTTPS': base + 43, 'TCP': base + 7, 'HALF': base + 8,
                      'BULK': base + 9, 'UDP': base + 60, 'DNS': base + 53, 'TCPS': base + 70,
                      'BULKS': base + 71, 'ADMIN': base + 90, 'STATUS': base + 91}
        self.configure(pathlib.Path(folder))
        self.output = open(self.folder / 'output.log', 'wb')
        self.units = 0  # that the generator has counted
        began = time.monotonic()
        self.process = machine.start_on(processor, self.command(), stdout=self.stdout(),
                                        stderr=self.output, cwd=self.folder,
                                        env=dict(os.environ, TMPDIR=str(self.folder)))
        self.wait_ready()
        self.start_seconds = time.monotonic() - began
        self.pids = self.measured()

    def configure(self, shared):
        hosts = sites(self.variant)
        certificate = (shared / 'tls.crt').read_bytes()
        key = (shared / 'tls.key').read_bytes()
        (self.folder / 'tls.crt').write_bytes(certificate)
        (self.folder / 'tls.key').write_bytes(key)
        (self.folder / 'tls.pem').write_bytes(certificate + key)
        values = {'FOLDER': self.folder, 'DESCRIPTORS': machine.DESCRIPTORS, 'host': hosts,
                  'CERTIFICATE_BASE64': base64.b64encode(certificate).decode(),
                  'KEY_BASE64': base64.b64encode(key).decode(),
                  'service': [{'SERVICE': name, 'PROTOCOL': protocol,
                               'BACKEND': BACKEND['BACKEND_' + kind]}
                              for name, protocol, kind in (
                                  ('web', 'TCP', 'HTTP'), ('echo', 'TCP', 'ECHO'),
                                  ('bulk', 'TCP', 'BULK'), ('datagrams', 'UDP', 'ECHO'))],
                  'tls': self.variant != 'routes', 'log': self.variant == 'log',
                  'quiet': self.variant != 'log',
                  **self.ports, **BACKEND}
        for name in self.templates:
            target = self.folder / 'config' / name
            target.parent.mkdir(exist_ok=True)
            target.write_text(expand((PEERS / name).read_text(), values))

    @classmethod
    def is_installed(cls):
        return True

    def config(self):
        return self.folder / 'config' / self.templates[0]

    def stdout(self):
        return self.output

    def measured(self):
        """The processes whose time and memory count: all of them."""
        return [pid for pid, _ in machine.descendants(self.process.pid)]

    def is_running(self):
        return self.process.poll() is None

    def wait_ready(self):
        end = time.monotonic() + LONGEST_START
        while not self.is_ready():
            if not self.is_running() or time.monotonic() > end:
                raise RuntimeError(f'{self.name} does not serve:\n{self.log_text()}')
            time.sleep(0.02)

    def is_ready(self):
        try:
            for port in ('TCP', 'BULK') if self.variant == 'routes' else ('HTTPS', 'TCP', 'BULK'):
                socket.create_connection(('127.0.0.1', self.ports[port]), 2).close()
            return self.get('1k')[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, what):
        """(status, body) of a request to the last path of the last host."""
        last = sites(self.variant)[-1]
        connection = http.client.HTTPConnection('127.0.0.1', self.ports['HTTP'], timeout=10)
        connection.request('GET', last['path'][-1]['PATH'] + what, headers={'Host': last['HOST']})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def check_headers(self):
        """That the backend gets what all of the others send it, too."""
        lines = self.get('head')[1].decode().splitlines()
        got = dict(line.lower().split(': ', 1) for line in lines[1:] if ': ' in line)
        host = re.escape(sites(self.variant)[-1]['HOST'])
        for name, pattern in ADDED.items():
            wanted = pattern.format(host=host, port=self.ports['HTTP'])
            if not re.fullmatch(wanted, got.get(name, '')):
                raise RuntimeError(f'{self.name} sends {name}: {got.get(name)!r}, not {wanted}')

    def check_log(self):
        """That every request has its line. Called when the proxy has ended."""
        lines = (self.folder / 'access.log').read_text().splitlines()
        written = sum('GET /1k HTTP/1.1' in line and len(line.split()) >= 17 for line in lines)
        if written < self.units:
            raise RuntimeError(f'{self.name} logged {written} of {self.units} requests')

    def log_text(self):
        return (self.folder / 'output.log').read_text(errors='replace')[-3000:]

    def stop(self):
        """Ends it, gently where it has a log to write, and whatever it has started."""
        family = [pid for pid, _ in machine.descendants(self.process.pid)]
        if self.variant == 'log':
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(LONGEST_STOP)
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.output.close()
        if self.variant == 'log':
            self.check_log()


class Penstock(Contender):
    name = 'penstock'
    templates = ('penstock.yaml',)

    def command(self):
        return [BIN / 'penstock', 'run', '--manifests', self.config().parent, '--workers', 1,
                '--http-port', self.ports['HTTP'], '--https-port', self.ports['HTTPS'],
                '--listen-address', '127.0.0.1', '--configmap', 'default/penstock',
                '--tcp-services-configmap', 'default/tcp-services',
                '--udp-services-configmap', 'default/udp-services',
                '--default-ssl-certificate', 'default/tls',
                '--admin-address', f'127.0.0.1:{self.ports["ADMIN"]}',
                '--status-address', f'127.0.0.1:{self.ports["STATUS"]}', '--log-level', 'warn']

    def measured(self):
        """The proxy alone: the controller does nothing while nothing changes."""
        return [pid for pid, name in machine.descendants(self.process.pid)
                if name == 'penstock-proxy']

    @staticmethod
    def version():
        return machine.run(BIN / 'penstock', '--version').strip()


class Nginx(Contender):
    name = 'nginx'
    templates = ('nginx.conf',)

    def command(self):
        return ['nginx', '-p', self.folder, '-c', self.config()]

    @staticmethod
    def version():
        done = subprocess.run(['nginx', '-v'], check=True, stderr=subprocess.PIPE, text=True)
        return done.stderr.split('/')[-1].strip()


class Haproxy(Contender):
    name = 'haproxy'
    templates = ('haproxy.cfg', 'haproxy.map')

    def command(self):
        return ['haproxy', '-db', '-f', self.config()]

    def stdout(self):
        return open(self.folder / 'access.log', 'ab') if self.variant == 'log' else self.output

    @staticmethod
    def version():
        return machine.run('haproxy', '-v').split()[2]


class Envoy(Contender):
    name = 'envoy'
    templates = ('envoy.yaml',)
    program = CACHE / 'penstock/envoy/envoy/_bin/envoy'

    def command(self):
        return [self.program, '--concurrency', 1, '--disable-hot-restart', '-l', 'error', '-c',
                self.config()]

    @classmethod
    def is_installed(cls):
        return cls.program.exists()

    @classmethod
    def version(cls):
        return machine.run(cls.program, '--version').split('version:')[1].split('/')[1]


CONTENDERS = {each.name: each for each in (Penstock, Nginx, Haproxy, Envoy)}
