#!/usr/bin/env python3
"""The Helm chart: what it renders from its defaults and from each file of values/, what it refuses and
with which words, and what must hold whatever the values are. `--update-golden` rewrites golden/."""
import difflib
import functools
import json
import pathlib
import re
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CHART = ROOT / 'charts/penstock'
SETS = sorted(path.stem for path in (HERE / 'values').glob('*.yaml'))
UPDATES = '--update-golden' in sys.argv


def find_helm():
    done = subprocess.run(['bash', '-c', '. "$0"; echo "$BIN/helm"', ROOT / 'tests/cluster/env.sh'],
                          capture_output=True, text=True, check=True)
    return pathlib.Path(done.stdout.strip())


HELM = find_helm()


def helm(*arguments):
    return subprocess.run([str(each) for each in (HELM, *arguments)], capture_output=True, text=True)


@functools.cache
def render(name=None, *settings):
    values = ['--values', HERE / f'values/{name}.yaml'] if name else []
    flags = [word for each in settings for word in ('--set', each)]
    done = helm('template', 'penstock', CHART, '--namespace', 'ingress', *values, *flags)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout


def documents(text):
    import yaml  # only here: without Helm the test is skipped where yaml is not installed
    return [each for each in yaml.safe_load_all(text) if each]


def objects_of(name=None, *settings):
    return documents(render(name, *settings))


def of_kind(found, kind):
    return [each for each in found if each['kind'] == kind]


def pod_of(found):
    for each in found:
        if each['kind'] in ('Deployment', 'DaemonSet') and each['metadata']['name'].endswith('controller'):
            return each['spec']['template']['spec']
    raise AssertionError('no workload')


class Goldens(unittest.TestCase):
    """The default as a whole; a set of values as its difference from that."""

    maxDiff = None

    def compare(self, name, text):
        path = HERE / 'golden' / name
        if UPDATES:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.assertEqual(path.read_text(), text, f'{name}: see --update-golden')

    def test_default(self):
        self.compare('default.yaml', render().rstrip() + '\n')

    def test_sets_of_values(self):
        default = render().splitlines()
        for name in SETS:
            with self.subTest(values=name):
                lines = difflib.unified_diff(default, render(name).splitlines(), 'default', name,
                                             n=2, lineterm='')
                # Line numbers move with every other change of the default.
                text = ''.join(re.sub(r'^@@.*', '@@', line).rstrip() + '\n' for line in lines)
                self.compare(f'{name}.diff', text)

    def test_no_golden_is_left_over(self):
        found = {path.stem for path in (HERE / 'golden').iterdir()} - {'default'}
        self.assertEqual(found, set(SETS))


