"""Every kind of object, created, changed and deleted on a real API server while requests flow."""
import http.server
import pathlib
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import Load, TestCase, main, status, wait_until  # noqa: E402


class Objects(TestCase):
    number = 11

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.start_backend('one', 11)
        cls.start_backend('two', 12)
        cls.start_echo(13)

    def test_ingress_created_changed_deleted(self):
        self.service('one', [11])
        self.service('two', [12])
        self.ingress('web', ('web.test', [('Prefix', '/', 'one')]))
        self.wait_answer('web.test', server='one')
        self.ingress('web', ('web.test', [('Prefix', '/', 'two'), ('Exact', '/one', 'one')]))
        self.wait_answer('web.test', server='two')
        self.wait_answer('web.test', '/one', server='one')
        self.cluster.delete('Ingress', 'web', self.name)
        self.wait_answer('web.test', expected=404)

    def test_endpoints_follow_their_slice(self):
        self.service('flip', [11])
        self.ingress('flip', ('flip.test', [('Prefix', '/', 'flip')]))
        self.wait_answer('flip.test', server='one')
        self.endpoints('flip', [12])
        self.wait_answer('flip.test', server='two')
        self.endpoints('flip', [])
        self.wait_answer('flip.test', expected=503)
        self.endpoints('flip', [11, 12])
        self.wait_answer('flip.test', server='one')
        self.wait_answer('flip.test', server='two')
        self.cluster.delete('EndpointSlice', 'flip-1', self.name)
        self.wait_answer('flip.test', expected=503)

    def test_service_deleted_and_created(self):
        self.service('gone', [11])
        self.ingress('gone', ('gone.test', [('Prefix', '/', 'gone')]))
        self.wait_answer('gone.test', server='one')
        self.cluster.delete('Service', 'gone', self.name)
        self.wait_answer('gone.test', expected=503)
        self.service('gone', [12])
        self.wait_answer('gone.test', server='two')

    def test_class_deleted_and_created(self):
        self.service('classed', [11])
        self.cluster.apply({'apiVersion': 'networking.k8s.io/v1', 'kind': 'IngressClass',
                            'metadata': {'name': 't11-other'}, 'spec': {'controller': 'test/t11'}})
        self.ingress('classed', ('classed.test', [('Prefix', '/', 'classed')]),
                     ingress_class='t11-other')
        self.wait_answer('classed.test', server='one')
        self.cluster.delete('IngressClass', 't11-other')
        self.wait_answer('classed.test', expected=404)

    def test_certificate_created_swapped_deleted_under_load(self):
        self.service('tls', [11])
        self.ingress('tls', ('tls.test', [('Prefix', '/', 'tls')]),
                     tls=[{'hosts': ['tls.test'], 'secretName': 'cert'}])
        self.wait_answer('tls.test', tls=True, server='one')
        self.wait_answer('tls.test', expected=308)
        default = self.presented('tls.test')
        first = self.certificate('cert', 'tls.test')
        wait_until('the certificate is presented', lambda: self.presented('tls.test') == first)
        with Load(self, 'tls.test', tls=True) as load:
            second = self.certificate('cert', 'tls.test')
            wait_until('the new one is presented', lambda: self.presented('tls.test') == second)
            sent = load.sent
            wait_until('requests flow on', lambda: load.sent > sent + 50)
        self.assertEqual(load.failures, [])
        self.cluster.delete('Secret', 'cert', self.name)
        wait_until('the default one is back', lambda: self.presented('tls.test') == default)
        self.wait_answer('tls.test', tls=True, server='one')

    def test_upstream_over_https(self):
        self.certificate('upstream', 'inside.test')
        folder = pathlib.Path(self.folder)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = f'server secure\nHost: {self.headers["Host"]}\n'.encode()
                self.send_response(200)
                self.send_header('Content-Length', str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer((f'10.245.{self.number}.14', 8443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / 'cert.pem', folder / 'key.pem')
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.service('secure', [14], target=8443)
        self.ingress('secure', ('secure.test', [('Prefix', '/', 'secure')]),
                     annotations={'backend-protocol': 'HTTPS', 'upstream-vhost': 'inside.test'})
        answer = self.wait_answer('secure.test', server='secure')
        self.assertIn('Host: inside.test', answer.body)
        server.shutdown()

    def test_settings_and_annotations(self):
        self.service('limits', [11])
        self.ingress('limits', ('limits.test', [('Prefix', '/', 'limits')]))
        self.wait_answer('limits.test')
        self.config('settings', proxy_body_size='1k')
        self.wait_answer('limits.test', expected=413, method='POST', body=b'x' * 2000)
        self.ingress('limits', ('limits.test', [('Prefix', '/', 'limits')]),
                     annotations={'proxy-body-size': '3k'})
        self.wait_answer('limits.test', expected=200, method='POST', body=b'x' * 2000)
        self.cluster.delete('ConfigMap', 'settings', self.name)
        self.ingress('limits', ('limits.test', [('Prefix', '/', 'limits')]))
        self.wait_answer('limits.test', expected=200, method='POST', body=b'x' * 2000)

    def test_rules_of_the_config_map_close_an_ingress_that_is_stored(self):
        self.service('ruled', [11])
        path = ('Prefix', '/', 'ruled')
        self.ingress('size', ('size.test', [path]), annotations={'proxy-body-size': '3m'})
        self.ingress('vhost', ('vhost.test', [path]), annotations={'upstream-vhost': 'in.test'})
        for host in ('size.test', 'vhost.test'):
            self.wait_answer(host)
        self.config('settings', annotations_risk_level='Low')
        self.wait_answer('size.test', expected=503)
        self.assertEqual(self.ask('vhost.test').status, 200)
        wait_until('the risk is in the log', lambda: (
            'proxy-body-size: expected an annotation of at most the risk Low'
            in self.controller.text()))
        self.config('settings', annotation_value_word_blocklist='lua,in.')
        self.wait_answer('vhost.test', expected=503)
        self.wait_answer('size.test')
        wait_until('the word is in the log', lambda: (
            "annotation-value-word-blocklist, got one with 'in.'" in self.controller.text()))
        self.cluster.delete('ConfigMap', 'settings', self.name)
        self.wait_answer('vhost.test')

    def test_unknown_annotations_are_reported(self):
        self.service('odd', [11])
        self.ingress('odd', ('odd.test', [('Prefix', '/', 'odd')]),
                     annotations={'rewrite-target': '/x', 'proxy-read-timeout': 'soon'})
        self.wait_answer('odd.test', server='one')
        wait_until('both are in the log', lambda: all(
            text in self.controller.text()
            for text in ('rewrite-target: this annotation is not served',
                         "proxy-read-timeout: expected whole seconds from 1 to 31536000, got "
                         "'soon'")))

    def echo(self, port, text=b'hello'):
        try:
            with socket.create_connection((self.address, port), 3) as stream:
                stream.sendall(text)
                stream.shutdown(socket.SHUT_WR)
                answer = b''
                while piece := stream.recv(4096):
                    answer += piece
                return answer == text
        except OSError:
            return False

    def test_tcp_services_config_map(self):
        self.service('echo', [13], port=7, target=7000)
        self.config('tcp', **{'1101': f'{self.name}/echo:7'})
        wait_until('the port echoes', lambda: self.echo(1101))
        self.config('tcp', **{'1102': f'{self.name}/echo:7'})
        wait_until('the new port echoes', lambda: self.echo(1102))
        wait_until('the old port is closed', lambda: not self.echo(1101))
        self.cluster.delete('ConfigMap', 'tcp', self.name)
        wait_until('the port is closed', lambda: not self.echo(1102))

    def test_tcp_service(self):
        self.service('echo2', [13], port=7, target=7000)

        def tcp_service(port):
            self.cluster.apply(
                {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
                 'metadata': {'name': 'echo', 'namespace': self.name},
                 'spec': {'ingressClassName': self.name,
                          'listeners': [{'name': 'main', 'port': port}],
                          'rules': [{'backends': [{'service': {'name': 'echo2', 'port': 7}}]}]}})
        tcp_service(1111)
        wait_until('the port echoes', lambda: self.echo(1111))
        tcp_service(1112)
        wait_until('the new port echoes', lambda: self.echo(1112))
        wait_until('the old port is closed', lambda: not self.echo(1111))
        self.cluster.delete('TCPService', 'echo', self.name)
        wait_until('the port is closed', lambda: not self.echo(1112))

    def test_status_is_written_by_the_leader(self):
        self.service('state', [11])
        self.ingress('state', ('state.test', [('Prefix', '/', 'state')]))

        def addresses():
            found = self.cluster.get('Ingress', 'state', self.name)
            return found.get('status', {}).get('loadBalancer', {}).get('ingress')
        wait_until('the status holds the address',
                   lambda: addresses() == [{'ip': self.address}])
        lease = self.cluster.get('Lease', 'leader-t11', self.name)
        self.assertTrue(lease['spec']['holderIdentity'])

    def test_metrics(self):
        self.assertGreater(self.metric('penstock_controller_objects'), 0)
        self.assertGreater(self.metric('penstock_controller_change_to_live_seconds_count'), 0)
        wait_until('every watch is connected', lambda: self.metric(
            'penstock_controller_api_disconnected_since_seconds') == 0)
        self.assertEqual(status(self.status_port, '/healthz'), (200, 'ok\n'))


class Flips(TestCase):
    number = 12

    def test_a_thousand_flips_fail_no_request(self):
        self.start_backend('one', 11)
        self.start_backend('two', 12)
        self.service('flip', [11])
        self.ingress('flip', ('flip.test', [('Prefix', '/', 'flip')]))
        self.wait_answer('flip.test', server='one')
        with Load(self, 'flip.test') as load:
            for i in range(1000):
                self.endpoints('flip', [11 + i % 2])
        self.assertEqual(load.failures, [])
        self.assertEqual(len(load.servers), 2)
        self.assertGreater(load.sent, 1000)
        print(f'{load.sent} requests during 1000 flips', file=sys.stderr)

    def test_a_tcp_session_outlives_500_changes(self):
        self.start_echo(13)
        self.service('echo', [13], port=7, target=7000)
        self.config('tcp', **{'1201': f'{self.name}/echo:7'})

        def connect():
            try:
                return socket.create_connection((self.address, 1201), 5)
            except OSError:
                return None
        stream = wait_until('the port is open', connect)
        began = time.monotonic()
        for i in range(500):
            self.ingress('busy', (f'busy{i % 7}.test', [('Prefix', f'/{i}', 'echo')]))
            if i % 50 == 0:
                self.config('settings', keep_alive=str(60 + i % 10))
                self.config('tcp', **{'1201': f'{self.name}/echo:7', str(1210 + i // 50):
                                      f'{self.name}/echo:7'})
            stream.sendall(b'%d\n' % i)
            self.assertEqual(stream.recv(100), b'%d\n' % i)
        while time.monotonic() < began + 60:
            stream.sendall(b'still\n')
            self.assertEqual(stream.recv(100), b'still\n')
            time.sleep(1)
        stream.close()


if __name__ == '__main__':
    main()
