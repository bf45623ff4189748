"""What `penstock check`, `explain`, `dump` and `run --manifests` say of mistakes, and that the last of
them serves on what it serves."""
import base64
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

from cli_test import BIN, ROOT, free_port, penstock

SERVICE = '''\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
'''
INGRESS = '''\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: NAME
  annotations:
    nginx.ingress.kubernetes.io/proxy-body-size: SIZE
spec:
  CLASS
  rules:
  - host: shop.test
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
'''


def stream(name, port):
    return f'''\
apiVersion: penstock.dev/v1alpha1
kind: TCPService
metadata: {{name: {name}}}
spec:
  listeners: [{{name: main, port: {port}}}]
  rules: [{{backends: [{{host: {{name: 127.0.0.1, port: 9}}}}]}}]
'''


def ingress(name='shop', class_field='ingressClassName: nginx', size='8m'):
    return INGRESS.replace('NAME', name).replace('CLASS', class_field).replace('SIZE', size)


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, text, name='x.yaml'):
        path = self.folder / name
        path.write_text(text)
        return path

    def check(self, text, *flags, code):
        done = penstock('check', self.write(text).name, *flags, cwd=self.folder)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def check_line(self, text, *flags):
        """The one problem."""
        lines = self.check(text, *flags, code=1).stdout.splitlines()
        self.assertEqual(len(lines), 1, lines)
        return lines[0]