class Whatever(unittest.TestCase):
    """Holds for every set of values."""

    def each(self):
        for name in (None, *SETS):
            with self.subTest(values=name or 'default'):
                yield name, objects_of(name)

    def test_lint_finds_nothing(self):
        for name in (None, *SETS):
            values = ['--values', HERE / f'values/{name}.yaml'] if name else []
            done = helm('lint', '--strict', '--quiet', CHART, *values)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_no_object_comes_twice(self):
        for _, found in self.each():
            names = [(each['kind'], each['metadata'].get('namespace'), each['metadata']['name'])
                     for each in found]
            self.assertEqual(len(names), len(set(names)))

    def test_names_fit(self):
        for _, found in self.each():
            for each in found:
                self.assertRegex(each['metadata']['name'], r'^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$')

    def test_the_token_is_in_the_controller_alone(self):
        for _, found in self.each():
            pod = pod_of(found)
            self.assertIs(pod['automountServiceAccountToken'], False)
            tokens = {volume['name'] for volume in pod['volumes']
                      if 'serviceAccountToken' in json.dumps(volume)}
            self.assertEqual(tokens, {'token'})
            holders = [container['name'] for container in pod['containers']
                       for mount in container.get('volumeMounts', []) if mount['name'] in tokens]
            self.assertEqual(pod['containers'][0]['command'], ['penstock-controller'])
            self.assertEqual(holders, [pod['containers'][0]['name']])
            for account in of_kind(found, 'ServiceAccount'):
                self.assertIs(account['automountServiceAccountToken'], False)

    def test_the_containers_share_the_socket_alone(self):
        for name, found in self.each():
            if name == 'pod':
                continue  # has volumes of its own
            controller, proxy = pod_of(found)['containers'][:2]
            shared = ({each['name'] for each in controller['volumeMounts']} &
                      {each['name'] for each in proxy['volumeMounts']})
            self.assertEqual(shared, {'socket'})
            for volume in pod_of(found)['volumes']:
                if volume['name'] in ('socket', 'state'):
                    self.assertEqual(volume['emptyDir']['medium'], 'Memory')

    def test_no_container_has_rights(self):
        for name, found in self.each():
            if name == 'pod':
                continue  # says it for itself
            for container in pod_of(found)['containers']:
                security = container['securityContext']
                self.assertEqual(security['capabilities']['drop'], ['ALL'])
                self.assertTrue(security['runAsNonRoot'] and security['readOnlyRootFilesystem'])
                self.assertIs(security['allowPrivilegeEscalation'], False)
                self.assertEqual((security['runAsUser'], security['runAsGroup']), (101, 82))

    def test_every_target_port_of_a_service_is_a_port_of_the_pod(self):
        for name, found in self.each():
            ports = {port['name'] for container in pod_of(found)['containers']
                     for port in container.get('ports', [])}
            for service in of_kind(found, 'Service'):
                if service['metadata']['name'].endswith('defaultbackend') or name == 'cloud-service':
                    continue  # its own pods; a recipe of its own
                for port in service['spec']['ports']:
                    self.assertIn(port['targetPort'], ports)

    def test_what_selects_finds_the_pods(self):
        for _, found in self.each():
            workload = next(each for each in found if each['kind'] in ('Deployment', 'DaemonSet') and
                            each['metadata']['name'].endswith('controller'))
            labels = workload['spec']['template']['metadata']['labels']
            for kind, path in (('Service', ('spec', 'selector')),
                               ('PodDisruptionBudget', ('spec', 'selector', 'matchLabels')),
                               ('NetworkPolicy', ('spec', 'podSelector', 'matchLabels'))):
                for each in of_kind(found, kind):
                    if each['metadata']['name'].endswith(('defaultbackend', '-retire')):
                        continue
                    selector = functools.reduce(lambda value, key: value[key], path, each)
                    self.assertLessEqual(selector.items(), labels.items())

    def test_a_budget_only_where_there_are_replicas(self):
        with_budget = {name for name, found in self.each()
                       if any(not each['metadata']['name'].endswith('defaultbackend')
                              for each in of_kind(found, 'PodDisruptionBudget'))}
        self.assertEqual(with_budget, {'autoscaling', 'keda', 'replicas', 'ingress-nginx'})


