"""Servers of real protocols from Debian's packages, each run in the foreground from a folder of its
own: what they are configured with, and when they are ready."""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import time

from cluster_api import run, wait_until
from penstock_testing import TestCase

LONGEST_STOP = 3


def make_certificate(folder, name, address):
    """Writes NAME.crt and NAME.key: a certificate for this address that is its own authority."""
    certificate, key = folder / f'{name}.crt', folder / f'{name}.key'
    run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
        f'/CN={name}.test', '-addext', f'subjectAltName=DNS:{name}.test,IP:{address}', '-keyout',
        key, '-out', certificate, stderr=subprocess.DEVNULL)
    return certificate, key


class RealServers:
    """Starts servers and ends them. `shown` is the address that clients connect to, which goes into
    certificates."""

    def __init__(self, folder, shown):
        self.folder = pathlib.Path(folder)
        self.folder.chmod(0o755)  # servers that leave root behind read in it
        self.shown = shown
        self.started = []

    def place(self, name, owner=None):
        """A new folder for one server."""
        place = self.folder / f'{name}-{len(self.started)}'
        place.mkdir(mode=0o755)
        if owner:
            shutil.chown(place, owner)
        return place

    def start(self, name, *command, **options):
        log = open(self.folder / f'{name}.log', 'w')
        process = subprocess.Popen([str(each) for each in command], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, start_new_session=True, **options)
        log.close()
        self.started.append((name, process))
        return process

    def log(self, name):
        return (self.folder / f'{name}.log').read_text(errors='replace')

    def wait_listening(self, name, address, *ports):
        """Until all ports of a server are open, as the kernel tells: nothing connects for that."""
        wanted = {f'{address}:{port}' for port in ports}

        def listens():
            if self.started[-1][1].poll() is not None:
                raise AssertionError(f'{name} has ended:\n{self.log(name)[-3000:]}')
            found = subprocess.run(['ss', '-Hltn'], capture_output=True, text=True, check=True)
            return wanted <= {line.split()[3] for line in found.stdout.splitlines()}
        wait_until(f'{name} listens', listens, 90)

    def stop(self):
        """Ends all of them with whatever they have started: gently, but not for long."""
        for _, process in self.started:
            process.terminate()
        end = time.monotonic() + LONGEST_STOP
        for _, process in self.started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0, end - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    # --- one method for each server

    def mariadb(self, address):
        """User app, password secret; TLS where the client wants it; a PROXY header where there is
        one. The certificate's path is returned."""
        place = self.place('mariadb')
        certificate, key = make_certificate(place, 'mariadb', self.shown)
        data = place / 'data'
        data.mkdir()
        run('mariadb-install-db', '--no-defaults', f'--datadir={data}', '--user=root',
            '--auth-root-authentication-method=normal', '--skip-test-db',
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        first = place / 'first.sql'
        first.write_text("create user 'app'@'%' identified by 'secret';\n"
                         "grant all on *.* to 'app'@'%';\n")
        self.start('mariadb', 'mariadbd', '--no-defaults', f'--datadir={data}', '--user=root',
                   f'--bind-address={address}', '--port=3306', f'--socket={place}/socket',
                   '--skip-name-resolve', f'--ssl-cert={certificate}', f'--ssl-key={key}',
                   '--proxy-protocol-networks=*', f'--init-file={first}')
        self.wait_listening('mariadb', address, 3306)
        return certificate

    def postgres(self, address):
        """User app without a password, database postgres. The certificate's path is returned."""
        binaries = pathlib.Path('/usr/lib/postgresql/15/bin')
        place = self.place('postgres', 'postgres')
        certificate, key = make_certificate(place, 'postgres', self.shown)
        for path in (certificate, key):
            shutil.chown(path, 'postgres')
        key.chmod(0o600)
        data = place / 'data'
        run('setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups',
            binaries / 'initdb', '-D', data, '-U', 'app', '--no-sync', '-A', 'trust', '-E', 'UTF8',
            '--locale=C', cwd=place, stdout=subprocess.DEVNULL)
        with open(data / 'pg_hba.conf', 'a') as file:
            file.write('host all all all trust\n')
        options = {'listen_addresses': address, 'port': 5432, 'unix_socket_directories': place,
                   'ssl': 'on', 'ssl_cert_file': certificate, 'ssl_key_file': key, 'fsync': 'off'}
        self.start('postgres', 'setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups',
                   binaries / 'postgres', '-D', data,
                   *(f'--{name}={value}' for name, value in options.items()), cwd=place)
        self.wait_listening('postgres', address, 5432)
        return certificate

    def redis(self, address):
        self.start('redis', 'redis-server', '--bind', address, '--port', '6379', '--save', '',
                   '--protected-mode', 'no', '--dir', self.place('redis'))
        self.wait_listening('redis', address, 6379)

    def ssh(self, address):
        """Takes root with the key that is returned."""
        place = self.place('ssh')
        for name in ('host', 'user'):
            run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', place / name)
        os.makedirs('/run/sshd', exist_ok=True)  # where it locks itself up before it knows who asks
        (place / 'config').write_text(
            f'ListenAddress {address}:22\nHostKey {place}/host\nPidFile none\nUsePAM no\n'
            f'AuthorizedKeysFile {place}/user.pub\nStrictModes no\nPermitRootLogin yes\n'
            'PasswordAuthentication no\nSubsystem sftp internal-sftp\n')
        (place / 'known').write_text(f'* {(place / "host.pub").read_text()}')
        self.start('ssh', '/usr/sbin/sshd', '-D', '-e', '-f', place / 'config')
        self.wait_listening('ssh', address, 22)
        return place

    def mail(self, address):
        """Postfix takes mail for *@mail.test on port 25, and on 26 behind a PROXY header; Dovecot
        gives it to user `ann`, password `secret`, on ports 143, 110, and 1143 behind a header.
        Returns the path of the certificate that both show."""
        place = self.place('mail')
        certificate, key = make_certificate(place, 'mail', self.shown)
        for name in ('queue', 'data', 'boxes'):
            (place / name).mkdir()
        shutil.chown(place / 'data', 'postfix')
        nobody = pwd.getpwnam('nobody')
        os.chown(place / 'boxes', nobody.pw_uid, nobody.pw_gid)
        self.start_postfix(place, address, certificate, key, nobody)
        self.start_dovecot(place, address, certificate, key)
        return certificate

    def start_postfix(self, place, address, certificate, key, owner):
        config = place / 'postfix'
        config.mkdir()
        main = {'compatibility_level': '3.6', 'queue_directory': place / 'queue',
                'data_directory': place / 'data', 'myhostname': 'mail.test', 'mydestination': '',
                'inet_interfaces': 'all', 'inet_protocols': 'ipv4', 'alias_maps': '',
                'mynetworks': '127.0.0.0/8', 'virtual_mailbox_domains': 'mail.test',
                'virtual_mailbox_base': place / 'boxes',
                'virtual_mailbox_maps': 'static:ann/', 'virtual_uid_maps': f'static:{owner.pw_uid}',
                'virtual_gid_maps': f'static:{owner.pw_gid}', 'virtual_minimum_uid': 1,
                'smtpd_tls_cert_file': certificate, 'smtpd_tls_key_file': key,
                'smtpd_tls_security_level': 'may', 'maillog_file': '/dev/stdout',
                'message_size_limit': 50_000_000, 'virtual_mailbox_limit': 0}
        (config / 'main.cf').write_text(''.join(f'{name} = {each}\n' for name, each in
                                                main.items()))
        services = [f'{address}:25 inet n - n - - smtpd',
                    f'{address}:26 inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy',
                    'pickup unix n - n 60 1 pickup', 'cleanup unix n - n - 0 cleanup',
                    'qmgr unix n - n 300 1 qmgr', 'rewrite unix - - n - - trivial-rewrite',
                    'proxymap unix - - n - - proxymap', 'bounce unix - - n - 0 bounce',
                    'defer unix - - n - 0 bounce',
                    'trace unix - - n - 0 bounce', 'tlsmgr unix - - n 1000? 1 tlsmgr',
                    'virtual unix - n n - - virtual', 'error unix - - n - - error',
                    'retry unix - - n - - error', 'anvil unix - - n - 1 anvil',
                    'postlog unix-dgram n - n - 1 postlogd']
        (config / 'master.cf').write_text(''.join(each + '\n' for each in services))
        run('postfix', '-c', config, 'check')
        self.start('postfix', '/usr/lib/postfix/sbin/master', '-d', '-s', '-c', config,
                   env={**os.environ, 'MAIL_CONFIG': str(config)})
        self.wait_listening('postfix', address, 25, 26)

    def start_dovecot(self, place, address, certificate, key):
        (place / 'users').write_text('ann:{PLAIN}secret\n')
        nobody = pwd.getpwnam('nobody')
        (place / 'dovecot.conf').write_text(f'''
base_dir = {place}/run
log_path = /dev/stderr
protocols = imap pop3
listen = {address}
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
haproxy_trusted_networks = 0.0.0.0/0
mail_location = maildir:{place}/boxes/%u
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {place}/users
}}
userdb {{
  driver = static
  args = uid={nobody.pw_uid} gid={nobody.pw_gid} home={place}/boxes/%u
}}
service imap-login {{
  inet_listener imap {{
    port = 143
  }}
  inet_listener imap_proxy {{
    port = 1143
    haproxy = yes
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = 110
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
''')
        self.start('dovecot', 'dovecot', '-F', '-c', place / 'dovecot.conf')
        self.wait_listening('dovecot', address, 143, 110, 1143)

    def xrdp(self, address):
        """RDP with its TLS alone; nobody can log in. Returns the certificate's path."""
        place = self.place('xrdp')
        certificate, key = make_certificate(place, 'xrdp', self.shown)
        (place / 'xrdp.ini').write_text(
            f'[Globals]\nini_version=1\nfork=false\nport=tcp://{address}:3389\n'
            f'security_layer=tls\ncertificate={certificate}\nkey_file={key}\n'
            'ssl_protocols=TLSv1.2, TLSv1.3\ntcp_nodelay=true\n'
            f'[Logging]\nLogFile={place}/log\nLogLevel=INFO\nEnableSyslog=false\n'
            '[Xorg]\nname=Xorg\nlib=libxup.so\nusername=ask\npassword=ask\n')
        self.start('xrdp', 'xrdp', '--nodaemon', '--config', place / 'xrdp.ini')
        self.wait_listening('xrdp', address, 3389)
        return certificate

    def iperf3(self, address):
        self.start('iperf3', 'iperf3', '-s', '-B', address, '-p', '5201', '--forceflush')
        self.wait_listening('iperf3', address, 5201)

    def haproxy(self, address):
        """HTTP on port 8081 behind a PROXY header, answered with who the client is."""
        place = self.place('haproxy')
        (place / 'haproxy.cfg').write_text(f'''
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend told
  bind {address}:8081 accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]:%[dst_port]"
''')
        self.start('haproxy', 'haproxy', '-db', '-f', place / 'haproxy.cfg')
        self.wait_listening('haproxy', address, 8081)

    def nginx(self, address):
        """The same as HAProxy, by nginx, on port 8082."""
        place = self.place('nginx')
        (place / 'nginx.conf').write_text(f'''
daemon off;
pid {place}/pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {place}/body;
  server {{
    listen {address}:8082 proxy_protocol;
    return 200 "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port";
  }}
}}
''')
        self.start('nginx', 'nginx', '-e', 'stderr', '-p', place, '-c', place / 'nginx.conf')
        self.wait_listening('nginx', address, 8082)


class ServersTestCase(TestCase):
    """Tests with these servers behind ports of Penstock. Where one fails, all logs are shown."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.servers = RealServers(cls.folder, cls.address)

    @classmethod
    def tearDownClass(cls):
        cls.servers.stop()
        super().tearDownClass()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            for name, _ in self.servers.started:
                print(f'--- log of {name}\n{self.servers.log(name)[-3000:]}', file=sys.stderr)

    def backend(self, host):
        return f'10.245.{self.number}.{host}'
