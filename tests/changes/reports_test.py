"""IngressReports, their Events and `penstock status` on a real API server."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, wait_until  # noqa: E402


class Reports(TestCase):
    number = 75

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()
        wait_until('reports are served', cls.is_kind_served)
        cls.start_backend('one', 11)

    @classmethod
    def is_kind_served(cls):
        try:
            return bool(cls.cluster.call('GET', cls.cluster.path_of('IngressReport')))
        except urllib.error.HTTPError:
            return False

    def setUp(self):
        self.service('web', [11])

    def object(self, name):
        try:
            return self.cluster.get('IngressReport', name, self.name)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return None

    def wait_report(self, name, what, condition):
        def holds():
            found = self.object(name)
            return found['report'] if found and condition(found['report']) else None
        try:
            return wait_until(what, holds, 90)
        except AssertionError:
            print(json.dumps(self.object(name)), file=sys.stderr)
            raise

    def wait_state(self, name, state):
        return self.wait_report(name, f'{name} is {state} and live', lambda report: (
            report['state'] == state and report['live'] == '1/1'))

    def events(self, name):
        found = self.cluster.call('GET', f'/api/v1/namespaces/{self.name}/events?limit=500')
        return [each for each in found['items'] if each['involvedObject']['name'] == name]

    def status(self, *arguments):
        return subprocess.run(
            [os.environ['PENSTOCK_BIN'] + '/penstock', 'status', '--kubeconfig',
             str(self.cluster.folder / 'admin.conf'), *arguments],
            capture_output=True, text=True, timeout=60)

    def test_served_degraded_served(self):
        self.ingress('web', ('web.test', [('Prefix', '/', 'web')]))
        report = self.wait_state('web', 'Served')
        self.assertEqual(report['hosts'], ['web.test'])
        self.assertEqual(report['issues'], [])
        self.assertEqual(report['ingressClass'], self.name)
        uid = self.cluster.get('Ingress', 'web', self.name)['metadata']['uid']
        self.assertEqual(self.object('web')['metadata']['ownerReferences'][0]['uid'], uid)
        self.ingress('web', ('web.test', [('Prefix', '/', 'web'), ('Prefix', '/gone', 'gone')]),
                     annotations={'rewrite-target': '/x', 'proxy-read-timeout': 'soon'})
        report = self.wait_report('web', 'it has three issues',
                                  lambda each: each['issueCount'] == 3)
        self.assertEqual(report['state'], 'Degraded')
        self.assertEqual(sorted(each['reason'] for each in report['issues']),
                         ['AnnotationIgnored', 'AnnotationRefused', 'BackendNotFound'])
        self.assertTrue(any("got 'soon'" in each['message'] for each in report['issues']))
        self.ingress('web', ('web.test', [('Prefix', '/', 'web')]))
        self.wait_state('web', 'Served')
        wait_until('each transition has an Event', lambda: sorted(
            (each['reason'], each['type']) for each in self.events('web')) == [
                ('Degraded', 'Warning'), ('Served', 'Normal'), ('Served', 'Normal')])

    def test_a_shadowed_path_names_who_has_it(self):
        self.ingress('older', ('shadow.test', [('Prefix', '/', 'web')]))
        self.wait_state('older', 'Served')
        time.sleep(1.1)  # ages are whole seconds
        self.ingress('younger', ('shadow.test', [('Prefix', '/', 'web'), ('Exact', '/y', 'web')]))
        report = self.wait_state('younger', 'Degraded')
        self.assertEqual([(each['reason'], each['by']) for each in report['issues']],
                         [('PathTaken', f'{self.name}/older')])
        self.cluster.delete('Ingress', 'older', self.name)
        self.wait_state('younger', 'Served')
        wait_until('the report of one that is deleted goes', lambda: not self.object('older'))

    def test_one_that_a_rule_refuses_is_rejected(self):
        self.ingress('risky', ('risky.test', [('Prefix', '/', 'web')]),
                     annotations={'server-snippet': 'return 200;'})
        report = self.wait_state('risky', 'Rejected')
        self.assertEqual([each['reason'] for each in report['issues']], ['AnnotationRefused'])
        self.assertIn('got one of the risk Critical', report['issues'][0]['message'])
        self.ingress('risky', ('risky.test', [('Prefix', '/', 'web')]))
        self.wait_state('risky', 'Served')

    def test_what_is_none_of_ours_has_no_report(self):
        self.ingress('other', ('other.test', [('Prefix', '/', 'web')]))
        self.wait_state('other', 'Served')
        self.ingress('other', ('other.test', [('Prefix', '/', 'web')]), ingress_class='elsewhere')
        wait_until('its report goes', lambda: not self.object('other'))

    def test_many_issues_are_bounded(self):
        self.ingress('many', ('many.test', [('Prefix', '/', 'web')]),
                     annotations={f'unheard-of-{i}': 'x' for i in range(60)})
        report = self.wait_state('many', 'Degraded')
        self.assertEqual((report['issueCount'], len(report['issues'])), (60, 32))

    def test_a_restart_writes_nothing(self):
        self.ingress('calm', ('calm.test', [('Prefix', '/', 'web')]))
        self.wait_state('calm', 'Served')
        before = self.object('calm')['metadata']['resourceVersion']
        self.controller.kill(signal.SIGTERM)
        type(self).start_controller()
        self.wait_serving()
        self.ingress('fresh', ('fresh.test', [('Prefix', '/', 'web')]))
        self.wait_state('fresh', 'Served')  # so the new one has looked at all
        time.sleep(2)
        self.assertEqual(self.object('calm')['metadata']['resourceVersion'], before)
        self.assertEqual(len(self.events('calm')), 1)

    def test_one_that_is_deleted_or_edited_comes_back(self):
        self.ingress('back', ('back.test', [('Prefix', '/', 'web')]))
        self.wait_state('back', 'Served')
        self.cluster.delete('IngressReport', 'back', self.name)
        self.wait_state('back', 'Served')
        self.cluster.call('PATCH', self.cluster.path_of('IngressReport', 'back', self.name),
                          {'report': {'state': 'Rejected'}}, 'application/merge-patch+json')
        self.wait_state('back', 'Served')

    def test_the_command(self):
        self.ingress('cmd', ('cmd.test', [('Prefix', '/', 'web')]),
                     annotations={'rewrite-target': '/x'})
        self.wait_state('cmd', 'Degraded')
        table = self.status('-n', self.name)
        self.assertEqual(table.returncode, 0, table.stderr)
        rows = [line.split() for line in table.stdout.splitlines()]
        self.assertEqual(rows[0],
                         ['NAMESPACE', 'NAME', 'CLASS', 'HOSTS', 'STATE', 'LIVE', 'ISSUES'])
        self.assertIn([self.name, 'cmd', self.name, 'cmd.test', 'Degraded', '1/1', '1'], rows)
        one = self.status('ingress', f'{self.name}/cmd')
        self.assertEqual(one.returncode, 0, one.stderr)
        self.assertIn('AnnotationIgnored: nginx.ingress.kubernetes.io/rewrite-target', one.stdout)
        none = self.status('ingress', f'{self.name}/absent')
        self.assertEqual(none.returncode, 1)
        self.assertIn(f'Ingress {self.name}/absent has no report', none.stderr)


if __name__ == '__main__':
    main()
