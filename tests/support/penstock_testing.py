"""What the tests against a real API server share: the cluster, its objects, our processes, requests.

A test program runs inside the cluster's network namespace: it calls `main()`, which brings up a
cluster of its own where none is given and starts the program again in there. Every test class gets
a controller and a proxy of its own, on an address of its own, for an IngressClass of its own, so
that programs may run side by side in one cluster.
"""
import base64
import http.client
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

from cluster_api import CLUSTER, ROOT, Cluster, run, wait_until
from load import Load
from processes import Process, status

__all__ = ['ROOT', 'Cluster', 'Load', 'Process', 'TestCase', 'main', 'run', 'status', 'wait_until']


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
    kubeconfig = None  # of the controller; else the administrator's
    controller_environment = {}
    published = ''  # addresses for statuses; empty: the class's own
    publishes_address = True
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
            'penstock-controller', '--kubeconfig', cls.kubeconfig or cls.cluster.folder / 'admin.conf',
            '--socket', cls.folder + '/socket', '--controller-class', f'test/{cls.name}',
            '--ingress-class', cls.name, '--listen-address', cls.address,
            '--configmap', f'{cls.name}/settings', '--tcp-services-configmap', f'{cls.name}/tcp',
            '--udp-services-configmap', f'{cls.name}/udp', '--status-address',
            f'127.0.0.1:{cls.status_port}', *(
                ['--publish-status-address', cls.published or cls.address]
                if cls.publishes_address else []), '--election-id', f'leader-{cls.name}', '--log-level', 'debug',
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

    def service(self, name, hosts=(), port=80, target=8080, protocol='TCP', **spec):
        """A Service without a selector, with an EndpointSlice of these backends."""
        self.cluster.apply(
            {'apiVersion': 'v1', 'kind': 'Service',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ports': [{'port': port, 'targetPort': target}], **spec}})
        if 'externalName' not in spec:
            self.endpoints(name, hosts, target, protocol)

    def endpoints(self, service, hosts, target=8080, protocol='TCP'):
        self.cluster.apply(
            {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice',
             'metadata': {'name': service + '-1', 'namespace': self.name,
                          'labels': {'kubernetes.io/service-name': service}},
             'addressType': 'IPv4', 'ports': [{'port': target, 'protocol': protocol, 'name': ''}],
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
