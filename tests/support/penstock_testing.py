"""What the tests against a real API server share: the cluster, its objects, our processes, requests.

A test program runs inside the cluster's network namespace: it calls `main()`, which brings up a
cluster of its own where none is given and starts the program again in there. Every test class gets
a controller and a proxy of its own, on an address of its own, for an IngressClass of its own, so
that programs may run side by side in one cluster.
"""
import base64
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = ROOT / 'tests/cluster'
BIN = pathlib.Path(os.environ.get('PENSTOCK_BIN', ROOT / 'build/dev/bin'))
LONGEST_WAIT = 30
API = 'https://172.30.0.1:6443'

PATHS = {  # kind: (path of the API group, plural, namespaced)
    'Namespace': ('/api/v1', 'namespaces', False),
    'Pod': ('/api/v1', 'pods', True),
    'Service': ('/api/v1', 'services', True),
    'Secret': ('/api/v1', 'secrets', True),
    'ConfigMap': ('/api/v1', 'configmaps', True),
    'EndpointSlice': ('/apis/discovery.k8s.io/v1', 'endpointslices', True),
    'Ingress': ('/apis/networking.k8s.io/v1', 'ingresses', True),
    'IngressClass': ('/apis/networking.k8s.io/v1', 'ingressclasses', False),
    'TCPService': ('/apis/penstock.dev/v1alpha1', 'tcpservices', True),
    'CustomResourceDefinition': ('/apis/apiextensions.k8s.io/v1', 'customresourcedefinitions', False),
    'Lease': ('/apis/coordination.k8s.io/v1', 'leases', True),
}


def wait_until(what, condition, seconds=LONGEST_WAIT):
    """Polls; the last value where it is true, else the test fails with `what`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'not within {seconds} s: {what}')
        time.sleep(0.02)


def run(*command, **options):
    return subprocess.run([str(each) for each in command], check=True, **options)


class Cluster:
    """A running cluster, from inside of its network namespace."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.tls = ssl.create_default_context(cafile=str(self.folder / 'pki/ca.crt'))

    def call(self, method, path, body=None, content_type='application/json'):
        request = urllib.request.Request(API + path, method=method)
        request.add_header('Authorization', 'Bearer admin-token')
        data = None
        if body is not None:
            request.add_header('Content-Type', content_type)
            data = json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=20, context=self.tls) as answer:
            return json.loads(answer.read() or b'{}')

    @staticmethod
    def path_of(kind, name='', namespace=''):
        group, plural, is_namespaced = PATHS[kind]
        where = f'/namespaces/{namespace}' if is_namespaced and namespace else ''
        return f'{group}{where}/{plural}' + (f'/{name}' if name else '')

    def apply(self, *objects):
        """As `kubectl apply --server-side`."""
        for each in objects:
            meta = each['metadata']
            path = self.path_of(each['kind'], meta['name'], meta.get('namespace', ''))
            self.call('PATCH', path + '?fieldManager=test&force=true', each,
                      'application/apply-patch+yaml')

    def delete(self, kind, name, namespace=''):
        try:
            self.call('DELETE', self.path_of(kind, name, namespace))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise

    def get(self, kind, name, namespace=''):
        return self.call('GET', self.path_of(kind, name, namespace))

    def ctl(self, action, component):
        environment = dict(os.environ, D=str(self.folder))
        run(CLUSTER / 'ctl.sh', action, component, env=environment)

    def wait_ready(self):
        def is_ready():
            try:
                request = urllib.request.Request(API + '/readyz')
                request.add_header('Authorization', 'Bearer admin-token')
                return urllib.request.urlopen(request, timeout=2, context=self.tls).status == 200
            except OSError:
                return False
        wait_until('the API server is ready', is_ready, 60)

    def install_crds(self):
        for file in sorted((ROOT / 'crds').glob('*.yaml')):
            run(os.environ['PENSTOCK_CLUSTER_BIN'] + '/kubectl', '--kubeconfig',
                self.folder / 'admin.conf', 'apply', '--server-side', '-f', file,
                stdout=subprocess.DEVNULL)

        def is_served():
            try:
                return self.call('GET', PATHS['TCPService'][0] + '/tcpservices')
            except urllib.error.HTTPError:
                return None
        wait_until('TCPServices are served', is_served)


