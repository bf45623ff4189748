"""The admission webhook on a real API server."""
import base64
import http.client
import json
import pathlib
import ssl
import sys
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from cluster_api import API  # noqa: E402
from penstock_testing import TestCase, main, wait_until  # noqa: E402

PREFIX = 'nginx.ingress.kubernetes.io/'


class Admission(TestCase):
    number = 25
    address_of_webhook = f'10.245.{number}.1:8443'
    controller_flags = ('--validating-webhook', address_of_webhook,
                        '--validating-webhook-name', f'admission-t{number}')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        cls.webhook = f'admission-{cls.name}'
        cls.cluster.apply(
            {'apiVersion': 'admissionregistration.k8s.io/v1',
             'kind': 'ValidatingWebhookConfiguration', 'metadata': {'name': cls.webhook},
             'webhooks': [
                 {'name': 'validate.penstock.dev', 'admissionReviewVersions': ['v1'],
                  'sideEffects': 'None', 'failurePolicy': 'Fail', 'timeoutSeconds': 10,
                  'namespaceSelector': {'matchLabels': {'kubernetes.io/metadata.name': cls.name}},
                  'clientConfig': {'url': f'https://{cls.address_of_webhook}/penstock/v1'},
                  'rules': [
                      {'apiGroups': ['networking.k8s.io'], 'apiVersions': ['v1'],
                       'operations': ['CREATE', 'UPDATE'], 'resources': ['ingresses']},
                      {'apiGroups': ['penstock.dev'], 'apiVersions': ['v1alpha1'],
                       'operations': ['CREATE', 'UPDATE'],
                       'resources': ['tcpservices', 'udpservices']}]}]})
        cls().service('web', [11])
        wait_until('the API server reaches the webhook', cls.is_reached, 150)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.delete('ValidatingWebhookConfiguration', f'admission-{cls.name}')
        super().tearDownClass()

    @classmethod
    def is_reached(cls):
        try:
            cls().ingress('probe', ('probe.test', [('Prefix', '/', 'web')]))
            return True
        except urllib.error.HTTPError:
            return False

    def refused(self, expected, action):
        with self.assertRaises(urllib.error.HTTPError) as error:
            action()
        self.assertIn(expected, error.exception.read().decode())

    def warnings(self, item):
        """What the API server passes on of the webhook's warnings."""
        host = http.client.HTTPSConnection(*API[8:].split(':'), context=self.cluster.tls)
        path = self.cluster.path_of(item['kind'], namespace=self.name)
        host.request('POST', path + '?dryRun=All', json.dumps(item),
                     {'Authorization': 'Bearer admin-token', 'Content-Type': 'application/json'})
        answer = host.getresponse()
        text = answer.read().decode()
        host.close()
        self.assertEqual(answer.status, 201, text)
        return answer.headers.get_all('Warning') or []

    def test_an_ingress_that_cannot_be_served_as_written_is_refused(self):
        path = ('Prefix', '/', 'web')
        self.ingress('first', ('one.test', [path]))
        wait_until('the controller knows it', lambda: self.ask('one.test'))
        self.refused(f'host \\"one.test\\" and path \\"/\\" is already defined in ingress '
                     f'{self.name}/first', lambda: self.ingress('second', ('one.test', [path])))
        # The same again, changed, is no rival of its own.
        self.ingress('first', ('one.test', [path]), annotations={'proxy-body-size': '3m'})
        self.refused(f'annotation {PREFIX}proxy-body-size contains invalid value',
                     lambda: self.ingress('bad', ('two.test', [path]),
                                          annotations={'proxy-body-size': 'much'}))
        self.refused(f'{PREFIX}server-snippet annotation cannot be used. Snippet directives are '
                     'disabled by the Ingress administrator',
                     lambda: self.ingress('bad', ('two.test', [path]),
                                          annotations={'server-snippet': 'return 200;'}))
        self.refused('invalid http path: invalid value found: /etc/passwd',
                     lambda: self.ingress('bad', ('two.test', [('Prefix', '/etc/passwd', 'web')])))

    def test_rules_of_the_config_map_refuse(self):
        path = ('Prefix', '/', 'web')

        def put(**annotations):
            self.ingress('ruled', ('ruled.test', [path]), annotations={
                key.replace('_', '-'): value for key, value in annotations.items()})

        put(upstream_vhost='lua.test', proxy_body_size='3m')
        self.config('settings', annotation_value_word_blocklist='load_module, lua')
        wait_until('the word is known', lambda: self.is_refused(
            lambda: put(upstream_vhost='lua.test')))
        self.refused(f'{PREFIX}upstream-vhost annotation contains invalid word lua',
                     lambda: put(upstream_vhost='lua.test'))
        self.config('settings', annotations_risk_level='Low', allow_snippet_annotations='true')
        wait_until('the level is known', lambda: self.is_refused(lambda: put(proxy_body_size='4m')))
        self.refused('annotation group Proxy contains risky annotation based on ingress '
                     'configuration', lambda: put(proxy_body_size='4m'))
        self.refused('annotation group ServerSnippet contains risky annotation',
                     lambda: put(server_snippet='return 200;'))
        put(upstream_vhost='lua.test')  # of the risk Low, and the word is free again
        self.cluster.delete('ConfigMap', 'settings', self.name)
        wait_until('there is no rule left',
                   lambda: not self.is_refused(lambda: put(proxy_body_size='4m')))

    def test_paths_that_look_like_patterns_are_refused_or_warned_of(self):
        def put():
            self.ingress('odd', ('odd.test', [('Prefix', '/a(/|$)', 'web')]))

        self.refused('ingress contains invalid paths: path /a(/|$) cannot be used with pathType '
                     'Prefix', put)
        self.config('settings', strict_validate_path_type='false')
        wait_until('it is taken', lambda: not self.is_refused(put))
        self.cluster.delete('ConfigMap', 'settings', self.name)

    def is_refused(self, action):
        try:
            action()
            return False
        except urllib.error.HTTPError:
            return True

    def test_what_is_not_ours_is_left_alone(self):
        self.cluster.apply({'apiVersion': 'networking.k8s.io/v1', 'kind': 'IngressClass',
                            'metadata': {'name': 'other-' + self.name},
                            'spec': {'controller': 'test/other'}})
        self.ingress('other', ('three.test', [('Prefix', '/', 'web')]),
                     annotations={'proxy-body-size': 'much'}, ingress_class='other-' + self.name)
        self.config('plain', key='value')

    def test_what_cannot_be_read_of_another_class_is_left_alone(self):
        other = self.tcp_service('other', 2503)
        other['spec']['ingressClassName'] = 'nobody'
        self.assertEqual(self.warnings(other), [])

    def test_a_body_that_is_too_large_is_refused_by_its_length(self):
        host = self.connect()
        host.putrequest('POST', '/')
        host.putheader('Content-Length', str(64 << 20))
        host.endheaders()
        self.assertEqual(host.getresponse().status, 413)
        host.close()
        self.assertEqual(self.post('{'), 400)

    def connect(self):
        secret = self.cluster.get('Secret', self.webhook, self.name)['data']
        context = ssl.create_default_context(cadata=base64.b64decode(secret['ca']).decode())
        return http.client.HTTPSConnection(*self.address_of_webhook.split(':'), context=context,
                                           timeout=20)

    def post(self, body, method='POST'):
        host = self.connect()
        host.request(method, '/', body)
        answer = host.getresponse()
        host.close()
        return answer.status

    def tcp_service(self, name, port, **more):
        return {'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TCPService',
                'metadata': {'name': name, 'namespace': self.name},
                'spec': {'ingressClassName': self.name, 'listeners': [{'name': 'a', 'port': port}],
                         'rules': [{'backends': [{'service': {'name': 'web', 'port': 80}}]}],
                         **more}}

    def test_a_port_of_another_is_warned_of(self):
        self.cluster.apply(self.tcp_service('owner', 2501))
        wait_until('the owner has it', lambda: any(
            f'port 2501 is held by {self.name}/owner' in each
            for each in self.warnings(self.tcp_service('loser', 2501))))
        self.assertEqual(self.warnings(self.tcp_service('free', 2502)), [])
        found = self.warnings(self.tcp_service('low', 22))
        self.assertTrue(any('expected a port from 1024 up, got 22' in each for each in found))

    def test_a_secret_that_was_spoiled_is_made_anew(self):
        """As when somebody restores half of a backup; the API server goes on reaching the webhook."""
        before = self.cluster.get('Secret', self.webhook, self.name)['data']
        self.cluster.call('PATCH', self.cluster.path_of('Secret', self.webhook, self.name),
                          {'data': {'cert': before['ca']}}, 'application/merge-patch+json')

        def is_mended():
            now = self.cluster.get('Secret', self.webhook, self.name)['data']
            return now['cert'] not in (before['cert'], before['ca']) and now['key'] != before['key']
        wait_until('there is a new certificate', is_mended, 90)
        self.ingress('mended', ('mended.test', [('Prefix', '/', 'web')]))
        self.assertEqual(self.post('{'), 400)

    def test_a_connection_serves_one_review_after_the_other(self):
        """How long they take is what `make bench-admission` measures."""
        host = self.connect()
        item = {'apiVersion': 'networking.k8s.io/v1', 'kind': 'Ingress',
                'metadata': {'name': 'x', 'namespace': self.name}, 'spec': {
                    'ingressClassName': self.name, 'rules': [{'host': 'four.test', 'http': {
                        'paths': [{'path': '/', 'pathType': 'Prefix', 'backend': {
                            'service': {'name': 'web', 'port': {'number': 80}}}}]}}]}}
        review = {'apiVersion': 'admission.k8s.io/v1', 'kind': 'AdmissionReview', 'request': {
            'uid': '1', 'operation': 'CREATE', 'name': 'x', 'namespace': self.name,
            'kind': {'group': 'networking.k8s.io', 'version': 'v1', 'kind': 'Ingress'},
            'object': item}}
        for _ in range(500):
            host.request('POST', '/', json.dumps(review), {'Content-Type': 'application/json'})
            answer = json.loads(host.getresponse().read())
            self.assertEqual(answer['response'], {'uid': '1', 'allowed': True})
        host.close()

    def test_what_is_no_review_harms_nothing(self):
        self.assertEqual(self.post('{'), 400)
        self.assertEqual(self.post('{"kind":"Pod"}'), 400)
        self.assertEqual(self.post(None, 'GET'), 405)


if __name__ == '__main__':
    main()
