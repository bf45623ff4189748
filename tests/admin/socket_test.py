"""The proxy's admin socket: what it tells, and what it can be told."""
import contextlib
import http.client
import os
import signal
import stat
import socket
import subprocess
import threading
import unittest

import running


class Socket(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.one, cls.two, cls.gone, cls.tcp = (running.free_port() for _ in range(4))
        # Answers each datagram with itself.
        cls.echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        cls.echo.bind(('127.0.0.1', 0))
        threading.Thread(target=cls.answer_datagrams, args=(cls.echo,), daemon=True).start()
        cls.udp = cls.echo.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(('127.0.0.1', 0))
            cls.udp_port = probe.getsockname()[1]
        tcp = f'''---
apiVersion: v1
kind: ConfigMap
metadata: {{name: tcp, namespace: default}}
data: {{"{cls.tcp}": "default/web:80"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: udp, namespace: default}}
data: {{"{cls.udp_port}": "default/echo:53"}}
---
apiVersion: v1
kind: Service
metadata: {{name: echo}}
spec: {{ports: [{{port: 53, protocol: UDP}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: echo, labels: {{kubernetes.io/service-name: echo}}}}
addressType: IPv4
ports: [{{port: {cls.udp}, protocol: UDP, name: ''}}]
endpoints: [{{addresses: [127.0.0.1]}}]
'''
        cls.site = running.Running(
            running.service('web', cls.one, cls.two) + running.service('down', cls.gone) +
            running.service('none') + running.ingress('web', 'web.test', 'web') +
            running.ingress('down', 'down.test', 'down', '/d') +
            running.ingress('none', 'none.test', 'none') + tcp,
            '--tcp-services-configmap', 'default/tcp', '--udp-services-configmap', 'default/udp')
        cls.site.backend('one', cls.one)
        cls.site.backend('two', cls.two)

    @classmethod
    def tearDownClass(cls):
        cls.site.stop()
        cls.echo.close()

    @staticmethod
    def answer_datagrams(echo):
        with contextlib.suppress(OSError):
            while True:
                text, peer = echo.recvfrom(65536)
                echo.sendto(text, peer)

    def endpoints(self, name='default/web/80'):
        found = self.site.local('/v1/upstreams', q=name)[1]['items']
        return {each['address']: each for each in found[0]['endpoints']}

    def error(self, reason):
        items = self.site.local('/v1/errors')[1]['items']
        none = {'reason': reason, 'count': 0, 'last': []}
        return next((each for each in items if each['reason'] == reason), none)

    def servers(self, count=20):
        """Who answers: the first line of penstock-demo's answers."""
        return {self.site.ask('web.test')[1].splitlines()[0] for _ in range(count)}

    def test_only_its_user_may_connect(self):
        mode = os.stat(self.site.path / 'admin.sock').st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_summary(self):
        status, summary, _ = self.site.local('/v1/summary')
        self.assertEqual(status, 200)
        self.assertEqual(summary['traffic']['workers'], 2)
        self.assertTrue(summary['is_controller_connected'])
        self.assertEqual(summary['table']['version'], summary['table']['adopting'])
        self.assertEqual(summary['counts']['streams'], 2)
        self.assertEqual(summary['problems'], [])
        self.assertEqual({each['name'] for each in summary['listeners']},
                         {f'http [127.0.0.1]:{self.site.http}',
                          f'https [127.0.0.1]:{self.site.https}'})

    def test_pages_follow_each_other(self):
        names, after = [], ''
        while after is not None:
            page = self.site.local('/v1/hosts', limit=1, after=after)[1]
            self.assertLessEqual(len(page['items']), 1)
            names += [each['name'] for each in page['items']]
            after = page['next']
        whole = self.site.local('/v1/hosts')[1]
        self.assertEqual(names, [each['name'] for each in whole['items']])
        self.assertEqual(whole['total'], len(names))
        self.assertIn('web.test', names)
        only = self.site.local('/v1/hosts', q='DOWN.')[1]
        self.assertEqual([each['name'] for each in only['items']], ['down.test'])
        self.assertEqual([each['path'] for each in only['items'][0]['routes']], ['/', '/d'])
        self.assertEqual(self.site.local('/v1/hosts', limit=0)[0], 400)
        self.assertEqual(self.site.local('/v1/hosts', limit='many')[0], 400)

    def test_endpoints_count_what_they_do(self):
        before = self.endpoints()
        for _ in range(10):
            self.assertEqual(self.site.ask('web.test')[0], 200)
        after = self.endpoints()
        more = {each: after[each]['requests'] - before[each]['requests'] for each in after}
        self.assertEqual(set(more), {f'127.0.0.1:{self.one}', f'127.0.0.1:{self.two}'})
        self.assertEqual(sum(more.values()), 10)
        self.assertGreater(min(each['average_ms'] for each in after.values()), 0)
        self.assertTrue(all(each['is_up'] for each in after.values()))

    def test_streams(self):
        with socket.create_connection(('127.0.0.1', self.tcp), 5):
            stream = self.site.wait('a session', lambda: [
                each for each in self.site.local('/v1/streams')[1]['items']
                if each['active'] == 1 and each['protocol'] == 'TCP'])[0]
        self.assertEqual((stream['name'], stream['protocol'], stream['problem']),
                         (f'tcp/{self.tcp}', 'TCP', ''))
        self.assertEqual(stream['upstreams'], ['tcp/default/web/80'])
        self.site.wait('its end is counted', lambda: [
            each for each in self.site.local('/v1/streams')[1]['items']
            if (each['active'], each['failures']) == (0, 0) and each['sessions'] >= 1])

    def command(self, *arguments):
        return [running.BIN / 'penstock', *arguments, '--socket', self.site.path / 'admin.sock']

    def test_top_and_tap_tell_of_a_session(self):
        port = f'tcp/{self.tcp}'
        followed = f'sessions of {port} are followed'
        before = self.site.log.read_text().count(followed)
        tap = subprocess.Popen(self.command('tap', port, '--client', '127.0.0.0/8'),
                               stdout=subprocess.PIPE, text=True)
        self.addCleanup(tap.kill)
        self.site.wait('somebody follows',
                       lambda: self.site.log.read_text().count(followed) > before)
        client = http.client.HTTPConnection('127.0.0.1', self.tcp, timeout=10)
        with contextlib.closing(client):
            client.request('GET', '/')
            self.assertTrue(client.getresponse().read())
            name = '127.0.0.1:%d' % client.sock.getsockname()[1]
            done = subprocess.run(self.command('top', '--once', '--by', port), text=True,
                                  capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            row = next(each for each in done.stdout.splitlines() if f' {name} ' in each)
            self.assertRegex(row, rf'^{port} .* 127.0.0.1:({self.one}|{self.two}) +proxying +\d+s +'
                                  r'[1-9]\d* +[1-9]\d*$')
        self.site.wait('its end', lambda: [each for each in self.site.local('/v1/streams')[1]['items']
                                           if each['active'] == 0])
        tap.send_signal(signal.SIGINT)
        lines = [each for each in tap.communicate(timeout=60)[0].splitlines() if f' {name} ' in each]
        self.assertEqual(tap.returncode, 0)
        self.assertEqual([each.split()[1] for each in lines], ['begin', 'end'])
        self.assertRegex(lines[1], r' reason=client_closed received=[1-9]\d* sent=[1-9]\d* ')
        ended = {each['reason']: each['count']
                 for each in self.site.local('/v1/sessions', port=port)[1]['ended']}
        self.assertGreaterEqual(ended['client_closed'], 1)
        done = subprocess.run(self.command('top', '--once'), text=True, capture_output=True,
                              timeout=60)
        self.assertRegex(done.stdout, rf'(?m)^{ended["client_closed"]} +client_closed$')
        self.assertEqual(self.site.local('/v1/sessions', port='tcp/1')[1],
                         {'active': 0, 'examined': 0, 'items': [], 'ended': []})

    def tap(self, port, *flags):
        """A command that follows the port, as soon as it does."""
        followed = f'sessions of {port} '
        before = self.site.log.read_text().count(followed)
        tap = subprocess.Popen(self.command('tap', port, *flags), stdout=subprocess.PIPE,
                               text=True)
        self.addCleanup(tap.kill)
        self.site.wait('somebody follows',
                       lambda: self.site.log.read_text().count(followed) > before)
        return tap

    def lines_of(self, tap):
        tap.send_signal(signal.SIGINT)
        text = tap.communicate(timeout=60)[0]
        self.assertEqual(tap.returncode, 0)
        return text.splitlines()

    def wait_idle(self):
        self.site.wait('no session', lambda: not self.site.local('/v1/sessions')[1]['active'])

    def test_a_tap_with_bytes_shows_the_shape_of_what_is_said(self):
        port = f'tcp/{self.tcp}'
        tap = self.tap(port, '--client', '127.0.0.0/8', '--bytes', '64')
        self.assertRegex(self.site.log.read_text(),
                         rf'sessions of {port} \(bytes=64\) are followed for 60 s')
        secret = 'Sup3r-S3cret'
        client = http.client.HTTPConnection('127.0.0.1', self.tcp, timeout=10)
        with contextlib.closing(client):
            client.putrequest('GET', '/', skip_host=True, skip_accept_encoding=True)
            client.putheader('Cookie', secret)
            client.endheaders()
            self.assertTrue(client.getresponse().read())
            name = '127.0.0.1:%d' % client.sock.getsockname()[1]
        self.wait_idle()
        lines = [each for each in self.lines_of(tap) if f' {name} ' in each]
        events = [each.split()[1] for each in lines]
        self.assertEqual((events[0], events[-1]), ('begin', 'end'))
        self.assertEqual(set(events[1:-1]), {'data'})
        self.assertIn(r' from=client offset=0 bytes=40 text="AAA / AAAA/9.9\r\nAaaaaa: '
                      r'Aaa9a-A9aaaa\r\n\r\n"', lines[1])
        self.assertRegex(lines[2], r' from=upstream offset=0 bytes=\d+( of=\d+)? '
                                   r'text="AAAA/9\.9 999 AA\\r\\n')
        self.assertNotIn(secret, '\n'.join(lines) + self.site.log.read_text())

    def test_a_tap_of_a_udp_port_shows_datagrams(self):
        tap = self.tap(f'udp/{self.udp_port}', '--bytes', '3')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect(('127.0.0.1', self.udp_port))
            client.send(b'\x00\x01ab')
            self.assertEqual(client.recv(99), b'\x00\x01ab')
            name = '127.0.0.1:%d' % client.getsockname()[1]
        self.wait_idle()
        lines = [each for each in self.lines_of(tap) if f' {name} udp/{self.udp_port} ' in each]
        self.assertEqual([each.split()[1] for each in lines], ['begin', 'data', 'data', 'end'])
        self.assertTrue(lines[1].endswith(r' from=client offset=0 bytes=3 of=4 text="\0.a"'), lines)
        self.assertTrue(lines[2].endswith(r' from=upstream offset=0 bytes=3 of=4 text="\0.a"'), lines)
        self.assertIn(' reason=answered received=4 sent=4 ', lines[3])

    def test_sessions_that_record_are_bounded_and_the_rest_is_told(self):
        tap = self.tap(f'tcp/{self.tcp}', '--bytes', '64')
        with contextlib.ExitStack() as stack:
            for _ in range(66):
                stack.enter_context(socket.create_connection(('127.0.0.1', self.tcp), 5))
            self.site.wait('all of them', lambda: self.site.local(
                '/v1/sessions', port=f'tcp/{self.tcp}')[1]['active'] >= 66)
            lines = self.lines_of(tap)
        self.assertEqual(sum(int(each.split()[3]) for each in lines
                             if each.startswith('the bytes of ')), 2, lines[-3:])
        self.wait_idle()

    def test_a_tap_ends_by_itself(self):
        done = subprocess.run(self.command('tap', f'tcp/{self.tcp}', '--duration', '1s'),
                              capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, b''))

    def test_certificates(self):
        found = self.site.local('/v1/certificates')[1]['items']
        self.assertEqual([each['name'] for each in found], ['default'])
        self.assertRegex(found[0]['not_after'], r'^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$')
        self.assertNotIn('PRIVATE', str(found))

    def test_errors_by_reason(self):
        before = self.error('no_rule')['count']
        self.assertEqual(self.site.ask('nobody.test', '/a<b>?secret')[0], 404)
        error = self.error('no_rule')
        self.assertEqual(error['count'], before + 1)
        self.assertEqual((error['last'][0]['what'], error['last'][0]['client']),
                         ('nobody.test/a<b>', '127.0.0.1'))
        self.assertEqual(self.site.ask('down.test', '/d')[0], 502)
        self.assertEqual(self.error('connect_refused')['last'][0]['endpoint'],
                         f'127.0.0.1:{self.gone}')
        self.assertEqual(self.site.ask('none.test')[0], 503)
        self.assertEqual(self.error('no_endpoint')['last'][0]['what'], 'none.test/')
        self.assertEqual(self.site.ask('web.test', '/%')[0], 400)
        self.assertEqual(self.error('bad_request')['last'][0]['status'], 400)
        for _ in range(50):
            self.site.ask('nobody.test')
        self.assertLessEqual(len(self.error('no_rule')['last']), 8)
        self.assertEqual(self.error('connect_refused')['last'][0]['what'], 'down.test/d')

    def test_a_drained_endpoint_takes_nothing_new_until_it_is_undrained(self):
        endpoint = f'127.0.0.1:{self.one}'
        self.assertEqual(len(self.servers()), 2)
        status, actions, _ = self.site.local('/v1/drain', 'POST', endpoint=endpoint,
                                             upstream='default/web/80')
        self.assertEqual((status, actions['drained'][0]['endpoint']), (200, endpoint))
        try:
            self.site.wait('it takes nothing new', lambda: len(self.servers()) == 1)
            self.assertTrue(self.endpoints()[endpoint]['is_drained'])
            # Another table does not bring it back.
            version = self.site.local('/v1/summary')[1]['table']['version']
            self.site.write(running.ingress('more', 'more.test', 'web'), 'more.yaml')
            self.site.wait('another table', lambda: self.site.local('/v1/summary')[1]['table'][
                'version'] > version)
            self.assertEqual(len(self.servers()), 1)
            status, answer, _ = self.site.local('/v1/drain', 'POST',
                                                endpoint=f'127.0.0.1:{self.two}')
            self.assertEqual(status, 409)
            self.assertIn('is the last endpoint of default/web/80', answer['error'])
            self.site.local('/v1/drain', 'POST', endpoint=f'127.0.0.1:{self.two}', force='true')
            self.site.wait('nobody takes anything', lambda: self.site.ask('web.test')[0] == 503)
        finally:
            for port in (self.one, self.two):
                self.site.local('/v1/undrain', 'POST', endpoint=f'127.0.0.1:{port}')
        self.site.wait('both take requests', lambda: len(self.servers()) == 2)
        self.assertEqual(self.site.local('/v1/actions')[1]['drained'], [])
        self.assertEqual(self.site.local('/v1/drain', 'POST', endpoint='10.0.0.1:1')[0], 404)
        self.assertEqual(self.site.local('/v1/undrain', 'POST', endpoint='10.0.0.1:1')[0], 404)

    def lines(self, text):
        return [line for line in self.site.log.read_text().splitlines()
                if ' detail: ' in line and text in line]

    def test_detailed_lines_for_one_host_for_a_while(self):
        self.site.ask('web.test', '/quiet')
        status, actions, _ = self.site.local('/v1/log-level', 'POST', host='WEB.test',
                                             level='debug', seconds=60)
        self.assertEqual((status, actions['log_rules'][0]['match']), (200, 'host web.test'))

        def asked():
            self.site.ask('web.test', '/loud')
            return self.lines('path=/loud')
        line = self.site.wait('a detailed line', asked)[0]
        self.assertIn('host=web.test method=GET path=/loud status=200', line)
        self.site.ask('down.test', '/d')
        self.assertEqual(self.lines('path=/quiet') + self.lines('host=down.test'), [])
        self.site.local('/v1/log-level', 'POST', host='web.test', level='off')
        self.assertEqual(self.site.local('/v1/actions')[1]['log_rules'], [])
        # It ends by itself.
        self.site.local('/v1/log-level', 'POST', client='127.0.0.0/8', level='error', seconds=1)
        self.site.wait('it has ended',
                       lambda: not self.site.local('/v1/actions')[1]['log_rules'])
        count = len(self.lines(''))
        self.site.ask('down.test', '/d')
        self.assertEqual(len(self.lines('')), count)

    def test_what_is_refused(self):
        post = lambda **parameters: self.site.local('/v1/log-level', 'POST', **parameters)
        self.assertEqual(post(level='debug')[0], 400)
        self.assertEqual(post(host='a', port=1, level='debug')[0], 400)
        self.assertEqual(post(host='a', level='loud')[0], 400)
        self.assertEqual(post(host='a', level='debug', seconds=3601)[0], 400)
        self.assertEqual(post(client='10.0.0.0/40', level='debug')[0], 400)
        self.assertEqual(post(port=0, level='debug')[0], 400)
        self.assertEqual(self.site.local('/v1/sessions', port='53')[0], 400)
        self.assertEqual(self.site.local('/v1/sessions', limit='1001')[0], 400)
        self.assertEqual(self.site.local('/v1/tap', 'POST', port='53')[0], 400)
        for number in ('0', '4097', 'all'):
            status, answer, _ = self.site.local('/v1/tap', 'POST', port='tcp/1', bytes=number)
            self.assertEqual((status, answer['error']),
                             (400, f"bytes: expected 1 to 4096, got '{number}'"))
        self.assertEqual(self.site.local('/v1/tap', 'POST', port='tcp/1', seconds='601')[0], 400)
        self.assertEqual(self.site.local('/v1/tap', id='0')[0], 404)
        self.assertEqual(self.site.local('/v1/drain')[0], 405)
        self.assertEqual(self.site.local('/v1/summary', 'POST')[0], 405)
        self.assertEqual(self.site.local('/v1/nothing')[0], 404)


class TakenPort(unittest.TestCase):
    """Somebody else has the port of HTTP when the proxy starts."""

    def ready(self, site):
        connection = http.client.HTTPConnection('127.0.0.1', site.proxy_status, timeout=10)
        connection.request('GET', '/readyz')
        return site.finish(connection)[:2]

    def test_the_proxy_is_not_ready_until_it_has_it(self):
        with socket.socket() as other:
            other.bind(('127.0.0.1', 0))
            other.listen()
            site = running.Running('', http_port=other.getsockname()[1])
            self.addCleanup(site.stop)
            status, text = self.ready(site)
            self.assertEqual((status, text.split(':')[0]), (503, 'a port of HTTP or HTTPS cannot be opened'))
            self.assertIn(f'cannot open http [127.0.0.1]:{site.http}: Address already in use',
                          site.log.read_text())
        site.wait('it is ready', lambda: self.ready(site)[0] == 200)


if __name__ == '__main__':
    unittest.main(verbosity=2, warnings='ignore')