class Rights(unittest.TestCase):
    def secrets(self, found):
        """(kind of role, namespace, verbs) that reach Secrets."""
        return {(each['kind'], each['metadata'].get('namespace'), ','.join(rule['verbs']))
                for each in found if each['kind'] in ('Role', 'ClusterRole')
                for rule in each['rules'] if 'secrets' in rule['resources']}

    def test_secrets_of_all_namespaces_by_default(self):
        self.assertEqual(self.secrets(objects_of()), {('ClusterRole', None, 'get,list,watch')})

    def test_secrets_of_one_namespace_and_those_that_are_named_with_a_scope(self):
        self.assertEqual(self.secrets(objects_of('scoped')),
                         {('Role', 'team-a', 'get,list,watch'),
                          ('Role', 'certificates', 'get'), ('Role', 'certificates', 'get,list,watch')})
        named = [each['rules'][0].get('resourceNames') for each in of_kind(objects_of('scoped'), 'Role')
                 if each['metadata']['name'] == 'penstock-default-certificate']
        self.assertEqual(named, [['wildcard']], 'one Secret alone is watched')

    def test_secrets_of_the_namespaces_that_are_named_and_the_default_certificate_alone(self):
        """And that of the webhook, by name."""
        found = objects_of('secret-namespaces')
        roles = {(each['kind'], each['metadata'].get('namespace'), each['metadata']['name']): each
                 for each in found if each['kind'] in ('Role', 'ClusterRole')}
        reach = {key: (rule['verbs'], rule.get('resourceNames')) for key, each in roles.items()
                 for rule in each['rules'] if 'secrets' in rule['resources']}
        every = ['get', 'list', 'watch']
        self.assertEqual(reach, {
            ('Role', 'shop', 'penstock-secrets'): (every, None),
            ('Role', 'pay', 'penstock-secrets'): (every, None),
            ('Role', 'certificates', 'penstock-default-certificate'): (every, ['wildcard']),
            ('Role', 'ingress', 'penstock-admission'): (['get', 'patch'], ['penstock-admission'])})
        bindings = {(each['metadata']['namespace'], each['roleRef']['name']): each['subjects']
                    for each in of_kind(found, 'RoleBinding')}
        for kind, namespace, name in reach:
            self.assertEqual(bindings[namespace, name], [
                {'kind': 'ServiceAccount', 'name': 'penstock', 'namespace': 'ingress'}])
        self.assertIn('--secret-namespaces=pay,shop', pod_of(found)['containers'][0]['args'])

    def test_the_default_certificate_has_a_role_only_where_none_reaches_it(self):
        def roles(*settings):
            return [(each['metadata']['namespace'], each['rules'][0]['resourceNames'])
                    for each in of_kind(objects_of(None, *settings), 'Role')
                    if each['metadata']['name'].endswith('-default-certificate')]
        named = 'rbac.secretNamespaces={shop}'
        self.assertEqual(roles('controller.defaultSslCertificate=a/b'), [])
        self.assertEqual(roles(named, 'controller.defaultSslCertificate=shop/b'), [])
        self.assertEqual(roles(named, 'controller.defaultSslCertificate=a/b'), [('a', ['b'])])
        scoped = ('controller.scope.enabled=true', 'controller.scope.namespace=shop', 'rbac.scope=true')
        self.assertEqual(roles(*scoped, 'controller.defaultSslCertificate=a/b'), [('a', ['b'])])
        self.assertEqual(roles(*scoped, 'controller.defaultSslCertificate=shop/b'), [])
        self.assertEqual(roles(named, 'controller.extraArgs.default-ssl-certificate=$(POD_NAMESPACE)/b'),
                         [('ingress', ['b'])])

    def test_a_scope_gives_no_list_of_namespaces_to_the_controller(self):
        for name in (None, 'scoped'):
            self.assertNotIn('--secret-namespaces', render(name))

    def test_a_scope_needs_no_right_in_the_cluster_but_for_what_has_no_namespace(self):
        rules = [rule for each in of_kind(objects_of('scoped'), 'ClusterRole') for rule in each['rules']]
        self.assertEqual([(rule['resources'], rule['verbs']) for rule in rules],
                         [(['ingressclasses'], ['list', 'watch']), (['nodes'], ['get'])])

    def patched_services(self, name=None, *settings):
        """(kind of role, namespace, names, verbs) that may change Services, and whether the flag is there."""
        found = objects_of(name, *settings)
        rights = [(each['kind'], each['metadata'].get('namespace'), rule.get('resourceNames'), rule['verbs'])
                  for each in found if each['kind'] in ('Role', 'ClusterRole')
                  for rule in each['rules']
                  if 'services' in rule['resources'] and set(rule['verbs']) - {'get', 'list', 'watch'}]
        return rights, '--publish-stream-ports' in pod_of(found)['containers'][0]['args']

    def test_no_service_is_changed_but_the_published_one_of_the_chart(self):
        role = ('Role', 'ingress', ['penstock-controller'], ['patch'])
        self.assertEqual(self.patched_services(), ([role], True))
        internal = ('Role', 'ingress', ['penstock-controller-internal'], ['patch'])
        self.assertEqual(self.patched_services('internal-service'), ([internal], True))
        for name, *settings in ((None, 'controller.service.publishStreamPorts=false'),
                                (None, 'controller.publishService.enabled=false'),
                                (None, 'controller.service.enabled=false'),
                                (None, 'controller.disableLeaderElection=true'),
                                ('side-by-side',), ('scoped',), ('host-network',)):
            with self.subTest(values=name, settings=settings):
                self.assertEqual(self.patched_services(name, *settings), ([], False))

    def test_the_webhook_may_write_its_certificate_and_tell_its_authority_and_nothing_else(self):
        def rules(found):
            return {each['kind']: each['rules'] for each in found
                    if each['kind'] in ('Role', 'ClusterRole') and
                    each['metadata']['name'] == 'penstock-admission'}
        self.assertEqual(rules(objects_of('admission')), {
            'Role': [{'apiGroups': [''], 'resources': ['secrets'],
                      'resourceNames': ['penstock-admission'], 'verbs': ['get', 'patch']}],
            'ClusterRole': [{'apiGroups': ['admissionregistration.k8s.io'],
                             'resources': ['validatingwebhookconfigurations'],
                             'resourceNames': ['penstock-admission'], 'verbs': ['get', 'patch']}]})
        self.assertEqual(rules(objects_of('admission-cert-manager')), {})

    def test_namespaces_are_watched_where_a_selector_is_given(self):
        self.assertNotIn('namespaces]', render())
        text = render(None, 'controller.scope.namespaceSelector=team in (shop\\,pay)')
        self.assertIn('resources: [namespaces]', text)
        self.assertIn('"--watch-namespace-selector=team in (shop,pay)"', text)


