"""Real clients and servers: Redis and MariaDB through TCP ports with their own clients, curl, a
WebSocket echo, 1 GiB each way."""
import base64
import hashlib
import os
import pathlib
import re
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, wait_until  # noqa: E402

GIB = 1 << 30


class Clients(TestCase):
    number = 41

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = []
        cls.start_backend('one', 11)

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.terminate()
            server.wait(30)
        super().tearDownClass()

    def serve(self, *command, **options):
        log = open(os.path.join(self.folder, os.path.basename(command[0]) + '.log'), 'w')
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **options)
        self.servers.append(server)
        return server

    def expose(self, port, name, host, target):
        self.service(name, [host], port=target, target=target)
        before = self.get_map()
        self.config('tcp', **{**before, str(port): f'{self.name}/{name}:{target}'})

    def get_map(self):
        try:
            return self.cluster.get('ConfigMap', 'tcp', self.name).get('data', {})
        except OSError:
            return {}

    def succeeds(self, *command, **options):
        return subprocess.run(command, capture_output=True, text=True, timeout=30, **options)

    def test_redis(self):
        self.serve('redis-server', '--bind', '10.245.41.21', '--port', '6379', '--save', '',
                   '--protected-mode', 'no')
        self.expose(4101, 'redis', 21, 6379)
        cli = ['redis-cli', '-h', self.address, '-p', '4101']
        wait_until('Redis answers',
                   lambda: self.succeeds(*cli, 'ping').stdout.strip() == 'PONG')
        value = 'x' * 3_000_000
        self.succeeds(*cli, '-x', 'set', 'key', input=value)
        self.assertEqual(self.succeeds(*cli, 'strlen', 'key').stdout.strip(), '3000000')
        benchmark = self.succeeds('redis-benchmark', '-h', self.address, '-p', '4101', '-n', '20000',
                                  '-c', '20', '-P', '4', '-q', '-t', 'set,get')
        self.assertEqual(benchmark.returncode, 0, benchmark.stderr)
        self.assertEqual(len(re.findall('requests per second', benchmark.stdout)), 2)

    def test_mariadb(self):
        data = os.path.join(self.folder, 'mysql')
        os.mkdir(data)
        user = ['--user=root']
        done = self.succeeds('mariadb-install-db', '--no-defaults', f'--datadir={data}',
                             '--auth-root-authentication-method=normal', *user)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.serve('mariadbd', '--no-defaults', f'--datadir={data}', '--bind-address=10.245.41.22',
                   '--port=3306', f'--socket={data}/socket', '--skip-name-resolve', *user)
        wait_until('MariaDB listens', lambda: self.succeeds(
            'mariadb', '--no-defaults', f'--socket={data}/socket', '-e',
            "create or replace user 'app'@'%' identified by 'secret'; grant all on *.* to "
            "'app'@'%'").returncode == 0, 60)
        self.expose(4102, 'mariadb', 22, 3306)
        sql = ['mariadb', '--no-defaults', '-h', self.address, '-P', '4102', '-u', 'app',
               '-psecret', '-N']
        wait_until('MariaDB answers', lambda: self.succeeds(
            *sql, '-e', 'select 1').stdout.strip() == '1')
        done = self.succeeds(*sql, '-e', 'create database t; use t; create table n (i int); '
                             'insert into n select seq from seq_1_to_50000; select sum(i) from n')
        self.assertEqual(done.stdout.strip(), str(50000 * 50001 // 2))

    def test_websocket_echo(self):
        self.service('web', [11])
        self.ingress('ws', ('ws.test', [('Prefix', '/', 'web')]))
        self.wait_answer('ws.test')
        key = base64.b64encode(os.urandom(16)).decode()
        with socket.create_connection((self.address, 80), 10) as stream:
            stream.sendall(f'GET /ws HTTP/1.1\r\nHost: ws.test\r\nUpgrade: websocket\r\nConnection: '
                           f'Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n'
                           .encode())
            file = stream.makefile('rb')
            self.assertIn(b'101', file.readline())
            headers = {}
            while (line := file.readline().strip()):
                name, value = line.decode().split(': ', 1)
                headers[name.lower()] = value
            accept = hashlib.sha1((key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()
            self.assertEqual(headers['sec-websocket-accept'], base64.b64encode(accept).decode())
            for size in (1, 125, 126, 70_000):
                message = os.urandom(size)
                mask = os.urandom(4)
                masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(message))
                if size < 126:
                    head = bytes([0x82, 0x80 | size])
                elif size < 65536:
                    head = bytes([0x82, 0x80 | 126]) + size.to_bytes(2, 'big')
                else:
                    head = bytes([0x82, 0x80 | 127]) + size.to_bytes(8, 'big')
                stream.sendall(head + mask + masked)
                self.assertEqual(file.read(1), b'\x82')
                length = file.read(1)[0]
                if length == 126:
                    length = int.from_bytes(file.read(2), 'big')
                elif length == 127:
                    length = int.from_bytes(file.read(8), 'big')
                self.assertEqual(file.read(length), message)

    def test_a_gibibyte_down_and_up(self):
        self.service('big', [11])
        self.ingress('big', ('big.test', [('Prefix', '/', 'big')]),
                     annotations={'proxy-body-size': '0'})
        self.wait_answer('big.test')
        where = ['--resolve', f'big.test:80:{self.address}', '-sS', '-m', '120']
        down = subprocess.run(
            ['bash', '-c', f'curl {" ".join(where)} http://big.test/bytes/{GIB} | sha256sum'],
            capture_output=True, text=True, check=True).stdout.split()[0]
        piece = bytes(ord('a') + i % 26 for i in range(65536))
        expected = hashlib.sha256()
        for _ in range(GIB // len(piece)):
            expected.update(piece)
        self.assertEqual(down, expected.hexdigest())
        up = subprocess.run(
            ['bash', '-c', f'head -c {GIB} /dev/zero | curl {" ".join(where)} -T - '
             'http://big.test/up'], capture_output=True, text=True, check=True).stdout
        zeros = hashlib.sha256()
        for _ in range(GIB // (1 << 20)):
            zeros.update(bytes(1 << 20))
        self.assertIn(f'length {GIB} sha256 {zeros.hexdigest()}', up)
        self.assertLess(self.proxy.memory(), 200 << 20, 'bodies are streamed')

    def test_curl_over_tls_with_the_right_certificate(self):
        self.service('secure', [11])
        chain = self.certificate('secure', 'secure.test')
        self.ingress('secure', ('secure.test', [('Prefix', '/', 'secure')]),
                     tls=[{'hosts': ['secure.test'], 'secretName': 'secure'}])
        authority = pathlib.Path(self.folder) / 'authority.pem'
        authority.write_text(chain)
        for version in ('--tlsv1.2 --tls-max 1.2', '--tlsv1.3'):
            command = (f'curl -sS -f {version} --cacert {authority} --resolve '
                       f'secure.test:443:{self.address} https://secure.test/')
            answer = wait_until(command, lambda: subprocess.run(
                command.split(), capture_output=True, text=True).stdout)
            self.assertIn('X-Forwarded-Proto: https', answer)
        wait_until('HSTS', lambda: 'max-age' in (self.ask('secure.test', tls=True).headers[
            'Strict-Transport-Security'] or ''))


if __name__ == '__main__':
    main()
