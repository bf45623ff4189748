"""The controller's admin API: who gets in, what is told, and what the log says of it."""
import subprocess
import unittest

import running

HOSTILE = '<img src=x onerror=alert(1)>'


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = running.free_port()
        cls.site = running.Running(
            running.service('web', cls.port, running.free_port()) +
            running.ingress('web', 'web.test', 'web', annotations={
                'nginx.ingress.kubernetes.io/proxy-body-size': HOSTILE}))

    @classmethod
    def tearDownClass(cls):
        cls.site.stop()

    def audit(self, text):
        return self.site.wait(f'an audit line with {text}', lambda: [
            line for line in self.site.log.read_text().splitlines()
            if ' audit ' in line and text in line])

    def test_nothing_is_told_without_a_token(self):
        for token in (None, 'x' * 20, ''):
            status, answer, headers = self.site.api('/api/v1/controller', token=token)
            self.assertEqual((status, list(answer)), (401, ['error']))
            self.assertEqual(headers['WWW-Authenticate'], 'Bearer')
        self.assertEqual(self.site.api('/api/v1/proxy/drain', 'POST', token='x' * 20)[0], 401)
        self.audit('user=- peer=127.0.0.1 method=POST path=/api/v1/proxy/drain parameters=- '
                   'result=401')
        self.assertNotIn('x' * 20, self.site.log.read_text())

    def test_what_the_controller_tells(self):
        status, answer, _ = self.site.api('/api/v1/controller')
        self.assertEqual(status, 200)
        self.assertEqual((answer['is_leading'], answer['proxies'], answer['proxies_current']),
                         (None, 1, 1))
        diagnostics = answer['diagnostics']
        self.assertEqual(diagnostics['total'], 1)
        self.assertEqual(diagnostics['items'][0]['object'], 'Ingress default/web')
        self.assertIn(HOSTILE, diagnostics['items'][0]['message'])
        self.assertEqual(self.site.api('/api/v1/controller', q='nothing')[1]['diagnostics'],
                         {'total': 0, 'next': None, 'items': []})
        kinds = {each['kind']: each['objects'] for each in answer['sources']}
        self.assertEqual((kinds['Ingress'], kinds['Service']), (1, 1), kinds)
        self.assertEqual(self.site.api('/api/v1/controller', limit='x')[0], 400)

    def test_what_the_proxy_tells_comes_through(self):
        for name in ('summary', 'hosts', 'upstreams', 'streams', 'certificates', 'errors',
                     'sessions', 'actions'):
            status, answer, _ = self.site.api(f'/api/v1/proxy/{name}')
            self.assertEqual(status, 200, answer)
        found = self.site.api('/api/v1/proxy/hosts', q='web.t&limit=0')[1]
        self.assertEqual(found['total'], 0)
        for path in ('/api/v1/proxy/../v1/summary', '/api/v1/proxy/nothing', '/api/v1/nothing',
                     '/etc/passwd', '/api/v1/proxy/drain'):
            self.assertEqual(self.site.api(path)[0], 404, path)
        self.assertEqual(self.site.api('/api/v1/whoami')[1], {'user': 'token-file'})

    def test_actions_are_done_and_audited(self):
        endpoint = f'127.0.0.1:{self.port}'
        status, answer, _ = self.site.api('/api/v1/proxy/drain', 'POST', endpoint=endpoint)
        self.assertEqual((status, answer['drained'][0]['endpoint']), (200, endpoint))
        self.audit(f'user=token-file peer=127.0.0.1 method=POST path=/api/v1/proxy/drain '
                   f'parameters=endpoint=127.0.0.1%3A{self.port} result=200')
        self.assertEqual(self.site.api('/api/v1/proxy/undrain', 'POST', endpoint=endpoint)[0], 200)
        self.assertEqual(self.site.api('/api/v1/proxy/undrain', 'POST', endpoint=endpoint)[0], 404)
        self.audit('method=POST path=/api/v1/proxy/undrain')
        self.assertEqual(self.site.api('/api/v1/proxy/drain', 'DELETE')[0], 405)

    def test_who_looks_at_bytes_is_audited(self):
        for token in (None, 'x' * 20):
            status, _, _ = self.site.api('/api/v1/proxy/tap', 'POST', token=token, port='tcp/1',
                                         bytes=64)
            self.assertEqual(status, 401)
        status, answer, _ = self.site.api('/api/v1/proxy/tap', 'POST', port='tcp/1', bytes=64)
        self.assertEqual(status, 200, answer)
        self.audit('user=token-file peer=127.0.0.1 method=POST path=/api/v1/proxy/tap '
                   'parameters=bytes=64&port=tcp%2F1 result=200')
        self.site.wait('the proxy says so', lambda: 'sessions of tcp/1 (bytes=64) are followed '
                                                    'for 60 s' in self.site.log.read_text())
        found = self.site.api('/api/v1/proxy/tap', id=answer['id'])
        self.assertEqual(found[:2], (200, {'lines': [], 'dropped': 0, 'not_recorded': 0,
                                           'is_over': False}))
        self.assertEqual(self.site.api('/api/v1/proxy/tap-end', 'POST', id=answer['id'])[0], 200)
        self.assertEqual(self.site.api('/api/v1/proxy/tap', id=answer['id'])[0], 404)
        self.assertEqual(self.site.api('/api/v1/proxy/tap', 'POST', port='tcp/1', bytes=4097)[0],
                         400)
        self.audit('parameters=bytes=4097&port=tcp%2F1 result=400')

    def test_nobody_else_s_name_leads_here(self):
        for host in ('evil.test', f'evil.test:{self.site.admin}', 'localhost.evil.test', '[::1',
                     '127.0.0.1.evil.test', ''):
            for path in ('/', '/api/v1/controller'):
                self.assertEqual(self.site.api(path, host=host)[0], 421, host)
        for host in ('localhost', f'LOCALHOST:{self.site.admin}', '127.0.0.1', '[::1]:10258'):
            self.assertEqual(self.site.api('/api/v1/controller', host=host)[0], 200, host)

    def test_lines_of_the_audit_cannot_be_forged(self):
        self.site.api('/api/v1/"user=root', 'POST', token='x' * 20)
        self.audit('path=/api/v1/%22user=root ')

    def test_the_page_allows_only_itself(self):
        status, text, headers = self.site.api('/', token=None)
        self.assertEqual(status, 200)
        policy = headers['Content-Security-Policy']
        self.assertRegex(policy, r"^default-src 'none'; script-src 'sha256-[^']+'; "
                                 r"style-src 'sha256-[^']+'; connect-src 'self'; ")
        self.assertNotIn('unsafe', policy)
        self.assertEqual(headers['X-Frame-Options'], 'DENY')
        for outside in ('http://', 'https://', '@SCRIPT@', '@STYLE@', 'innerHTML'):
            self.assertNotIn(outside, text)