class Retirement(unittest.TestCase):
    """The Job that runs before an uninstallation."""

    def job(self, found):
        jobs = of_kind(found, 'Job')
        return jobs[0] if jobs else None

    def lease_rights(self, found):
        return [verb for each in of_kind(found, 'Role') for rule in each['rules']
                if 'leases' in rule['resources'] and rule.get('resourceNames') for verb in rule['verbs']]

    def test_it_is_a_hook_that_leaves_nothing_behind(self):
        meta = self.job(objects_of())['metadata']
        self.assertEqual(meta['annotations'], {
            'helm.sh/hook': 'pre-delete', 'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded'})

    def test_it_is_of_the_same_installation_as_the_controller(self):
        for name in (None, *SETS):
            with self.subTest(values=name or 'default'):
                found = objects_of(name)
                job, pod = self.job(found), pod_of(found)
                if name == 'pod':
                    self.assertIsNone(job, 'it elects nobody')
                    continue
                spec = job['spec']['template']['spec']
                container, controller = spec['containers'][0], pod['containers'][0]
                self.assertEqual(container['args'][1:], controller['args'])
                for key in ('image', 'imagePullPolicy', 'securityContext', 'env'):
                    self.assertEqual(container.get(key), controller.get(key), key)
                for key in ('serviceAccountName', 'automountServiceAccountToken', 'imagePullSecrets',
                            'nodeSelector', 'tolerations'):
                    self.assertEqual(spec.get(key), pod.get(key), key)

    def test_its_selector_finds_the_pods_of_the_controller_and_not_its_own(self):
        for name in (None, *SETS):
            with self.subTest(values=name or 'default'):
                found = objects_of(name)
                job = self.job(found)
                if job is None:
                    continue
                flag = job['spec']['template']['spec']['containers'][0]['args'][0]
                wanted = dict(each.split('=') for each in flag.removeprefix('--pod-selector=').split(','))
                workload = next(each for each in found if each['kind'] in ('Deployment', 'DaemonSet') and
                                each['metadata']['name'].endswith('controller'))
                self.assertLessEqual(wanted.items(),
                                     workload['spec']['template']['metadata']['labels'].items())
                own = job['spec']['template']['metadata']['labels']
                self.assertFalse(wanted.items() <= own.items())
                for service in of_kind(found, 'Service'):
                    self.assertFalse(service['spec']['selector'].items() <= own.items())

    def test_it_may_be_left_out_with_its_rights(self):
        self.assertEqual(self.lease_rights(objects_of()), ['get', 'update', 'patch', 'delete'])
        for setting in ('controller.retireOnUninstall=false', 'controller.disableLeaderElection=true'):
            found = objects_of(None, setting)
            self.assertIsNone(self.job(found), setting)
            self.assertEqual(self.lease_rights(found), ['get', 'update'], setting)

    def test_it_reaches_the_api_server_where_policies_are_made(self):
        found = objects_of('network-policy')
        labels = self.job(found)['spec']['template']['metadata']['labels'].items()
        policies = [each['spec'] for each in of_kind(found, 'NetworkPolicy')
                    if each['spec']['podSelector']['matchLabels'].items() <= labels]
        self.assertEqual([each['egress'] for each in policies], [[{}]])


