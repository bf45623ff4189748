"""One population of the scale bench: a namespace full of Ingresses, a controller and a proxy that
see nothing else, requests that flow all the time, and the kinds of change."""
import base64
import http.client
import json
import pathlib
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import Load, TestCase, main, run, status, wait_until  # noqa: E402

__all__ = ['Site', 'main', 'wait_until']

MERGE = 'application/merge-patch+json'
PAIRS = 8         # of certificate and key, which every Secret goes through in turn
TLS_EVERY = 10    # each tenth Ingress has a Secret of its own
SPARE = 50        # Secrets that only Ingresses which come and go refer to
STRIDE = 7919     # prime: successive changes are far apart
BACKENDS = range(11, 15)


class Api(threading.local):
    """A kept connection to the API server for each thread."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.connection = None

    def send(self, method, path, body, content_type='application/json'):
        for attempt in (0, 1):
            if self.connection is None:
                self.connection = http.client.HTTPSConnection('172.30.0.1', 6443, timeout=30,
                                                              context=self.cluster.tls)
            try:
                self.connection.request(method, path, json.dumps(body), {
                    'Authorization': 'Bearer admin-token', 'Content-Type': content_type})
                answer = self.connection.getresponse()
                answer.read()
                if answer.status >= 300:
                    raise RuntimeError(f'{path}: {answer.status}')
                return
            except (OSError, http.client.HTTPException, ssl.SSLError):
                self.connection = None
                if attempt:
                    raise


def host_of(i):
    """Two labels below the wildcard: a certificate for all of a top-level domain fits no host."""
    return f'h{i}.scale.test'


def make_pairs(folder):
    """Certificates for all hosts of the bench: the data of a Secret, and what a client must see."""
    made = []
    for number in range(PAIRS):
        chain, key = folder / 'cert.pem', folder / 'key.pem'
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
            '-nodes', '-days', '2', '-subj', f'/CN=pair {number}', '-addext',
            'subjectAltName=DNS:*.scale.test', '-keyout', key, '-out', chain, capture_output=True)
        made.append(({'tls.crt': base64.b64encode(chain.read_bytes()).decode(),
                      'tls.key': base64.b64encode(key.read_bytes()).decode()},
                     ssl.PEM_cert_to_DER_cert(chain.read_text())))
    return made


def cpu_ns(process):
    """Time on a processor of all threads; none of our programs ends a thread before it ends."""
    tasks = pathlib.Path(f'/proc/{process.popen.pid}/task')
    return sum(int((task / 'schedstat').read_text().split()[0]) for task in tasks.iterdir())


class Site(TestCase):
    """No tests of its own: the bench has two of these side by side."""
    starts_programs = False
    ingresses = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = Api(cls.cluster)
        cls.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        cls.client.check_hostname = False
        cls.client.verify_mode = ssl.CERT_NONE
        cls.pairs = make_pairs(pathlib.Path(cls.folder))
        cls.turns = {}  # (kind, object): how often it was changed
        cls.steps = {}  # kind: changes so far
        for host in BACKENDS:
            cls.start_backend(f'b{host}', host)

    # --- objects: three paths each; half as many Services with three endpoints

    @property
    def services(self):
        return self.ingresses // 2

    @property
    def secrets(self):
        return self.ingresses // TLS_EVERY

    def path(self, group, plural, name=''):
        return f'{group}/namespaces/{self.name}/{plural}' + (f'/{name}' if name else '')

    def slice(self, i, turn):
        hosts = [BACKENDS[(turn + each) % len(BACKENDS)] for each in range(3)]
        return {'metadata': {'name': f's{i}-1', 'labels': {'kubernetes.io/service-name': f's{i}'}},
                'addressType': 'IPv4', 'ports': [{'name': '', 'port': 8080}],
                'endpoints': [{'addresses': [f'10.245.{self.number}.{host}']} for host in hosts]}

    def route(self, i, turn):
        backend = {'service': {'name': f's{i // 2}', 'port': {'number': 80}}}
        paths = [{'path': each, 'pathType': 'Prefix', 'backend': backend}
                 for each in ('/', f'/p{turn}', '/static')]
        spec = {'ingressClassName': self.name,
                'rules': [{'host': host_of(i), 'http': {'paths': paths}}]}
        if i % TLS_EVERY == 0:
            spec['tls'] = [{'hosts': [host_of(i)], 'secretName': f'c{i // TLS_EVERY}'}]
        return {'metadata': {'name': f'i{i}'}, 'spec': spec}

    def secret(self, i, turn):
        return {'metadata': {'name': f'c{i}'}, 'type': 'kubernetes.io/tls',
                'data': self.pairs[turn % PAIRS][0]}

    def creations(self):
        """What fills the namespace: functions that make one request each."""
        core, discovery = '/api/v1', '/apis/discovery.k8s.io/v1'
        networking = '/apis/networking.k8s.io/v1'

        def post(group, plural, body):
            return lambda: self.api.send('POST', self.path(group, plural), body)
        for i in range(self.services):
            yield post(core, 'services', {
                'metadata': {'name': f's{i}'}, 'spec': {'ports': [{'port': 80,
                                                                   'targetPort': 8080}]}})
            yield post(discovery, 'endpointslices', self.slice(i, 0))
        for i in range(self.secrets + SPARE):
            yield post(core, 'secrets', self.secret(i, 0))
        for i in range(self.ingresses):
            yield post(networking, 'ingresses', self.route(i, 0))

    # --- changes

    def next_of(self, kind, count):
        """The object to change next, and its how-manieth change this is."""
        step = self.steps[kind] = self.steps.get(kind, 0) + 1
        i = step * STRIDE % count
        turn = self.turns[kind, i] = self.turns.get((kind, i), 0) + 1
        return i, turn

    def change_endpoint(self):
        i, turn = self.next_of('endpoint', self.services)
        self.api.send('PATCH', self.path('/apis/discovery.k8s.io/v1', 'endpointslices', f's{i}-1'),
                      self.slice(i, turn), MERGE)
        return i

    def change_route(self):
        i, turn = self.next_of('route', self.ingresses)
        self.api.send('PATCH', self.path('/apis/networking.k8s.io/v1', 'ingresses', f'i{i}'),
                      {'spec': self.route(i, turn)['spec']}, MERGE)
        return i

    def change_certificate(self):
        i, turn = self.next_of('certificate', self.secrets)
        self.api.send('PATCH', self.path('/api/v1', 'secrets', f'c{i}'),
                      {'data': self.secret(i, turn)['data']}, MERGE)
        return i

    def change_ingress(self):
        """One with a host and a Secret of its own comes; the next time it goes."""
        step = self.steps['ingress'] = self.steps.get('ingress', -1) + 1
        spare = step // 2 % SPARE
        path = self.path('/apis/networking.k8s.io/v1', 'ingresses')
        made = self.route(self.ingresses + spare, 0)
        if step % 2 == 1:
            return self.api.send('DELETE', f'{path}/{made["metadata"]["name"]}', {})
        made['spec']['tls'] = [{'hosts': [host_of(self.ingresses + spare)],
                                'secretName': f'c{self.secrets + spare}'}]
        for each in made['spec']['rules'][0]['http']['paths']:
            each['backend']['service']['name'] = 's0'
        self.api.send('POST', path, made)

    # --- what it does meanwhile

    def start(self, *flags):
        """Both programs; seconds until the last host is served."""
        began = time.monotonic()
        self.start_controller('--watch-namespace', self.name, *flags)
        self.start_proxy()
        last = host_of(self.ingresses - 1)
        wait_until('the last host is served', lambda: (
            (answer := self.ask(last, '/static')) and answer.status == 200), 300)
        return time.monotonic() - began

    def loads(self):
        """Requests in the clear, and over TLS where the certificate is one that changes."""
        return [Load(self, host_of(1), threads=1, pause=0.02),
                Load(self, host_of(0), threads=1, pause=0.02, tls=True)]

    def wait_statuses(self):
        """Until each Ingress has its address; asks in the way that costs the API server least."""
        def is_done():
            last = [self.cluster.get('Ingress', f'i{i}', self.name) for i in
                    (self.ingresses - 1, self.ingresses // 2, 0)]
            return all(each['status']['loadBalancer'].get('ingress') for each in last)
        wait_until('the statuses are written', is_done, 300)
        wait_until('no status is written any more', self.is_quiet, 300)

    def is_quiet(self):
        before = cpu_ns(self.controller)
        time.sleep(1)
        return cpu_ns(self.controller) - before < 50e6

    def usage(self):
        return {'controller': cpu_ns(self.controller), 'proxy': cpu_ns(self.proxy)}

    def buckets(self):
        """The cumulative counts of change_to_live by upper bound."""
        out = {}
        name = 'penstock_controller_change_to_live_seconds_bucket{le="'
        for line in status(self.status_port, '/metrics')[1].splitlines():
            if line.startswith(name):
                bound, count = line[len(name):].split('"} ')
                out[float(bound.replace('+Inf', 'inf'))] = float(count)
        return out

    def presents_newest(self, i):
        """Whether a TLS client is shown what Secret i was given last."""
        newest = self.pairs[self.turns.get(('certificate', i), 0) % PAIRS][1]
        with socket.create_connection((self.address, 443), 10) as raw:
            with self.client.wrap_socket(raw, server_hostname=host_of(i * TLS_EVERY)) as secured:
                return secured.getpeercert(True) == newest

    def replace_and_look(self):
        """Milliseconds from the API server's answer to a handshake with the new certificate."""
        i = self.change_certificate()
        began = time.monotonic()
        while not self.presents_newest(i):
            self.assertLess(time.monotonic(), began + 5, f'Secret {i}: presented is the old one')
        return (time.monotonic() - began) * 1000