class Attempts(unittest.TestCase):
    def test_failed_attempts_are_bounded(self):
        site = running.Running(running.service('web'))
        try:
            statuses = [site.api('/api/v1/controller', token='wrong' * 5)[0] for _ in range(12)]
            self.assertEqual(statuses, [401] * 10 + [429] * 2)
            # Even what is right is not compared any more.
            status, _, headers = site.api('/api/v1/controller')
            self.assertEqual((status, headers['Retry-After']), (429, '60'))
            self.assertIn('is not heard for 60 s', site.log.read_text())
        finally:
            site.stop()


class Start(unittest.TestCase):
    """What would be open is refused at start."""

    def refusal(self, *flags):
        done = subprocess.run(
            [running.BIN / 'penstock', 'run', '--manifests', running.ROOT / 'manifests/demo',
             '--status-address', '', '--admin-port', str(running.free_port()), *flags],
            capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_nobody_could_sign_in(self):
        self.assertIn('nobody could sign in', self.refusal())

    def test_a_short_secret(self):
        self.assertIn('expected a file with a token',
                      self.refusal('--admin-token-file', '/dev/null'))

    def test_tokens_in_clear(self):
        self.assertIn('tokens travel in clear', self.refusal('--admin-bind-address', '0.0.0.0'))

    def test_a_certificate_without_its_key(self):
        self.assertIn('go together', self.refusal('--admin-certificate-file', 'a.pem'))


if __name__ == '__main__':
    unittest.main(verbosity=2, warnings='ignore')