class Process:
    """One of our programs; its log is shown when a test fails."""

    def __init__(self, name, *arguments, env=None):
        self.name = name
        self.arguments = [str(BIN / name), *map(str, arguments)]
        self.env = env
        self.log = tempfile.NamedTemporaryFile('w+', prefix=name + '.', suffix='.log')
        self.popen = None
        self.start()

    def start(self):
        environment = dict(os.environ, **(self.env or {}))
        self.popen = subprocess.Popen(self.arguments, stdout=self.log, stderr=self.log,
                                      env=environment)

    def kill(self, number=signal.SIGKILL):
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        self.popen.wait(LONGEST_WAIT)

    def text(self):
        return pathlib.Path(self.log.name).read_text(errors='replace')

    def memory(self):
        """Resident bytes."""
        for line in pathlib.Path(f'/proc/{self.popen.pid}/status').read_text().splitlines():
            if line.startswith('VmRSS:'):
                return int(line.split()[1]) * 1024
        return 0


def status(port, path):
    try:
        with urllib.request.urlopen(f'http://127.0.0.1:{port}{path}', timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ''


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body.decode(errors='replace')
        lines = self.body.splitlines()
        self.server = lines[0][7:] if lines and lines[0].startswith('server ') else ''


class TestCase(unittest.TestCase):
    """A controller and a proxy against the cluster. `number` keeps classes that run at the same
    time apart: addresses 10.245.NUMBER.*, status ports, stream ports NUMBER*100 up."""

    number = 0
    controller_flags = ()
    controller_environment = {}
    published = ''  # addresses for statuses; empty: the class's own
    starts_programs = True

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(os.environ['PENSTOCK_CLUSTER'])
        cls.name = f't{cls.number}'
        cls.address = f'10.245.{cls.number}.1'
        cls.status_port = 20000 + cls.number
        cls.admin_port = 21000 + cls.number
        cls.folder = tempfile.mkdtemp(prefix='penstock-test.')
        cls.processes = []
        cls.cluster.apply(
            {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': cls.name}},
            {'apiVersion': 'networking.k8s.io/v1', 'kind': 'IngressClass',
             'metadata': {'name': cls.name}, 'spec': {'controller': f'test/{cls.name}'}})
        if cls.starts_programs:
            cls.start_controller()
            cls.start_proxy()
            cls.wait_serving()

    @classmethod
    def tearDownClass(cls):
        for process in reversed(cls.processes):
            process.kill(signal.SIGTERM if process.popen.poll() is None else signal.SIGKILL)
        shutil.rmtree(cls.folder, ignore_errors=True)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            for process in self.processes:
                print(f'--- log of {process.name}\n{process.text()[-6000:]}', file=sys.stderr)

    @classmethod
    def start_controller(cls, *flags):
        cls.controller = Process(
            'penstock-controller', '--kubeconfig', cls.cluster.folder / 'admin.conf',
            '--socket', cls.folder + '/socket', '--controller-class', f'test/{cls.name}',
            '--ingress-class', cls.name, '--listen-address', cls.address,
            '--configmap', f'{cls.name}/settings', '--tcp-services-configmap', f'{cls.name}/tcp',
            '--udp-services-configmap', f'{cls.name}/udp', '--status-address',
            f'127.0.0.1:{cls.status_port}', '--publish-status-address', cls.published or cls.address,
            '--election-id', f'leader-{cls.name}', '--log-level', 'debug',
            *cls.controller_flags, *flags,
            env={'POD_NAMESPACE': cls.name, **cls.controller_environment})
        cls.processes.append(cls.controller)

    @classmethod
    def start_proxy(cls, *flags):
        cls.proxy = Process('penstock-proxy', '--socket', cls.folder + '/socket', '--state',
                            cls.folder + '/state', '--admin-address',
                            f'127.0.0.1:{cls.admin_port}', '--workers', 2, *flags)
        cls.processes.append(cls.proxy)

    @classmethod
    def wait_serving(cls):
        wait_until('the controller and its proxy serve',
                   lambda: status(cls.status_port, '/readyz')[0] == 200)

    @classmethod
    def start_backend(cls, name, host, port=8080):
        """An HTTP server that answers with its name."""
        process = Process('penstock-demo', '--http', f'{name}=10.245.{cls.number}.{host}:{port}')
        cls.processes.append(process)
        wait_until('the backend listens', lambda: 'listening' in process.text())
        return process

    @classmethod
    def start_echo(cls, host, port=7000):
        process = Process('penstock-demo', '--tcp', f'10.245.{cls.number}.{host}:{port}')
        cls.processes.append(process)
        wait_until('the backend listens', lambda: 'listening' in process.text())
        return process

    # --- objects

    def service(self, name, hosts=(), port=80, target=8080, **spec):
        """A Service without a selector, with an EndpointSlice of these backends."""
        self.cluster.apply(
            {'apiVersion': 'v1', 'kind': 'Service',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ports': [{'port': port, 'targetPort': target}], **spec}})
        if 'externalName' not in spec:
            self.endpoints(name, hosts, target)

    def endpoints(self, service, hosts, target=8080):
        self.cluster.apply(
            {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice',
             'metadata': {'name': service + '-1', 'namespace': self.name,
                          'labels': {'kubernetes.io/service-name': service}},
             'addressType': 'IPv4', 'ports': [{'port': target, 'protocol': 'TCP', 'name': ''}],
             'endpoints': [{'addresses': [f'10.245.{self.number}.{host}']} for host in hosts]})

    def ingress(self, name, *rules, annotations=None, tls=None, default=None, ingress_class=None):
        """Rules are (host, [(type, path, service)])."""
        spec = {'ingressClassName': ingress_class or self.name}
        if rules:
            spec['rules'] = [
                {**({'host': host} if host else {}),
                 'http': {'paths': [
                     {'pathType': kind, 'path': path,
                      'backend': {'service': {'name': service, 'port': {'number': 80}}}}
                     for kind, path, service in paths]}}
                for host, paths in rules]
        if tls:
            spec['tls'] = tls
        if default:
            spec['defaultBackend'] = {'service': {'name': default, 'port': {'number': 80}}}
        self.cluster.apply(
            {'apiVersion': 'networking.k8s.io/v1', 'kind': 'Ingress',
             'metadata': {'name': name, 'namespace': self.name,
                          'annotations': {f'nginx.ingress.kubernetes.io/{key}': value
                                          for key, value in (annotations or {}).items()}},
             'spec': spec})

    def config(self, name, **data):
        self.cluster.apply({'apiVersion': 'v1', 'kind': 'ConfigMap',
                            'metadata': {'name': name, 'namespace': self.name},
                            'data': {key.replace('_', '-'): value for key, value in data.items()}})

    def certificate(self, name, *hosts):
        """A Secret with a self-signed pair; its certificate as PEM."""
        folder = pathlib.Path(self.folder)
        names = ','.join('DNS:' + host for host in hosts)
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
            'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', f'/CN={name}',
            '-addext', f'subjectAltName={names}', '-keyout', folder / 'key.pem', '-out',
            folder / 'cert.pem', stderr=subprocess.DEVNULL)
        chain, key = ((folder / file).read_bytes() for file in ('cert.pem', 'key.pem'))
        self.cluster.apply(
            {'apiVersion': 'v1', 'kind': 'Secret', 'type': 'kubernetes.io/tls',
             'metadata': {'name': name, 'namespace': self.name},
             'data': {'tls.crt': base64.b64encode(chain).decode(),
                      'tls.key': base64.b64encode(key).decode()}})
        return chain.decode()

    # --- requests

    def ask(self, host, path='/', method='GET', body=None, headers=None, tls=False, address=None,
            timeout=10):
        """One request on a connection of its own; None where there is no answer."""
        try:
            return self.must_ask(host, path, method, body, headers, tls, address, timeout)
        except (OSError, http.client.HTTPException):
            return None

    def must_ask(self, host, path='/', method='GET', body=None, headers=None, tls=False,
                 address=None, timeout=10):
        raw = socket.create_connection((address or self.address, 443 if tls else 80), timeout)
        connection = http.client.HTTPConnection(host)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            raw = context.wrap_socket(raw, server_hostname=host)
        connection.sock = raw
        try:
            connection.request(method, path, body, {'Host': host, **(headers or {})})
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def presented(self, host):
        """The certificate that the proxy shows for a server name, as PEM."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection((self.address, 443), 10) as raw:
            with context.wrap_socket(raw, server_hostname=host) as secured:
                return ssl.DER_cert_to_PEM_cert(secured.getpeercert(True))

    def wait_answer(self, host, path='/', expected=200, server=None, **options):
        def answers():
            answer = self.ask(host, path, **options)
            is_right = answer and answer.status == expected
            return answer if is_right and server in (None, answer.server) else None
        return wait_until(f'{host}{path} answers {expected} {server or ""}', answers)

    def metric(self, name, port=None):
        """The sum of a metric's samples."""
        total = 0.0
        for line in status(port or self.status_port, '/metrics')[1].splitlines():
            if line.startswith(name) and line[len(name)] in ' {':
                total += float(line.rsplit(' ', 1)[1])
        return total


class Load:
    """Requests from several threads over keepalive connections until stopped; counts failures."""

    def __init__(self, test, host, path='/', threads=4, tls=False, pause=0):
        self.test, self.host, self.path, self.tls = test, host, path, tls
        self.pause = pause
        self.sent, self.failures, self.servers = 0, [], set()
        self.is_stopped = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until('the load flows', lambda: self.sent > 20 or self.failures)
        return self

    def __exit__(self, *_):
        self.is_stopped = True
        for thread in self.threads:
            thread.join()

    def connect(self):
        connection = http.client.HTTPConnection(self.host)
        connection.sock = socket.create_connection((self.test.address, 443 if self.tls else 80), 10)
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection.sock = context.wrap_socket(connection.sock, server_hostname=self.host)
        return connection

    def work(self):
        connection, asked = None, 0
        while not self.is_stopped:
            try:
                if connection is None or asked >= 500:
                    connection, asked = self.connect(), 0
                connection.request('GET', self.path, headers={'Host': self.host})
                answer = connection.getresponse()
                body = answer.read()
                asked += 1
                if self.pause:
                    time.sleep(self.pause)
                with self.lock:
                    self.sent += 1
                    if answer.status != 200:
                        self.failures.append(answer.status)
                    self.servers.add(body.split(b'\n', 1)[0])
                if answer.headers.get('Connection') == 'close':
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                connection = None
                with self.lock:
                    self.failures.append(repr(error))


def main():
    """Runs the tests of the calling program in a cluster."""
    if 'PENSTOCK_CLUSTER' in os.environ:
        return unittest.main(verbosity=2, warnings="ignore")
    if os.geteuid() != 0 or subprocess.run(['unshare', '-n', '-m', '-p', '-f', 'true']).returncode:
        print('skipped: a cluster needs root and namespaces of its own, which this machine refuses')
        sys.exit(77)
    name = os.environ.get('TC') or pathlib.Path(sys.argv[0]).stem.replace('_', '-')
    environment = dict(os.environ, TC=name, NODE=os.environ.get('NODE', 'none'))
    env = subprocess.run(['bash', '-c', f'. {CLUSTER}/env.sh; echo "$D"; echo "$BIN"'],
                         env=environment, check=True, capture_output=True, text=True)
    folder, tools = env.stdout.split()
    is_ours = not os.path.exists(folder + '/up')
    if is_ours:
        run(CLUSTER / 'build.sh', env=environment, stdout=subprocess.DEVNULL)
        run(CLUSTER / 'down.sh', env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        run(CLUSTER / 'up.sh', env=environment)
    try:
        init = pathlib.Path(folder + '/init').read_text().strip()
        environment.update(PENSTOCK_CLUSTER=folder, PENSTOCK_CLUSTER_BIN=tools)
        result = subprocess.run(['nsenter', '-t', init, '-n', sys.executable, *sys.argv],
                                env=environment)
        sys.exit(result.returncode)
    finally:
        if is_ours:
            run(CLUSTER / 'down.sh', env=environment)
