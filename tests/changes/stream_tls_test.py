"""TLS on TCP ports, on a real API server: passed through, terminated, encrypted again, and shared by
server names, with HTTPS, too."""
import base64
import pathlib
import socket
import sys
import threading
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, status, wait_until  # noqa: E402
from tls_server import TlsServer, ask, connect  # noqa: E402


class TlsCase(TestCase):
    """What the tests of both classes build around their ports."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.start_echo(13)
        cls.files = {}
        cls.servers = []

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.close()
        super().tearDownClass()

    # --- what stands around the ports

    def pair(self, name, *hosts):
        """A Secret of this name, and the files (chain, chain with key) of its pair."""
        chain = self.certificate(name, *hosts)
        key = (pathlib.Path(self.folder) / 'key.pem').read_text()
        whole, public = (pathlib.Path(self.folder) / f'{name}{end}' for end in ('.pem', '-ca.pem'))
        whole.write_text(chain + key)
        public.write_text(chain)
        return str(public), str(whole)

    def authority(self, name, chain_file):
        data = base64.b64encode(pathlib.Path(chain_file).read_bytes()).decode()
        self.cluster.apply({'apiVersion': 'v1', 'kind': 'Secret',
                            'metadata': {'name': name, 'namespace': self.name},
                            'data': {'ca.crt': data}})

    def tls_server(self, host, name, certificate, authority=None):
        server = TlsServer((f'10.245.{self.number}.{host}', 7443), name, certificate, authority)
        self.servers.append(server)
        self.service(name, [host], port=7, target=7443)
        return server

    def tcp_service(self, name, port, tls, rules):
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name,
                      'listeners': [{'name': 'main', 'port': port, **({'tls': tls} if tls else {})}],
                      'rules': rules}})

    def to(self, service, tls=None, **match):
        backend = {'service': {'name': service, 'port': 7}, **({'tls': tls} if tls else {})}
        return {'backends': [backend], **({'match': match} if match else {})}

    def condition(self, name, kind):
        found = self.cluster.get('TCPService', name, self.name)
        for each in found.get('status', {}).get('conditions', []):
            if each['type'] == kind:
                fresh = each['observedGeneration'] == found['metadata']['generation']
                return each if fresh else {}
        return {}

    def wait_condition(self, name, kind, status, reason):
        def holds():
            found = self.condition(name, kind)
            return found if (found.get('status'), found.get('reason')) == (status, reason) else None
        return wait_until(f'{name}: {kind}={status} {reason}', holds)

    def wait_ask(self, port, expected, server_name=None, **options):
        wait_until(f'port {port} for {server_name} answers {expected}', lambda: ask(
            (self.address, port), server_name, **options) == expected)


class StreamTls(TlsCase):
    number = 19

    def test_passed_through_by_name_and_protocol(self):
        public, whole = self.pair('passed', 'one.test', 'other.test', 'x.wild.test')
        for host, name in ((31, 'one'), (32, 'wild'), (33, 'rest'), (34, 'quick')):
            self.tls_server(host, name, whole)
        self.tcp_service('passed', 1901, {'mode': 'Passthrough'}, [
            self.to('quick', sni=['one.test'], alpn=['echo']), self.to('one', sni=['one.test']),
            self.to('wild', sni=['*.wild.test']), self.to('rest')])
        self.wait_ask(1901, 'one/one.test hello', 'one.test', authority=public)
        self.wait_ask(1901, 'quick/one.test hello', 'one.test', protocols=['none', 'echo'])
        self.wait_ask(1901, 'wild/x.wild.test hello', 'x.wild.test', authority=public)
        self.wait_ask(1901, 'rest/other.test hello', 'other.test', authority=public)
        self.wait_ask(1901, 'rest/None hello')
        with socket.create_connection((self.address, 1901), 10) as clear:
            clear.sendall(b'in the clear')
            self.assertEqual(clear.recv(10), b'')

    def test_terminated_with_secrets_that_change(self):
        self.service('echo', [13], port=7, target=7000)
        first, _ = self.pair('first', 'one.test')
        second, _ = self.pair('second', '*.two.test')
        self.tcp_service('ended', 1911, {
            'mode': 'Terminate', 'certificateRefs': [{'name': 'first'}, {'name': 'second'}]},
            [self.to('echo')])
        address = (self.address, 1911)
        self.wait_ask(1911, 'hello', 'one.test', authority=first)
        self.assertEqual(ask(address, 'a.two.test', authority=second), 'hello')
        self.assertIsNone(ask(address, 'one.test', authority=second))
        # A new pair is live, and sessions go on.
        session = connect(address, 'one.test', authority=first)
        renewed, _ = self.pair('first', 'one.test')
        self.wait_ask(1911, 'hello', 'one.test', authority=renewed)
        self.assertIsNone(ask(address, 'a.two.test', authority=renewed))
        session.sendall(b'still here')
        self.assertEqual(session.recv(100), b'still here')
        session.close()
        # Without any usable pair nobody gets in, least of all in the clear.
        self.tcp_service('ended', 1911, {'mode': 'Terminate', 'certificateRefs': [{'name': 'gone'}]},
                         [self.to('echo')])
        found = self.wait_condition('ended', 'ResolvedRefs', 'False', 'InvalidCertificate')
        self.assertIn(f"'{self.name}/gone' does not exist", found['message'])
        wait_until('no handshake succeeds', lambda: ask(address, 'one.test') is None)
        with socket.create_connection(address, 10) as clear:
            clear.sendall(b'in the clear')
            try:
                self.assertNotIn(b'in the clear', clear.recv(100))
            except ConnectionError:
                pass
        # The Secret comes: the port opens by itself.
        gone, _ = self.pair('gone', 'one.test')
        self.wait_ask(1911, 'hello', 'one.test', authority=gone)
        self.wait_condition('ended', 'ResolvedRefs', 'True', 'ResolvedRefs')

    def test_clients_show_a_certificate(self):
        self.service('echo', [13], port=7, target=7000)
        server, _ = self.pair('guarded', 'one.test')
        client, client_pair = self.pair('client', 'client')
        _, stranger_pair = self.pair('stranger', 'stranger')
        self.authority('clients', client)
        tls = {'mode': 'Terminate', 'certificateRefs': [{'name': 'guarded'}], 'minVersion': '1.3',
               'clientAuth': {'mode': 'Required', 'caRef': {'name': 'clients'}}}
        self.tcp_service('guarded', 1921, tls, [self.to('echo')])
        self.wait_ask(1921, 'hello', 'one.test', authority=server, pair=client_pair)
        address = (self.address, 1921)
        self.assertIsNone(ask(address, 'one.test', authority=server))
        self.assertIsNone(ask(address, 'one.test', authority=server, pair=stranger_pair))
        tls['clientAuth']['mode'] = 'Optional'
        self.tcp_service('guarded', 1921, tls, [self.to('echo')])
        self.wait_ask(1921, 'hello', 'one.test', authority=server)
        self.assertIsNone(ask(address, 'one.test', authority=server, pair=stranger_pair))
        tls['clientAuth']['caRef']['name'] = 'nobody'
        self.tcp_service('guarded', 1921, tls, [self.to('echo')])
        self.wait_condition('guarded', 'ResolvedRefs', 'False', 'InvalidCertificate')
        wait_until('nobody gets in', lambda: ask(address, 'one.test') is None)

    def test_encrypted_again_with_verification(self):
        inner, inner_pair = self.pair('inner', 'inner.test')
        _, wrong_pair = self.pair('wrong', 'inner.test')
        ours, _ = self.pair('ours', 'penstock')
        outer, _ = self.pair('outer', 'one.test')
        self.authority('inner-ca', inner)
        right = self.tls_server(41, 'inner', inner_pair, ours)
        wrong = TlsServer((f'10.245.{self.number}.42', 7443), 'wrong', wrong_pair)
        self.servers.append(wrong)
        self.endpoints('inner', [42, 41], 7443)
        tls = {'serverName': 'inner.test', 'caRef': {'name': 'inner-ca'},
               'clientCertRef': {'name': 'ours'}}
        self.tcp_service('again', 1931, {'mode': 'Terminate', 'certificateRefs': [{'name': 'outer'}]},
                         [self.to('inner', tls)])
        self.wait_ask(1931, 'inner/inner.test hello', 'one.test', authority=outer)
        for _ in range(4):
            self.assertEqual(ask((self.address, 1931), 'one.test', authority=outer),
                             'inner/inner.test hello')
        self.assertGreater(wrong.failures, 0)
        wait_until('the log says why', lambda: 'certificate verify failed' in self.proxy.text())
        self.assertEqual(right.failures, 0)
        self.endpoints('inner', [42], 7443)
        wait_until('the wrong one alone is not taken', lambda: ask(
            (self.address, 1931), 'one.test', authority=outer) is None)

    def test_the_api_server_refuses_what_has_no_meaning(self):
        def refused(expected, tls, rules):
            with self.assertRaises(urllib.error.HTTPError) as error:
                self.tcp_service('bad', 1941, tls, rules)
            self.assertIn(expected, error.exception.read().decode())
        refused('mode Terminate needs certificateRefs', {'mode': 'Terminate'}, [self.to('echo')])
        refused('mode Passthrough decrypts nothing', {
            'mode': 'Passthrough', 'certificateRefs': [{'name': 'a'}]}, [self.to('echo')])
        refused('need a listener with tls', None, [self.to('echo', sni=['one.test'])])
        refused('need a listener with tls', None, [self.to('echo', alpn=['h2'])])
        refused('needs serverName', None, [self.to('echo', {'caRef': {'name': 'a'}})])
        refused('should match', {'mode': 'Passthrough'}, [self.to('echo', sni=['a.*.test'])])
        refused('Unsupported value', {'mode': 'Terminate', 'minVersion': '1.1',
                                      'certificateRefs': [{'name': 'a'}]}, [self.to('echo')])


class SharedPorts(TlsCase):
    number = 78
    controller_flags = ('--stream-port-policies', '--enable-ssl-passthrough')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.start_backend('web', 11)
        cls.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'StreamPortPolicy',
             'metadata': {'name': cls.name},
             'spec': {'ingressClassName': cls.name, 'allowPrivileged': True, 'ports': [
                 {'start': 443, 'end': 443}, {'start': 7800, 'end': 7899}]}})

    def passed(self, name, port, *names):
        self.tcp_service(name, port, {'mode': 'Passthrough'}, [
            self.to(name.split('-')[0], **({'sni': list(names)} if names else {}))])

    def test_several_have_names_of_one_port(self):
        _, whole = self.pair('shared', 'one.test', 'two.test')
        for host, name in ((31, 'one'), (32, 'two'), (33, 'three')):
            self.tls_server(host, name, whole)
        self.passed('one', 7801, 'one.test')
        self.passed('two', 7801, 'two.test', '*.two.test')
        self.wait_ask(7801, 'one/one.test hello', 'one.test')
        self.wait_ask(7801, 'two/two.test hello', 'two.test')
        self.wait_ask(7801, 'two/a.two.test hello', 'a.two.test')
        for name in ('one', 'two'):
            self.wait_condition(name, 'Programmed', 'True', 'Programmed')
            self.wait_condition(name, 'Conflicted', 'False', 'NoConflict')
        self.assertIsNone(ask((self.address, 7801), 'other.test'))
        # Somebody wants a name that another has, and somebody the whole port.
        self.passed('three', 7801, 'two.test', 'three.test')
        found = self.wait_condition('three', 'Accepted', 'False', 'SNIConflict')
        self.assertIn(f'the server name two.test of port 7801 is already taken by the TCPService '
                      f'{self.name}/two', found['message'])
        self.wait_condition('three', 'Conflicted', 'True', 'SNIConflict')
        self.tcp_service('raw', 7801, None, [self.to('one')])
        self.wait_condition('raw', 'Accepted', 'False', 'PortConflict')
        # The owner of the name goes: the next one has it, and nobody else notices.
        session = connect((self.address, 7801), 'one.test')
        failures, is_over = [], threading.Event()

        def go_on():
            while not is_over.is_set():
                answer = ask((self.address, 7801), 'one.test')
                if answer != 'one/one.test hello':
                    failures.append(answer)
        client = threading.Thread(target=go_on)
        client.start()
        self.cluster.delete('TCPService', 'two', self.name)
        self.wait_ask(7801, 'three/two.test hello', 'two.test')
        self.wait_condition('three', 'Programmed', 'True', 'Programmed')
        is_over.set()
        client.join()
        self.assertEqual(failures, [])
        # The one whose port it seemed to be goes as well: the port stays open.
        self.cluster.delete('TCPService', 'raw', self.name)
        self.cluster.delete('TCPService', 'one', self.name)
        wait_until('the name is gone', lambda: ask((self.address, 7801), 'one.test') is None)
        self.assertEqual(ask((self.address, 7801), 'three.test'), 'three/three.test hello')
        session.sendall(b'still here')
        self.assertEqual(session.recv(100), b'one/one.test still here')
        session.close()
        counted = status(self.admin_port, '/metrics')[1]
        for name in ('two', 'three'):
            self.assertIn(f'penstock_stream_sessions_total{{stream="tcp/7801",'
                          f'namespace="{self.name}",name="{name}",', counted)

    def test_names_of_443_beside_hosts(self):
        _, whole = self.pair('beside', 'vault.test')
        self.tls_server(41, 'vault', whole)
        self.service('web', [11])
        self.ingress('web', ('web.test', [('Prefix', '/', 'web')]))
        self.wait_answer('web.test', tls=True, server='web')
        own = self.presented('vault.test')
        self.passed('vault', 443, 'vault.test', '*.test')
        self.wait_ask(443, 'vault/vault.test hello', 'vault.test')
        self.assertEqual(ask((self.address, 443), 'else.test'), 'vault/else.test hello')
        self.assertNotEqual(self.presented('vault.test'), own)
        for _ in range(4):
            self.wait_answer('web.test', tls=True, server='web')
        self.assertEqual(self.presented('web.test'), own)
        self.wait_condition('vault', 'Programmed', 'True', 'Programmed')
        # What a host has, and what is not by name, cannot be had.
        self.passed('vault-thief', 443, 'web.test')
        found = self.wait_condition('vault-thief', 'Accepted', 'False', 'SNIConflict')
        self.assertIn(f'already taken by the Ingress {self.name}/web', found['message'])
        self.passed('vault-greedy', 443)
        self.wait_condition('vault-greedy', 'Accepted', 'False', 'PortReserved')
        self.tcp_service('raw-443', 443, None, [self.to('vault')])
        self.wait_condition('raw-443', 'Accepted', 'False', 'PortReserved')
        # The host goes, and the thief is the next to have asked for its name.
        session = connect((self.address, 443), 'vault.test')
        self.cluster.delete('Ingress', 'web', self.name)
        self.wait_ask(443, 'vault/web.test hello', 'web.test')
        self.wait_condition('vault-thief', 'Accepted', 'True', 'Accepted')
        for name in ('vault', 'vault-thief'):
            self.cluster.delete('TCPService', name, self.name)
        wait_until('HTTPS has all names again', lambda: self.presented('vault.test') == own)
        session.sendall(b'still here')
        self.assertEqual(session.recv(100), b'vault/vault.test still here')
        session.close()

    def test_a_host_is_passed_through_by_its_annotation(self):
        _, whole = self.pair('sealed', 'sealed.test')
        self.tls_server(51, 'sealed', whole)
        self.service('sealed-web', [51], target=7443)
        self.service('web', [11])
        self.ingress('open', ('open.test', [('Prefix', '/', 'web')]))
        self.wait_answer('open.test', tls=True, server='web')
        own = self.presented('open.test')
        rule = ('sealed.test', [('Prefix', '/', 'sealed-web')])
        self.ingress('sealed', rule, annotations={'ssl-passthrough': 'true'})
        self.wait_ask(443, 'sealed/sealed.test hello', 'sealed.test')
        self.wait_answer('open.test', tls=True, server='web')
        # Its access list holds without a byte being decrypted.
        self.ingress('sealed', rule, annotations={
            'ssl-passthrough': 'true', 'whitelist-source-range': '192.0.2.0/24'})
        wait_until('nobody is admitted', lambda: ask((self.address, 443), 'sealed.test') is None)
        self.ingress('sealed', rule, annotations={'ssl-passthrough': 'false'})
        wait_until('TLS is ended here', lambda: self.presented('sealed.test') == own)
        counted = status(self.admin_port, '/metrics')[1]
        self.assertIn(f'penstock_stream_sessions_total{{stream="tcp/443",'
                      f'namespace="{self.name}",name="sealed",', counted)


if __name__ == '__main__':
    main()