class Admission(unittest.TestCase):
    """What the API server asks the webhook about, and where that finds its certificate."""

    def webhook(self, *settings):
        found = objects_of(None, 'controller.admissionWebhooks.enabled=true', *settings)
        return of_kind(found, 'ValidatingWebhookConfiguration')[0]['webhooks'][0]

    def test_only_objects_of_our_classes(self):
        def condition(*settings):
            return self.webhook(*settings)['matchConditions'][0]['expression']
        self.assertEqual(
            condition(),
            'has(object.spec) && has(object.spec.ingressClassName) ? '
            'object.spec.ingressClassName in ["nginx"] : request.kind.group == \'penstock.dev\' || '
            'has(object.metadata.annotations) && '
            '\'kubernetes.io/ingress.class\' in object.metadata.annotations && '
            'object.metadata.annotations[\'kubernetes.io/ingress.class\'] == "nginx"')
        self.assertIn('in ["edge","nginx","more"] : true', condition(
            'controller.ingressClassResource.name=edge', 'controller.watchIngressWithoutClass=true',
            'controller.admissionWebhooks.classes={more}'))

    def test_only_objects_of_the_scope(self):
        self.assertNotIn('namespaceSelector', self.webhook())
        self.assertEqual(
            self.webhook('controller.scope.enabled=true', 'controller.scope.namespace=team-a')
            ['namespaceSelector'], {'matchLabels': {'kubernetes.io/metadata.name': 'team-a'}})

    def test_the_certificate_of_a_secret_is_where_the_flags_say(self):
        for name, keys in (('admission-cert-manager', ['tls.crt', 'tls.key']),):
            pod = pod_of(objects_of(name))
            arguments = pod['containers'][0]['args']
            mounts = {each['name']: each['mountPath'] for each in pod['containers'][0]['volumeMounts']}
            items = {each['name']: each for each in pod['volumes']}['webhook-certificate']['secret']
            self.assertEqual([each['key'] for each in items['items']], keys)
            for flag, item in zip(('certificate', 'key'), items['items']):
                self.assertIn(f'--validating-webhook-{flag}={mounts["webhook-certificate"]}/'
                              f'{item["path"]}', arguments)
            self.assertNotIn('webhook-certificate', json.dumps(pod['containers'][1]))


