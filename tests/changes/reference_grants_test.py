"""Services and Secrets of another namespace, on a real API server where ReferenceGrants come late, in
one version and then in another."""
import contextlib
import copy
import pathlib
import re
import socket
import ssl
import sys

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from cluster_api import PATHS  # noqa: E402
from penstock_testing import ROOT, TestCase, main, status, wait_until  # noqa: E402
from tls_server import connect  # noqa: E402

CRD = 'referencegrants.gateway.networking.k8s.io'


class ReferenceGrants(TestCase):
    number = 26

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.start_echo(13)
        cls.there = f'{cls.name}-shared'
        cls.cluster.apply({'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': cls.there}})

    def elsewhere(self):
        """This test with its objects in the other namespace."""
        other = copy.copy(self)
        other.name = self.there
        return other

    # --- objects

    def serve_grants(self, version):
        """Installs the CRD, or changes which version of it is served."""
        crd = yaml.safe_load((ROOT / 'tests/support/referencegrants.yaml').read_text())
        for each in crd['spec']['versions']:
            each['served'] = each['storage'] = each['name'] == version
        self.cluster.apply(crd)
        PATHS['ReferenceGrant'] = (f'/apis/gateway.networking.k8s.io/{version}', 'referencegrants', True)

        def is_served():
            with contextlib.suppress(OSError):
                return self.cluster.call('GET', self.cluster.path_of('ReferenceGrant'))
        wait_until(f'ReferenceGrants of {version} are served', is_served)
        self.version = version

    def remove_grants(self):
        self.cluster.delete('CustomResourceDefinition', CRD)
        wait_until('the CRD is gone', lambda: not [
            each for each in self.cluster.call('GET', self.cluster.path_of('CustomResourceDefinition'))
            ['items'] if each['metadata']['name'] == CRD])

    def grant(self, kind, name=None, source='TCPService'):
        self.cluster.apply(
            {'apiVersion': f'gateway.networking.k8s.io/{self.version}', 'kind': 'ReferenceGrant',
             'metadata': {'name': 'g', 'namespace': self.there},
             'spec': {'from': [{'group': 'penstock.dev', 'kind': source, 'namespace': self.name}],
                      'to': [{'group': '', 'kind': kind, **({'name': name} if name else {})}]}})

    def withdraw(self):
        self.cluster.delete('ReferenceGrant', 'g', self.there)

    def tcp_service(self, name, port, service='echo', tls=None, **more):
        listener = {'name': 'main', 'port': port, **({'tls': tls} if tls else {})}
        backend = {'name': service, 'namespace': self.there, 'port': 7}
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': name, 'namespace': self.name},
             'spec': {'ingressClassName': self.name, 'listeners': [listener],
                      'rules': [{'backends': [{'service': backend}]}], **more}})
        self.addCleanup(self.cluster.delete, 'TCPService', name, self.name)

    # --- what became of them

    def stands(self, name):
        found = self.cluster.get('TCPService', name, self.name).get('status', {})
        return found, next((each for each in found.get('conditions', ())
                            if each['type'] == 'ResolvedRefs'), {})

    def wait_refs(self, name, reason):
        def is_so():
            found, condition = self.stands(name)
            return (found, condition['message']) if condition.get('reason') == reason else None
        return wait_until(f'{name}: ResolvedRefs {reason}', is_so)

    def session(self, port):
        stream = socket.create_connection((self.address, port), 5)
        stream.settimeout(5)
        return stream

    @staticmethod
    def echoed(stream):
        try:
            stream.sendall(b'hello')
            return stream.recv(5) == b'hello'
        except OSError:
            return False

    def echoes(self, port):
        try:
            with self.session(port) as stream:
                return self.echoed(stream)
        except OSError:
            return False

    def presents(self, port):
        """Whether a TLS handshake is answered."""
        try:
            with connect((self.address, port), 'shared.test'):
                return True
        except (OSError, ssl.SSLError):
            return False

    # --- tests

    def test_a_backend_of_another_namespace(self):
        controller = self.controller.popen.pid
        self.elsewhere().service('echo', [13], port=7, target=7000)
        self.tcp_service('keeps', 2601)
        self.tcp_service('closes', 2602, drain={'onEndpointRemoval': 'Close'})
        self.tcp_service('asks', 2603, service='nosuch')

        # The API server does not know the kind: nothing is permitted, and nothing waits for it.
        stands, message = self.wait_refs('keeps', 'RefNotPermitted')
        self.assertIn(f"spec.rules[0].backends[0].service.namespace: expected a ReferenceGrant in "
                      f"namespace '{self.there}'", message)
        self.assertEqual(self.wait_refs('asks', 'RefNotPermitted')[1].replace('nosuch', 'echo'), message)
        self.assertEqual(stands['backends'], '0/0', 'nobody is told how many there are')
        self.assertFalse(self.echoes(2601))
        self.assertEqual(status(self.status_port, '/readyz')[0], 200)
        self.assertEqual(re.findall(r'(?i).* (?:warning|error) .*referencegrants.*', self.controller.text()), [])

        # Installed later, in the older version.
        self.serve_grants('v1beta1')
        self.grant('Service', 'other')
        self.grant('Service', 'echo')
        wait_until('the backend is live', lambda: self.echoes(2601))
        wait_until('for both', lambda: self.echoes(2602))
        self.assertEqual(self.wait_refs('keeps', 'ResolvedRefs')[0]['backends'], '1/1')
        self.assertEqual(self.wait_refs('asks', 'RefNotPermitted')[1].replace('nosuch', 'echo'), message)
        self.assertEqual(self.controller.popen.pid, controller)
        self.assertIsNone(self.controller.popen.poll())

        # Withdrawn: new sessions end at once, open ones as the object says.
        with self.session(2601) as kept, self.session(2602) as closed:
            self.assertTrue(self.echoed(kept))
            self.assertTrue(self.echoed(closed))
            self.withdraw()
            wait_until('new sessions are refused', lambda: not self.echoes(2601))
            wait_until('an open one is closed', lambda: not self.echoed(closed))
            self.assertTrue(self.echoed(kept))
        self.wait_refs('keeps', 'RefNotPermitted')
        wait_until('and counted so', lambda: re.search(
            r'penstock_stream_sessions_total\{.*reason="endpoint_removed".*\} 1',
            status(self.admin_port, '/metrics')[1]))

        # The API server turns to another version.
        self.serve_grants('v1')
        self.grant('Service')
        wait_until('the backend is live again', lambda: self.echoes(2601), 100)
        self.wait_refs('asks', 'BackendNotFound')
        self.grant('Service', source='UDPService')
        wait_until('it is taken back by a change', lambda: not self.echoes(2601))
        self.grant('Service')
        wait_until('and given', lambda: self.echoes(2601))
        self.remove_grants()
        wait_until('nothing is left with the CRD', lambda: not self.echoes(2601))
        self.wait_refs('keeps', 'RefNotPermitted')

    def test_a_certificate_of_another_namespace(self):
        self.elsewhere().service('echo', [13], port=7, target=7000)
        self.serve_grants('v1')
        tls = {'mode': 'Terminate', 'certificateRefs': [{'name': 'cert', 'namespace': self.there}]}
        self.tcp_service('tls', 2611, tls=tls)
        message = self.wait_refs('tls', 'RefNotPermitted')[1]
        self.elsewhere().certificate('cert', 'shared.test')
        self.grant('Service')
        wait_until('the certificate alone is missing', lambda: 'service.namespace' not in
                   self.wait_refs('tls', 'RefNotPermitted')[1])
        self.assertIn('kind: Secret, name: cert}, found none', self.wait_refs('tls', 'RefNotPermitted')[1])
        self.assertIn('kind: Secret, name: cert}, found none', message)
        self.assertFalse(self.presents(2611))
        self.grant('Secret', 'cert')
        wait_until('it is presented', lambda: self.presents(2611))
        self.withdraw()
        wait_until('and no longer', lambda: not self.presents(2611))
        self.remove_grants()


if __name__ == '__main__':
    main()
