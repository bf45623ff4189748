"""Which namespaces are served, by their labels, on a real API server."""
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import Load, TestCase, main, wait_until  # noqa: E402


class Selected(TestCase):
    number = 61
    controller_flags = ('--watch-namespace-selector', 'team in (shop,pay),!legacy')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.start_backend('one', 11)
        cls.start_echo(13)

    def label(self, **labels):
        self.cluster.apply({'apiVersion': 'v1', 'kind': 'Namespace',
                            'metadata': {'name': self.name, 'labels': labels}})

    def port_echoes(self, port):
        try:
            with socket.create_connection((self.address, port), 3) as stream:
                stream.sendall(b'hello')
                return stream.recv(5) == b'hello'
        except OSError:
            return False

    def test_what_is_in_a_namespace_comes_and_goes_with_its_labels(self):
        self.service('web', [11])
        self.service('echo', [13], port=7, target=7000)
        self.ingress('web', ('web.test', [('Prefix', '/', 'web')]))
        self.cluster.apply(
            {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
             'metadata': {'name': 'echo', 'namespace': self.name},
             'spec': {'ingressClassName': self.name, 'listeners': [{'name': 'a', 'port': 6101}],
                      'rules': [{'backends': [{'service': {'name': 'echo', 'port': 7}}]}]}})
        self.config('tcp', **{'6102': f'{self.name}/echo:7'})
        wait_until('the entry is reported', lambda:
                   f"6102: namespace '{self.name}' is not one that is served"
                   in self.controller.text())
        self.wait_answer('web.test', expected=404)
        self.assertFalse(self.port_echoes(6101))

        self.label(team='shop')
        self.wait_answer('web.test', server='one')
        for port in (6101, 6102):
            wait_until(f'port {port} echoes', lambda port=port: self.port_echoes(port))
        with Load(self, 'web.test') as load:
            self.label(team='pay')
            sent = load.sent
            wait_until('requests flow on', lambda: load.sent > sent + 50)
        self.assertEqual(load.failures, [])

        self.label(team='pay', legacy='yes')
        self.wait_answer('web.test', expected=404)
        for port in (6101, 6102):
            wait_until(f'port {port} is closed', lambda port=port: not self.port_echoes(port))
        self.label(team='shop')
        self.wait_answer('web.test', server='one')


if __name__ == '__main__':
    main()