class Refusals(unittest.TestCase):
    def refused(self, sentence, *settings):
        flags = [word for each in settings for word in ('--set', each)]
        done = helm('template', CHART, *flags)
        self.assertNotEqual(done.returncode, 0, settings)
        self.assertIn(sentence, done.stderr)

    def test_each_sentence_of_the_chart(self):
        """Every row of templates/_refusals.tpl is provoked, and nothing else is refused by it."""
        asked = {
            'controller.image.chroot': ['controller.image.chroot=true'],
            'controller.image': ['controller.image.registry=registry.example',
                                 'controller.image.image=ingress-nginx/controller'],
            'controller.containerName': ['controller.containerName=proxy'],
            'controller.addHeaders': ['controller.addHeaders.X-A=b'],
            'controller.proxySetHeaders': ['controller.proxySetHeaders.X-A=b'],
            'controller.allowSnippetAnnotations': ['controller.allowSnippetAnnotations=true'],
            'controller.enableAnnotationValidations': ['controller.enableAnnotationValidations=false'],
            'controller.extraModules': ['controller.extraModules[0].name=geoip'],
            'controller.maxmindLicenseKey': ['controller.maxmindLicenseKey=key'],
            'controller.enableMimalloc': ['controller.enableMimalloc=true'],
            'controller.customTemplate': ['controller.customTemplate.configMapName=tmpl'],
            'controller.shareProcessNamespace': ['controller.shareProcessNamespace=true'],
            'controller.admissionWebhooks.key': ['controller.admissionWebhooks.key=/elsewhere/key'],
            'dhParam': ['dhParam=abc'],
            'serviceAccount.automountServiceAccountToken':
                ['serviceAccount.automountServiceAccountToken=true'],
            'rbac.scope': ['rbac.scope=true'],
            'controller.keda.enabled': ['controller.keda.enabled=true',
                                        'controller.autoscaling.enabled=true'],
            'controller.keda.triggers': ['controller.keda.enabled=true'],
            'controller.kind': ['controller.kind=DaemonSet', 'controller.autoscaling.enabled=true'],
            'controller.defaultBackendService': ['defaultBackend.enabled=true',
                                                 'controller.defaultBackendService=a/b'],
            'defaultBackend.image.repository': ['defaultBackend.enabled=true'],
        }
        text = (CHART / 'templates/_refusals.tpl').read_text()
        rows = re.findall(r'^  \(list .* "([A-Za-z.]+)" (?:"([^"]+)"|\(printf "%s([^"]+)")', text, re.M)
        sentences = {name: one or other for name, one, other in rows}
        self.assertEqual(set(sentences), set(asked))
        for name, settings in asked.items():
            with self.subTest(value=name):
                self.refused(sentences[name], *settings)
                self.refused(f'{name}: ', *settings)

    def test_keys_that_do_not_exist(self):
        for setting in ('controller.kidn=DaemonSet', 'controler=1',
                        'controller.service.tpye=NodePort', 'proxy.worker=2'):
            with self.subTest(setting=setting):
                self.refused(setting.split('=')[0].split('.')[-1], setting)

    def test_values_of_the_wrong_kind(self):
        for setting in ('controller.kind=StatefulSet', 'controller.replicaCount=many',
                        'controller.hostPort.ports.http=70000', 'tcp.http=a/b:80', 'tcp.80=7',
                        'controller.service.externalTrafficPolicy=Sometimes',
                        'controller.service.ipFamilies={IPv5}',
                        'rbac.secretNamespaces={Shop}'):
            with self.subTest(setting=setting):
                key = setting.split('=')[0].split('.')[-1]
                self.refused(key, setting)