class Classes(Files):
    def test_no_class_is_a_note_and_nothing_else_is_said(self):
        done = self.check(SERVICE + ingress(class_field='', size='much'), code=0)
        self.assertRegex(done.stdout, r'^x\.yaml:\d+: note: Ingress default/shop: spec: not served: expected '
                                      r'ingressClassName, for no IngressClass is the default.*\n$')
        self.assertIn('0 problems, 1 note\n', done.stderr)

    def test_no_class_where_the_flag_takes_it(self):
        text = SERVICE + ingress(class_field='', size='much')
        self.assertIn('proxy-body-size', self.check_line(text, '--watch-ingress-without-class'))

    def test_a_class_that_is_not_there(self):
        done = self.check(SERVICE + ingress(class_field='ingressClassName: ngnix'), code=0)
        self.assertIn("x.yaml:13: note: Ingress default/shop: spec.ingressClassName: not served: there is no "
                      "IngressClass 'ngnix'", done.stdout)

    def test_a_field_that_is_misspelled_is_a_problem(self):
        done = self.check(SERVICE + ingress(class_field='ingressClass: nginx'), code=1)
        self.assertIn('x.yaml:13: Ingress default/shop: spec.ingressClass: there is no such field, did you mean '
                      'ingressClassName?', done.stdout)

    def test_explain_names_who_is_not_served(self):
        path = self.write(SERVICE + ingress(class_field='ingressClassName: ngnix'))
        for host in ('shop.test', 'SHOP.test:80'):
            done = penstock('explain', 'GET', f'http://{host}/', '--manifests', path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn('the catch-all: no Ingress that is served names the host', done.stdout)
            self.assertRegex(done.stdout, r"not       .*x\.yaml:13: Ingress default/shop: spec\.ingressClassName: "
                                          r"not served: there is no IngressClass 'ngnix'")
        done = penstock('explain', 'GET', 'http://other.test/', '--manifests', path)
        self.assertNotIn('ngnix', done.stdout)


class Objects(Files):
    def test_a_kind_in_another_spelling(self):
        self.assertEqual(self.check_line('apiVersion: penstock.dev/v1\nkind: TcpService\nmetadata: {name: a}\n'),
                         'x.yaml:1: TcpService of penstock.dev/v1 is not read, did you mean TCPService of '
                         'penstock.dev/v1alpha1?')

    def test_an_annotation_that_is_no_text_is_named(self):
        self.assertIn('proxy-body-size: expected a string, got a number', self.check_line(ingress(size='10')))

    def test_the_recipes_have_their_ports(self):
        for path in sorted((ROOT / 'manifests/recipes').glob('*.yaml')):
            done = penstock('check', path)
            self.assertIn(done.returncode, (0, 1), done.stderr)  # their Services are in no file
            self.assertNotIn('no StreamPortPolicy gives', done.stdout)

    def test_log_lines_with_variables_that_are_not_known(self):
        text = '''\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: ingress}
data:
  log-format-upstream: '$status $foo'
  log-format-stream: '$bar'
'''
        done = self.check(text, '--configmap', 'ingress/settings', code=1)
        self.assertEqual(done.stdout.splitlines(), [
            "x.yaml:5: ConfigMap ingress/settings: log-format-upstream: $foo is not known and stands as '-'",
            "x.yaml:6: ConfigMap ingress/settings: log-format-stream: $bar is not known and stands as '-'"])

    def test_a_certificate_that_has_expired(self):
        for command in (
                'req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out csr -subj /CN=shop.test '
                '-addext subjectAltName=DNS:shop.test',
                'x509 -req -in csr -signkey key -out crt -days -1 -copy_extensions copy'):
            subprocess.run(['openssl', *command.split()], cwd=self.folder, check=True, capture_output=True)
        pair = {name: base64.b64encode((self.folder / name).read_bytes()).decode() for name in ('crt', 'key')}
        text = SERVICE + ingress() + f'''\
  tls: [{{hosts: [shop.test], secretName: cert}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: cert}}
data:
  tls.crt: {pair['crt']}
  tls.key: {pair['key']}
'''
        self.assertRegex(self.check_line(text), r'^x\.yaml:25: Secret default/cert: tls\.crt: the certificate '
                                                r'expired on \d{4}-\d\d-\d\d$')

    def test_the_steps_before_a_migration(self):
        """docs/migrating-from-ingress-nginx.md: what is exported is whole but for Secrets."""
        items = [SERVICE.removesuffix('---\n'),
                 'apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\n'
                 'spec: {controller: k8s.io/ingress-nginx}\n',
                 ingress() + '  tls: [{hosts: [shop.test], secretName: cert}]\n',
                 ingress('other', 'ingressClassName: traefik')]
        text = 'apiVersion: v1\nkind: List\nitems:\n' + ''.join(
            '- ' + item.replace('\n', '\n  ').rstrip() + '\n' for item in items)
        settings = self.write('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: n}\ndata: '
                              '{allow-snippet-annotations: "true", annotations-risk-level: Critical}\n', 's.yaml')
        done = self.check(text, settings.name, '--configmap', 'n/c', '--ignore-missing-secrets', code=0)
        self.assertRegex(done.stdout, r"^x\.yaml:\d+: note: Ingress default/other: .*'traefik'\n$")

    def test_secrets_that_were_left_out(self):
        text = SERVICE + ingress() + '  tls: [{hosts: [shop.test], secretName: cert}]\n'
        self.assertIn("expected a Secret, 'default/cert' does not exist", self.check_line(text))
        self.check(text, '--ignore-missing-secrets', code=0)


class CommandLine(Files):
    def test_objects_that_flags_name_and_that_are_not_there(self):
        done = self.check(SERVICE, '--configmap', 'foo/bar', '--default-backend-service', 'default/none', code=0)
        self.assertIn('note: --configmap: ConfigMap foo/bar is in none of these files\n', done.stderr)
        self.assertIn('note: --default-backend-service: Service default/none is in none of', done.stderr)

    def test_one_port_for_both(self):
        for command in (['check', self.write(SERVICE)], ['run', '--manifests', self.folder]):
            done = penstock(*command, '--http-port', '18090', '--https-port', '18090')
            self.assertNotEqual(done.returncode, 0)
            self.assertIn('--http-port and --https-port: expected two ports, both are 18090', done.stderr)

    def test_a_port_that_is_none(self):
        done = penstock('check', '--https-port', '99999', self.folder)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--https-port: expected a port from 0 to 65535, got '99999'", done.stderr)

    def test_a_path_that_is_not_there(self):
        for command in (['dump'], ['explain', 'GET', 'http://a.test/']):
            done = penstock(*command, '--manifests', 'nosuch')
            self.assertEqual((done.returncode, done.stdout), (2, ''))
            self.assertIn(f'penstock {command[0]}: nosuch: No such file or directory', done.stderr)
        done = penstock('check', 'nosuch')
        self.assertEqual((done.returncode, done.stdout), (1, 'nosuch: No such file or directory\n'))

    def test_a_url_of_another_scheme(self):
        done = penstock('explain', 'GET', 'ftp://demo.localhost/', '--manifests', ROOT / 'manifests/demo')
        self.assertEqual(done.returncode, 2)
        self.assertIn('expected a URL such as http://', done.stderr)

    def test_a_directory_and_a_cluster(self):
        done = penstock('run', '--manifests', self.folder, '--kubeconfig', 'x')
        self.assertEqual(done.returncode, 2)
        self.assertIn('--manifests and --kubeconfig exclude each other', done.stderr)

    def test_standard_input(self):
        done = penstock('check', '-', input=SERVICE + ingress(size='much'))
        self.assertEqual(done.returncode, 1)
        self.assertIn('standard input:11: Ingress default/shop: ', done.stdout)

    def test_a_command_that_is_not_there(self):
        done = penstock('frob')
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no command 'frob', only run, check, explain", done.stderr)


class Run(Files):
    """`penstock run --manifests`: a file that comes later takes nothing, and what happens is said."""

    def start(self):
        self.port = free_port()
        self.log = self.folder / 'log'
        program = subprocess.Popen(
            [BIN / 'penstock', 'run', '--manifests', self.folder / 'manifests', '--http-port', str(self.port),
             '--https-port', '0', '--status-address', '', '--admin-address', f'127.0.0.1:{free_port()}'],
            stderr=self.log.open('w'), stdout=subprocess.DEVNULL)
        self.addCleanup(program.wait, 20)
        self.addCleanup(program.send_signal, signal.SIGTERM)

    def owner(self):
        """Of the one path."""
        socket = re.search(r'explain ask --socket (\S+),', self.log.read_text())[1]
        done = penstock('explain', 'GET', 'http://shop.test/', '--socket', socket)
        return re.search(r'route     prefix /  \(Ingress (\S+),', done.stdout)[1]

    def wait_for(self, pattern):
        end = time.monotonic() + 20
        while not re.search(pattern, self.log.read_text()):
            self.assertLess(time.monotonic(), end, self.log.read_text())
            time.sleep(0.02)

    def test_what_comes_later_gives_way(self):
        (self.folder / 'manifests').mkdir()
        port = free_port()
        self.write(SERVICE + ingress('demo'), 'manifests/a.yaml')
        self.write(stream('demo', port), 'manifests/b.yaml')
        self.start()
        self.wait_for('version .* is live')
        self.assertEqual(self.owner(), 'default/demo')
        self.write(ingress('zzz'), 'manifests/zzz.yaml')
        self.wait_for('prefix / of host shop.test is already taken by the older Ingress default/demo')
        self.write(stream('zzz', port), 'manifests/zz.yaml')
        self.wait_for(f'TCPService default/zzz: .*port {port} is already taken by the TCPService default/demo')
        self.assertEqual(self.owner(), 'default/demo')
        # Also when the older one is edited.
        self.write(SERVICE + ingress('demo', size='9m'), 'manifests/a.yaml')
        self.wait_for(r'(?s)(version \d+ is live.*){2}')
        self.assertEqual(self.owner(), 'default/demo')
        (self.folder / 'manifests/zzz.yaml').unlink()
        self.wait_for('no longer so: Ingress default/zzz')

    def test_who_is_not_served_is_told(self):
        (self.folder / 'manifests').mkdir()
        self.write(SERVICE + ingress(class_field='ingressClass: nginx'), 'manifests/a.yaml')
        self.start()
        self.wait_for(r'a\.yaml:13: Ingress default/shop: spec\.ingressClass: there is no such field')
        self.wait_for(r'a\.yaml:\d+: Ingress default/shop: spec: not served: expected ingressClassName')
        self.write(SERVICE + ingress(), 'manifests/a.yaml')
        self.wait_for(r'no longer so: a\.yaml:13: Ingress')
        self.wait_for('no longer so: Ingress default/shop: spec: not served')


if __name__ == '__main__':
    unittest.main(verbosity=2, warnings='ignore')
