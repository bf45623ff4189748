"""`penstock run` on manifests that a test writes, with the admin API switched on."""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('PENSTOCK_BIN', ROOT / 'build/dev/bin'))
TOKEN = 'a-secret-of-this-test-alone'
CLASS = '''apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
'''


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_until(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f'not within {seconds} s: {what}')
        time.sleep(0.05)


def service(name, *ports):
    """A Service with these ports of this host as its endpoints."""
    slices = '\n'.join(f'''---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-{port}, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: {port}, protocol: TCP, name: ''}}]
endpoints: [{{addresses: [127.0.0.1]}}]''' for port in ports)
    return f'''---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{ports: [{{port: 80}}]}}
{slices}
'''


def ingress(name, host, backend, path='/', annotations=None):
    return f'''---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  annotations: {json.dumps(annotations or {})}
spec:
  ingressClassName: nginx
  rules:
  - host: {json.dumps(host)}
    http:
      paths:
      - path: {json.dumps(path)}
        pathType: Prefix
        backend: {{service: {{name: {backend}, port: {{number: 80}}}}}}
'''


class LocalConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__('proxy', timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Running:
    def __init__(self, manifests, *flags, token=TOKEN, http_port=None):
        self.folder = tempfile.TemporaryDirectory(prefix='penstock-admin.')
        self.path = pathlib.Path(self.folder.name)
        self.manifests = self.path / 'manifests'
        self.manifests.mkdir()
        self.http, self.https, self.admin = http_port or free_port(), free_port(), free_port()
        self.proxy_status = free_port()
        self.backends = []
        self.write(CLASS, 'class.yaml')
        self.write(manifests)
        self.token_file = self.path / 'token'
        self.token_file.write_text(token + '\n')
        self.log = self.path / 'log'
        self.program = subprocess.Popen(
            [BIN / 'penstock', 'run', '--manifests', self.manifests, '--socket',
             self.path / 'snapshot.sock', '--http-port', str(self.http), '--https-port',
             str(self.https), '--listen-address', '127.0.0.1', '--status-address', '',
             '--admin-address', f'127.0.0.1:{self.proxy_status}', '--workers', '2', '--admin-port',
             str(self.admin), '--admin-token-file', self.token_file, *flags],
            stderr=self.log.open('w'), stdout=subprocess.DEVNULL)
        self.wait('the proxy serves', lambda: self.local('/v1/summary')[1]['table']['version'])

    def write(self, manifests, name='site.yaml'):
        """Replaced at once, as an editor does."""
        fresh = self.manifests / (name + '.new')
        fresh.write_text(manifests)
        fresh.rename(self.manifests / name)

    def wait(self, what, condition):
        def attempt():
            try:
                return condition()
            except (OSError, http.client.HTTPException, KeyError, ValueError, IndexError):
                return None
        try:
            return wait_until(what, attempt)
        except AssertionError:
            sys.stderr.write(self.log.read_text()[-4000:])
            raise

    def backend(self, name, port):
        """An HTTP server that answers with its name."""
        self.backends.append(subprocess.Popen(
            [BIN / 'penstock-demo', '--http', f'{name}=127.0.0.1:{port}'],
            stdout=subprocess.DEVNULL))

        def answers():
            with socket.create_connection(('127.0.0.1', port), 5):
                return True
        self.wait('the backend listens', answers)
        return self.backends[-1]

    def stop(self):
        for process in [self.program, *self.backends]:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        self.folder.cleanup()

    # --- requests

    @staticmethod
    def finish(connection):
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        is_json = answer.headers['Content-Type'] == 'application/json'
        return answer.status, json.loads(text) if is_json and text else text, answer.headers

    def ask(self, host, path='/'):
        connection = http.client.HTTPConnection('127.0.0.1', self.http, timeout=10)
        connection.request('GET', path, headers={'Host': host})
        return self.finish(connection)

    def local(self, path, method='GET', **parameters):
        """On the proxy's admin socket."""
        connection = LocalConnection(str(self.path / 'admin.sock'))
        query = '?' + urllib.parse.urlencode(parameters) if parameters else ''
        connection.request(method, path + query)
        return self.finish(connection)

    def api(self, path, method='GET', token=TOKEN, host=None, **parameters):
        """On the admin port."""
        connection = http.client.HTTPConnection('127.0.0.1', self.admin, timeout=10)
        query = '?' + urllib.parse.urlencode(parameters) if parameters else ''
        headers = {'Authorization': f'Bearer {token}'} if token else {}
        if host is not None:
            headers['Host'] = host
        connection.request(method, path + query, headers=headers)
        return self.finish(connection)