class Metrics(unittest.TestCase):
    """Alerts and dashboards ask for what the programs export."""

    @staticmethod
    def exported():
        text = ''.join(path.read_text() for path in (*(ROOT / 'proxy/telemetry').glob('*.cpp'),
                                                     *(ROOT / 'controller/program').glob('*.cpp')))
        families = set(re.findall(r'"((?:nginx_ingress_controller|penstock)_[a-z_]+)"', text))
        return families | {name + suffix for name in families for suffix in ('_bucket', '_sum', '_count')}

    def expressions(self):
        import yaml
        for rule in yaml.safe_load((CHART / 'alerts/alerts.yaml').read_text()):
            yield rule['alert'], rule['expr']
        for path in sorted((CHART / 'dashboards').glob('*.json')):
            board = json.loads(path.read_text())
            for panel in board['panels']:
                for target in panel.get('targets', []):
                    yield f'{path.name}: {panel["title"]}', target['expr']
            for variable in board['templating']['list']:
                if variable['type'] == 'query':
                    yield f'{path.name}: {variable["name"]}', variable['query']['query']

    def test_every_metric_that_is_asked_for_is_exported(self):
        exported = self.exported()
        self.assertGreater(len(exported), 50)
        count = 0
        for where, expression in self.expressions():
            for name in re.findall(r'\b(?:nginx_ingress_controller|penstock)_[a-z_]+', expression):
                count += 1
                self.assertIn(name, exported, where)
        self.assertGreater(count, 40)

    def test_what_dashboards_of_ingress_nginx_ask_for_is_exported(self):
        names = ('requests nginx_process_connections success config_last_reload_successful config_hash '
                 'request_size_sum response_size_sum request_duration_seconds_bucket '
                 'request_duration_seconds_count response_duration_seconds_bucket '
                 'response_duration_seconds_sum response_size_count response_size_bucket '
                 'ssl_expire_time_seconds')
        self.assertEqual({'nginx_ingress_controller_' + name for name in names.split()} -
                         self.exported(), set())

    def test_every_alert_says_what_to_do(self):
        import yaml
        for rule in yaml.safe_load((CHART / 'alerts/alerts.yaml').read_text()):
            self.assertIn(rule['labels']['severity'], ('critical', 'warning', 'info'))
            self.assertTrue(rule['annotations']['summary'] and rule['annotations']['description'])
            self.assertIn(rule['alert'], (ROOT / 'docs/operations.md').read_text())

    def test_dashboards_are_in_config_maps(self):
        found = objects_of(None, 'controller.metrics.dashboards.enabled=true')
        boards = {key: json.loads(text) for each in of_kind(found, 'ConfigMap')
                  if 'grafana_dashboard' in each['metadata']['labels']
                  for key, text in each['data'].items()}
        self.assertEqual(set(boards), {path.name for path in (CHART / 'dashboards').glob('*.json')})


class Copies(unittest.TestCase):
    def test_the_plain_manifests_are_those_of_the_chart(self):
        done = subprocess.run([ROOT / 'tests/support/render-manifests.sh', '--check'],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_chart_brings_the_crds_of_the_repository(self):
        ours = {file.name: file.read_text() for file in (ROOT / 'crds').glob('*.yaml')}
        theirs = {file.name: file.read_text() for file in (CHART / 'crds').glob('*.yaml')}
        self.assertEqual(ours, theirs)

    def test_the_schema_knows_every_value(self):
        """A default that the schema does not know would be refused; a key without a default is dead."""
        import yaml
        values = yaml.safe_load((CHART / 'values.yaml').read_text())
        schema = json.loads((CHART / 'values.schema.json').read_text())

        def compare(value, part, path):
            if not isinstance(value, dict) or 'properties' not in part:
                return
            for key in part['properties']:
                if path != 'controller.service.internal.ports.' and \
                        path != 'controller.service.internal.targetPorts.':  # as outside
                    self.assertIn(key, value, f'{path}{key} has no default')
            for key, each in value.items():
                compare(each, part['properties'].get(key, {}), f'{path}{key}.')
        compare(values, schema, '')


if __name__ == '__main__':
    if not HELM.exists():
        print(f'skipped: no Helm at {HELM}; tests/cluster/build.sh builds it')
        sys.exit(77)
    sys.argv = [each for each in sys.argv if each != '--update-golden']
    unittest.main()
