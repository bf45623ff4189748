"""Real servers with their own clients through ports of TCPServices and UDPServices: databases, mail,
remote shells and desktops, DNS, and bytes as fast as they go."""
import hashlib
import imaplib
import json
import os
import pathlib
import re
import smtplib
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from dns_client import start_dnsmasq  # noqa: E402
from penstock_testing import main, wait_until  # noqa: E402
from real_servers import ServersTestCase  # noqa: E402

LONGEST_COMMAND = 120


class Protocols(ServersTestCase):
    number = 18

    # --- ports and clients

    def open_port(self, port, host, target, protocol='TCP', proxy_protocol=None, listener=None):
        """A TCPService or UDPService that leads to one server, as soon as it is served."""
        name = f'{protocol.lower()}-{port}'
        self.service(name, [host], protocol=protocol, target=target, ports=[
            {'port': target, 'targetPort': target, 'protocol': protocol}])
        backend = {'service': {'name': name, 'port': target}}
        if proxy_protocol:
            backend['proxyProtocol'] = proxy_protocol
        backends = {'backends': [backend]} if protocol == 'UDP' else {
            'rules': [{'backends': [backend]}]}
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': f'{protocol}Service',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name,
                      'listeners': [{'name': 'main', 'port': port, **(listener or {})}],
                      **backends}})
        sockets = ['ss', '-Hln' + protocol[0].lower(), f'sport = {port}']
        wait_until(f'{protocol} port {port} is open', lambda: subprocess.run(
            sockets, capture_output=True, text=True, check=True).stdout)

    def client(self, *command, data=None, env=None):
        """What a client prints; it must succeed."""
        done = subprocess.run([str(each) for each in command], input=data, capture_output=True,
                              timeout=LONGEST_COMMAND, env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, 0, f'{command}: {done.stderr.decode()}')
        return done.stdout

    # --- databases

    def test_mariadb(self):
        certificate = self.servers.mariadb(self.backend(21))
        self.open_port(1801, 21, 3306)
        self.open_port(1802, 21, 3306, proxy_protocol='V2')
        self.open_port(1803, 21, 3306, proxy_protocol='V1')

        def sql(port, statement, *options):
            return self.client('mariadb', '--no-defaults', '-h', self.address, '-P', port, '-uapp',
                               '-psecret', '-N', '-B', '--quick', *options, '-e', statement,
                               'mysql')
        self.assertEqual(sql(1801, 'select 6 * 7'), b'42\n')
        # TLS between the client and MariaDB: the port carries it as it is.
        verified = ['--ssl-ca', certificate, '--ssl-verify-server-cert']
        self.assertIn(b'TLS_', sql(1801, "show status like 'Ssl_cipher'", *verified))
        rows, row = 60000, b'0123456789abcdef' * 64
        expected = hashlib.sha256()
        for i in range(1, rows + 1):
            expected.update(b'%d\t%s\n' % (i, row))
        for options in ([], verified):
            got = sql(1801, f"select seq, repeat('0123456789abcdef', 64) from seq_1_to_{rows}",
                      *options)
            self.assertEqual(hashlib.sha256(got).hexdigest(), expected.hexdigest())
        # Whom the server sees: the proxy, or with a PROXY header the client.
        whom = 'select host from information_schema.processlist where id = connection_id()'
        seen = {port: sql(port, whom).decode().split(':')[0] for port in (1801, 1802, 1803)}
        self.assertEqual(seen, {1801: self.backend(21), 1802: self.address, 1803: self.address})

    def test_postgresql(self):
        certificate = self.servers.postgres(self.backend(22))
        self.open_port(1811, 22, 5432)
        self.open_port(1812, 22, 5432, proxy_protocol='V2')
        address = f'host={self.address} port=1811 user=app dbname=postgres connect_timeout=10'
        verified = f'{address} sslmode=verify-full sslrootcert={certificate}'
        plain = f'{address} sslmode=disable'

        def sql(statement, where=verified, **options):
            return self.client('psql', where, '-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', statement,
                               **options)
        self.assertEqual(sql('select ssl from pg_stat_ssl where pid = pg_backend_pid()'), b't\n')
        self.assertEqual(sql('select ssl from pg_stat_ssl where pid = pg_backend_pid()', plain),
                         b'f\n')
        data = b''.join(b'%d\t%s\n' % (i, b'x' * 500) for i in range(50000))
        sql('create table copied (i int, t text)')
        sql('copy copied from stdin', data=data)
        self.assertEqual(sql('copy copied to stdout'), data)
        self.assertEqual(sql('copy copied to stdout', plain), data)
        self.client('pgbench', '-i', '-q', '-s', '1', verified)
        done = self.client('pgbench', '-n', '-c', '8', '-t', '100', '-M', 'prepared', verified)
        self.assertIn(b'number of transactions actually processed: 800/800', done)
        # PostgreSQL does not know the PROXY protocol. It says so, and so does the client, at once.
        refused = subprocess.run(['psql', address.replace('1811', '1812'), '-c', 'select 1'],
                                 capture_output=True, text=True, timeout=20)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn('server closed the connection unexpectedly', refused.stderr)
        wait_until('PostgreSQL tells why',
                   lambda: 'invalid length of startup packet' in self.servers.log('postgres'))

    def test_redis(self):
        self.servers.redis(self.backend(23))
        self.open_port(1821, 23, 6379)
        cli = ['redis-cli', '-h', self.address, '-p', '1821']
        self.assertEqual(self.client(*cli, 'ping'), b'PONG\n')
        # A pipeline: all commands are sent before the first answer is read.
        pipeline = b''.join(b'*3\r\n$3\r\nSET\r\n$8\r\nkey%05d\r\n$5\r\n%05d\r\n' % (i, i)
                            for i in range(100000))
        self.assertIn(b'errors: 0, replies: 100000', self.client(*cli, '--pipe', data=pipeline))
        self.assertEqual(self.client(*cli, 'get', 'key77777'), b'77777\n')
        self.assertEqual(self.client(*cli, 'dbsize'), b'100000\n')
        with subprocess.Popen([*cli, 'subscribe', 'news'], stdout=subprocess.PIPE) as listener:
            try:
                heard = [listener.stdout.readline().strip() for _ in range(3)]
                self.assertEqual(heard, [b'subscribe', b'news', b'1'])
                for i in range(3):
                    self.assertEqual(self.client(*cli, 'publish', 'news', f'message {i}'), b'1\n')
                    heard = [listener.stdout.readline().strip() for _ in range(3)]
                    self.assertEqual(heard, [b'message', b'news', b'message %d' % i])
            finally:
                listener.kill()
        benchmark = self.client('redis-benchmark', '-h', self.address, '-p', '1821', '-n', '20000',
                                '-c', '50', '-P', '16', '-q', '-t', 'set,get,lrange_100')
        self.assertEqual(len(re.findall(rb'requests per second', benchmark)), 4, benchmark)

    # --- remote shells and desktops

    def test_openssh(self):
        place = self.servers.ssh(self.backend(24))
        self.open_port(1831, 24, 22)
        options = ['-F', 'none', '-i', place / 'user', '-o', f'UserKnownHostsFile={place}/known',
                   '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes', '-o', 'Compression=no']
        told = self.client('ssh', *options, '-p', '1831', f'root@{self.address}', 'cat; exit 0',
                           data=b'through the shell')
        self.assertEqual(told, b'through the shell')
        sent, copied, back = (place / name for name in ('sent', 'copied', 'back'))
        sent.write_bytes(os.urandom(1 << 20) * 64)
        for source, target in ((sent, f'root@{self.address}:{copied}'),
                               (f'root@{self.address}:{copied}', back)):
            self.client('scp', '-q', *options, '-P', '1831', source, target)
        digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (sent, copied, back)}
        self.assertEqual(len(digests), 1)

    def test_rdp(self):
        """What an RDP client begins with: an X.224 connection request that asks for TLS
        (MS-RDPBCGR 2.2.1.1), the confirm, then the handshake."""
        certificate = self.servers.xrdp(self.backend(25))
        self.open_port(1841, 25, 3389)
        request = (b'\x03\x00\x00\x13'                  # TPKT of 19 bytes
                   b'\x0e\xe0\x00\x00\x00\x00\x00'      # connection request
                   b'\x01\x00\x08\x00\x01\x00\x00\x00')  # RDP_NEG_REQ: PROTOCOL_SSL
        context = ssl.create_default_context(cafile=certificate)
        with socket.create_connection((self.address, 1841), 10) as raw:
            raw.sendall(request)
            confirm = raw.recv(19, socket.MSG_WAITALL)
            self.assertEqual(confirm[:6], b'\x03\x00\x00\x13\x0e\xd0')
            self.assertEqual(confirm[11], 2, 'RDP_NEG_RSP')
            self.assertEqual(confirm[15:], b'\x01\x00\x00\x00', 'PROTOCOL_SSL')
            with context.wrap_socket(raw, server_hostname='xrdp.test') as secured:
                self.assertIn(secured.version(), ('TLSv1.2', 'TLSv1.3'))

    # --- mail

    def test_mail_by_smtp_imap_and_pop3(self):
        certificate = self.servers.mail(self.backend(26))
        for port, target, proxy_protocol in ((1851, 25, None), (1852, 26, 'V2'), (1853, 26, 'V1'),
                                             (1854, 143, None), (1855, 110, None),
                                             (1856, 1143, 'V2')):
            self.open_port(port, 26, target, proxy_protocol=proxy_protocol)
        context = ssl.create_default_context(cafile=certificate)
        big = 'Subject: big\r\n\r\n' + 'A line of a letter that has many of them.\r\n' * 50000
        letters = {1851: big, 1852: 'Subject: by v2\r\n\r\nshort\r\n',
                   1853: 'Subject: by v1\r\n\r\nshort\r\n'}
        for port, letter in letters.items():
            with smtplib.SMTP(self.address, port, 'client.test', LONGEST_COMMAND) as smtp:
                smtp.starttls(context=context)
                smtp.sendmail('bob@client.test', ['ann@mail.test'], letter)
        curl = ['curl', '-sS', '--ssl-reqd', '--cacert', certificate, '-u', 'ann:secret']

        def arrived():
            with imaplib.IMAP4(self.address, 1854, LONGEST_COMMAND) as imap:
                imap.starttls(context)
                imap.login('ann', 'secret')
                return imap.select()[1] == [b'3']
        wait_until('three letters are delivered', arrived)
        texts = []
        for i in range(1, 4):
            by_imap = self.client(*curl, f'imap://{self.address}:1854/INBOX;MAILINDEX={i}')
            by_pop3 = self.client(*curl, f'pop3://{self.address}:1855/{i}')
            self.assertEqual(by_imap, by_pop3)
            texts.append(by_imap)
        self.assertTrue(any(text.endswith(big.split('\r\n\r\n', 1)[1].encode()) for text in texts))
        # Behind a PROXY header both servers know the client.
        log = self.servers.log('postfix')
        self.assertEqual(log.count(f' connect from unknown[{self.address}]'), 2, log)
        self.assertEqual(log.count(f' connect from unknown[{self.backend(26)}]'), 1, log)
        self.client(*curl, f'imap://{self.address}:1856/INBOX;MAILINDEX=1')
        wait_until('Dovecot knows the client',
                   lambda: f'rip={self.address},' in self.servers.log('dovecot'))

    # --- DNS and bytes

    def test_dns_by_udp_and_tcp_on_one_port(self):
        address = self.backend(27)
        server = start_dnsmasq(address, 53, 'one.test=192.0.2.7',
                               *(f'many.test=192.0.2.{i}' for i in range(100)))
        self.addCleanup(server.kill)
        self.open_port(1861, 27, 53, 'UDP')
        self.open_port(1861, 27, 53, 'TCP')
        dig = ['dig', f'@{self.address}', '-p', '1861', '+tries=1', '+time=5', '+noedns']
        for transport in ('+notcp', '+tcp'):
            self.assertEqual(self.client(*dig, '+short', transport, 'one.test'), b'192.0.2.7\n')
        # More than a datagram holds: the answer is cut off, and the client asks again by TCP.
        self.assertIn(b'flags: qr aa tc', self.client(*dig, '+ignore', '+notcp', 'many.test'))
        whole = self.client(*dig, '+short', '+notcp', 'many.test')
        self.assertEqual(len(set(whole.split())), 100)

    def test_iperf3_by_tcp_and_udp(self):
        self.servers.iperf3(self.backend(28))
        self.open_port(1871, 28, 5201, 'TCP')
        self.open_port(1871, 28, 5201, 'UDP')
        iperf = ['iperf3', '-J', '-c', self.address, '-p', '1871']
        # Not --bidir: iperf3 tells the connections of the two directions by the order in which they
        # come, and through a proxy they may come in another.
        for direction in ([], ['-R']):
            done = json.loads(self.client(*iperf, '-n', '256M', '-P', '2', *direction))['end']
            # The one who receives stops counting when the other has sent.
            self.assertGreaterEqual(done['sum_sent']['bytes'], 256 << 20, direction)
            self.assertGreater(done['sum_received']['bytes'], 192 << 20, direction)
        for direction in ([], ['-R']):
            # 25 Mbit/s in datagrams of 1 KiB for two seconds.
            done = json.loads(self.client(*iperf, '-u', '-b', '25M', '-l', '1024', '-t', '2',
                                          *direction))['end']['sum']
            self.assertGreater(done['packets'], 5000)
            self.assertLess(done['lost_percent'], 1, done)

    # --- the client's address

    def test_haproxy_and_nginx_know_the_client(self):
        self.servers.haproxy(self.backend(29))
        self.servers.nginx(self.backend(30))
        port = 1880
        for host, target in ((29, 8081), (30, 8082)):
            for version in ('V1', 'V2'):
                port += 1
                self.open_port(port, host, target, proxy_protocol=version)
                told = self.whom_it_sees(port, from_address=self.backend(99))
                self.assertEqual(told, (f'{self.backend(99)}:{self.source_port} '
                                        f'{self.address}:{port}'))

    def test_the_client_of_a_header_is_passed_on(self):
        self.servers.haproxy(self.backend(31))
        self.open_port(1891, 31, 8081, proxy_protocol='V2', listener={
            'proxyProtocol': {'mode': 'Optional', 'trustedCIDRs': [self.backend(98)]}})
        header = b'PROXY TCP4 203.0.113.9 203.0.113.10 4321 443\r\n'
        self.assertEqual(self.whom_it_sees(1891, self.backend(98), header),
                         '203.0.113.9:4321 203.0.113.10:443')
        self.assertEqual(self.whom_it_sees(1891, self.backend(98)),
                         f'{self.backend(98)}:{self.source_port} {self.address}:1891')

    def whom_it_sees(self, port, from_address, header=b''):
        """What an HTTP server behind a port answers, which is the client that it sees."""
        with socket.create_connection((self.address, port), 10, (from_address, 0)) as stream:
            self.source_port = stream.getsockname()[1]
            stream.sendall(header + b'GET / HTTP/1.0\r\n\r\n')
            answer = b''.join(iter(lambda: stream.recv(4096), b''))
        return answer.split(b'\r\n\r\n', 1)[1].decode().strip()


if __name__ == '__main__':
    main()
