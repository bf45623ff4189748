"""STARTTLS on TCP ports: MariaDB, PostgreSQL and Postfix with their own clients. The client's TLS ends at
the port, and another goes on to the server."""
import base64
import pathlib
import smtplib
import ssl
import subprocess
import sys
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import main, wait_until  # noqa: E402
from real_servers import ServersTestCase, make_certificate  # noqa: E402

LONGEST_COMMAND = 60


class StartTls(ServersTestCase):
    number = 20

    def secret(self, name, data):
        self.cluster.apply({'apiVersion': 'v1', 'kind': 'Secret',
                            'metadata': {'name': name, 'namespace': self.name},
                            'data': {key: base64.b64encode(pathlib.Path(path).read_bytes()).decode()
                                     for key, path in data.items()}})

    def open_port(self, port, protocol, host, target, authority=None):
        """A port that ends TLS of `protocol`; with an authority, its backend has TLS again. Returns the
        certificate that clients see."""
        name = f'{protocol.lower()}-{port}'
        certificate, key = make_certificate(pathlib.Path(self.folder), name, self.address)
        self.secret(name, {'tls.crt': certificate, 'tls.key': key})
        self.service(name, [host], target=target, ports=[{'port': target, 'targetPort': target}])
        backend = {'service': {'name': name, 'port': target}}
        if authority:
            self.secret(f'{name}-ca', {'ca.crt': authority})
            backend['tls'] = {'serverName': self.address, 'caRef': {'name': f'{name}-ca'}}
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name,
                      'listeners': [{'name': 'main', 'port': port, 'tls': {
                          'mode': 'Terminate', 'starttls': protocol,
                          'certificateRefs': [{'name': name}]}}],
                      'rules': [{'backends': [backend]}]}})
        wait_until(f'port {port} is served', lambda: self.are_refs_resolved(name))
        return certificate

    def are_refs_resolved(self, name):
        """The Secrets have come, too."""
        status = self.cluster.get('TCPService', name, self.name).get('status', {})
        found = {each['type']: each['status'] for each in status.get('conditions', [])}
        return found.get('ResolvedRefs') == found.get('Programmed') == 'True'

    def run_client(self, *command):
        return subprocess.run([str(each) for each in command], capture_output=True, text=True,
                              timeout=LONGEST_COMMAND)

    def client(self, *command):
        done = self.run_client(*command)
        self.assertEqual(done.returncode, 0, f'{command}: {done.stderr}')
        return done.stdout

    def test_mariadb(self):
        inner = self.servers.mariadb(self.backend(21))
        outer = self.open_port(2001, 'MySQL', 21, 3306, inner)
        mariadb = ['mariadb', '--no-defaults', '-h', self.address, '-P', 2001, '-uapp', '-N', '-B']
        verified = [*mariadb, '-psecret', '--ssl-ca', outer, '--ssl-verify-server-cert']
        self.assertEqual(self.client(*verified, '-e', 'select 6 * 7'), '42\n')
        self.assertIn('TLS_', self.client(*verified, '-e', "show status like 'Ssl_cipher'"),
                      'the server has TLS, too')
        rows = self.client(*verified, '--quick', '-e',
                           "select repeat('x', 1000) from mysql.seq_1_to_5000", 'mysql')
        self.assertEqual(rows, ('x' * 1000 + '\n') * 5000)
        # The client of the port does not take the certificate of the server for that of the port.
        refused = self.run_client(*mariadb, '-psecret', '--ssl-ca', inner,
                                  '--ssl-verify-server-cert', '-e', 'select 1')
        self.assertIn('TLS/SSL error', refused.stderr)
        # A password that is wrong is the server's to refuse, and the client reads so.
        wrong = self.run_client(*mariadb, '-pwrong', '--ssl-ca', outer, '-e', 'select 1')
        self.assertIn("Access denied for user 'app'", wrong.stderr)
        clear = self.run_client(*mariadb, '-psecret', '--skip-ssl', '-e', 'select 1')
        self.assertIn('this port takes connections with TLS only', clear.stderr)

    def test_mariadb_needs_tls_towards_its_server(self):
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.cluster.apply(
                {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
                 'metadata': {'name': 'half', 'namespace': self.name},
                 'spec': {'ingressClassName': self.name,
                          'listeners': [{'name': 'main', 'port': 2009, 'tls': {
                              'mode': 'Terminate', 'starttls': 'MySQL',
                              'certificateRefs': [{'name': 'any'}]}}],
                          'rules': [{'backends': [{'service': {'name': 'any', 'port': 3306}}]}]}})
        self.assertIn('MySQL', refused.exception.read().decode())

    def test_postgresql(self):
        inner = self.servers.postgres(self.backend(22))
        for port, authority, has_tls in ((2011, inner, 't'), (2012, None, 'f')):
            outer = self.open_port(port, 'Postgres', 22, 5432, authority)
            address = f'host={self.address} port={port} user=app dbname=postgres connect_timeout=10'
            verified = f'{address} sslmode=verify-full sslrootcert={outer}'
            psql = ['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-c']
            self.assertEqual(self.client(*psql, 'select 6 * 7', verified), '42\n')
            self.assertEqual(self.client(
                *psql, 'select ssl from pg_stat_ssl where pid = pg_backend_pid()', verified),
                has_tls + '\n', 'as the server sees it')
            self.assertEqual(self.client(
                *psql, "select repeat('x', 1000) from generate_series(1, 5000)", verified),
                ('x' * 1000 + '\n') * 5000)
            clear = self.run_client(*psql, 'select 1', f'{address} sslmode=disable')
            self.assertIn('this port takes connections with TLS only', clear.stderr)

    def test_smtp(self):
        inner = self.servers.mail(self.backend(26))
        for port, authority in ((2021, inner), (2022, None)):
            outer = self.open_port(port, 'SMTP', 26, 25, authority)
            context = ssl.create_default_context(cafile=outer)
            with smtplib.SMTP(self.address, port, 'client.test', LONGEST_COMMAND) as smtp:
                with self.assertRaises(smtplib.SMTPResponseException) as refused:
                    smtp.sendmail('bob@client.test', ['ann@mail.test'], 'in the clear')
                self.assertEqual(refused.exception.smtp_code, 530)
            letter = f'Subject: by {port}\r\n\r\n' + 'A line of a letter.\r\n' * 20000
            with smtplib.SMTP(self.address, port, 'client.test', LONGEST_COMMAND) as smtp:
                smtp.starttls(context=context)
                smtp.sendmail('bob@client.test', ['ann@mail.test'], letter)

            def is_delivered():
                box = ['curl', '-sS', '--ssl-reqd', '--cacert', inner, '-u', 'ann:secret',
                       '--connect-to', f'{self.address}:143:{self.backend(26)}:143',
                       f'imap://{self.address}/INBOX', '-X', f'SEARCH SUBJECT "by {port}"']
                return self.run_client(*box).stdout.split()[2:]
            wait_until('the letter is delivered', is_delivered)


if __name__ == '__main__':
    main()
