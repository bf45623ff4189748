"""A controller of all namespaces that may read the Secrets of some: the chart's rights, of a service
account of their own, on a real API server."""
import copy
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from cluster_api import API  # noqa: E402
from penstock_testing import ROOT, TestCase, main, wait_until  # noqa: E402

RIGHTS = ('ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding')


class SecretNamespaces(TestCase):
    number = 24
    starts_programs = False
    controller_flags = ('--secret-namespaces', 't24-shop,t24-pay',
                        '--default-ssl-certificate', 't24-certificates/wildcard')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tools = pathlib.Path(os.environ['PENSTOCK_CLUSTER_BIN'])
        if not (cls.tools / 'helm').exists():
            raise unittest.SkipTest('no Helm, which makes the rights')
        cls.cluster.install_crds()
        for name in ('shop', 'pay', 'blog', 'certificates'):
            cls.cluster.apply({'apiVersion': 'v1', 'kind': 'Namespace',
                               'metadata': {'name': f't24-{name}'}})
        cls.kubectl(cls.rights(), 'apply', '-f', '-')
        cls.write_kubeconfig()
        cls.start_controller()
        cls.start_proxy()
        cls.wait_serving()
        cls.start_backend('one', 11)

    @classmethod
    def kubectl(cls, text, *arguments):
        done = subprocess.run([str(cls.tools / 'kubectl'), '--kubeconfig',
                               str(cls.cluster.folder / 'admin.conf'), *arguments], input=text,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    @classmethod
    def rights(cls, only=RIGHTS, namespace=None):
        """What the chart gives, as YAML."""
        values = ('rbac.secretNamespaces={t24-shop,t24-pay}', f'controller.electionID=leader-{cls.name}',
                  'controller.defaultSslCertificate=t24-certificates/wildcard')
        text = subprocess.run(
            [str(cls.tools / 'helm'), 'template', cls.name, str(ROOT / 'charts/penstock'),
             '--namespace', cls.name, '--skip-tests',
             *(word for value in values for word in ('--set', value))],
            check=True, capture_output=True, text=True,
            env={**os.environ, 'HOME': cls.folder}).stdout
        found = [each for each in re.split(r'^---$', text, flags=re.M)
                 if re.search(rf'^kind: ({"|".join(only)})$', each, re.M) and
                 (not namespace or f'\n  namespace: {namespace}\n' in each)]
        return '---'.join(found)

    @classmethod
    def write_kubeconfig(cls):
        account = re.search(r'kind: ServiceAccount\nmetadata:\n  name: (\S+)', cls.rights()).group(1)
        token = cls.cluster.call(
            'POST', f'/api/v1/namespaces/{cls.name}/serviceaccounts/{account}/token',
            {'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenRequest',
             'spec': {'expirationSeconds': 3600}})['status']['token']
        cls.kubeconfig = pathlib.Path(cls.folder) / 'account.conf'
        cls.kubeconfig.write_text(json.dumps({
            'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'c',
            'clusters': [{'name': 'c', 'cluster': {
                'server': API, 'certificate-authority': str(cls.cluster.folder / 'pki/ca.crt')}}],
            'users': [{'name': 'u', 'user': {'token': token}}],
            'contexts': [{'name': 'c', 'context': {'cluster': 'c', 'user': 'u'}}]}))

    def within(self, namespace):
        """This test with its objects in another namespace."""
        other = copy.copy(self)
        other.name = f't24-{namespace}'
        return other

    def site(self, namespace):
        """An Ingress with TLS; its certificate."""
        there = self.within(namespace)
        there.service('web', [11])
        chain = there.certificate('cert', f'{namespace}.test')
        there.ingress('web', (f'{namespace}.test', [('Prefix', '/', 'web')]),
                      tls=[{'hosts': [f'{namespace}.test'], 'secretName': 'cert'}],
                      ingress_class=self.name)
        return chain

    def renew(self, namespace):
        return self.within(namespace).certificate('cert', f'{namespace}.test')

    def default(self):
        return self.within('certificates').certificate('wildcard', '*.test')

    def listed(self, kind, namespace):
        return self.cluster.call('GET', self.cluster.path_of(kind, namespace=namespace))['items']

    def wait_presented(self, host, chain, seconds=30):
        def presents():
            try:
                return self.presented(host) == chain
            except OSError:
                return False
        wait_until(f'{host} presents its certificate', presents, seconds)

    def test_secrets_of_two_namespaces_are_served_and_a_third_is_told(self):
        logged = len(self.controller.text())
        default = self.default()
        chains = {name: self.site(name) for name in ('shop', 'pay', 'blog')}
        for name in ('shop', 'pay'):
            self.wait_presented(f'{name}.test', chains[name])
        self.wait_presented('blog.test', default)
        self.wait_answer('blog.test', server='one', tls=True)
        said = ("expected a Secret of one of --secret-namespaces, got 't24-blog/cert'; blog.test "
                'presents the default certificate')
        wait_until('the log says so', lambda: 'Ingress t24-blog/web: spec.tls[0].secretName: ' + said
                   in self.controller.text())
        wait_until('the report says so', lambda: [
            (issue['reason'], issue['message']) for each in self.listed('IngressReport', 't24-blog')
            for issue in each['report']['issues']] == [('CertificateNotUsed', said)], 90)
        wait_until('an Event says so', lambda: any(
            each['involvedObject']['name'] == 'web' and said in each['message'] for each in
            self.cluster.call('GET', '/api/v1/namespaces/t24-blog/events')['items']), 60)

        # The watches go on, each by itself.
        for name in ('shop', 'pay'):
            self.wait_presented(f'{name}.test', self.renew(name))
        self.wait_presented('blog.test', self.default())
        self.cluster.delete('Secret', 'cert', 't24-shop')
        self.wait_presented('shop.test', self.default())
        self.wait_presented('pay.test', self.renew('pay'))
        self.wait_presented('shop.test', self.renew('shop'))

        # Nothing was asked for that the rights do not give.
        self.assertNotIn('status 403', self.controller.text()[logged:])

    def test_a_namespace_that_takes_its_right_away_keeps_no_other_from_being_served(self):
        default = self.default()
        for name in ('shop', 'pay'):
            self.wait_presented(f'{name}.test', self.site(name))
        self.kubectl(self.rights(('RoleBinding',), 't24-pay'), 'delete', '-f', '-')
        self.controller.kill(signal.SIGTERM)
        type(self).start_controller()
        self.wait_presented('shop.test', self.renew('shop'), 60)
        self.wait_presented('pay.test', default)
        self.assertIn('no right to list the Secrets of t24-pay', self.controller.text())
        self.kubectl(self.rights(('RoleBinding',), 't24-pay'), 'apply', '-f', '-')
        self.wait_presented('pay.test', self.renew('pay'), 60)


if __name__ == '__main__':
    main()
