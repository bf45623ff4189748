"""The controller's metrics that dashboards of ingress-nginx ask for, on a real API server."""
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main, status, wait_until  # noqa: E402

PREFIX = 'nginx_ingress_controller_'


class Metrics(TestCase):
    number = 76
    controller_environment = {'POD_NAME': 'penstock-a'}

    def samples(self, name):
        """Labels and value of each sample."""
        text = status(self.status_port, '/metrics')[1]
        return [(dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value))
                for labels, value in re.findall(rf'^{PREFIX}{name}{{(.*)}} (\S+)$', text, re.M)]

    def one(self, name):
        found = self.samples(name)
        self.assertEqual(len(found), 1, (name, found))
        return found[0]

    def end_of(self, chain):
        text = subprocess.run(['openssl', 'x509', '-noout', '-enddate'], input=chain, check=True,
                              capture_output=True, text=True).stdout
        seconds = subprocess.run(['date', '-d', text.strip().split('=')[1], '+%s'], check=True,
                                 capture_output=True, text=True).stdout
        return float(seconds)

    def of_host(self, name, host):
        return [each for each in self.samples(name) if each[0]['host'] == host]

    def test_certificates_and_their_end(self):
        self.service('tls', [11])
        chain = self.certificate('cert', 'tls.test')
        self.ingress('tls', ('tls.test', [('Prefix', '/', 'tls')]),
                     tls=[{'hosts': ['tls.test'], 'secretName': 'cert'}])
        labels, end = wait_until('the certificate has an end', lambda: self.of_host(
            'ssl_expire_time_seconds', 'tls.test'))[0]
        self.assertEqual(end, self.end_of(chain))
        self.assertEqual((labels['class'], labels['namespace'], labels['secret_name']),
                         (f'test/{self.name}', self.name, 'cert'))
        info = self.of_host('ssl_certificate_info', 'tls.test')[0][0]
        self.assertEqual((info['public_key_algorithm'], info['issuer_common_name']),
                         ('ECDSA', 'cert'))
        self.assertEqual(info['identifier'], '-' + info['serial_number'])
        self.cluster.delete('Ingress', 'tls', self.name)
        wait_until('its series go', lambda: not self.of_host('ssl_expire_time_seconds', 'tls.test')
                   and not self.of_host('ssl_certificate_info', 'tls.test'))

    def test_the_configuration(self):
        labels, before = self.one('config_hash')
        self.assertEqual(labels, {'controller_class': f'test/{self.name}',
                                  'controller_namespace': self.name,
                                  'controller_pod': 'penstock-a'})
        self.assertEqual(self.one('config_last_reload_successful')[1], 1)
        self.assertLess(abs(self.one(
            'config_last_reload_successful_timestamp_seconds')[1] - time.time()), 120)
        adopted = self.one('success')[1]
        self.assertGreater(adopted, 0)
        self.assertEqual(self.one('errors')[1], 0)
        self.service('web', [11])
        self.ingress('web', ('web.test', [('Prefix', '/', 'web')]))
        wait_until('another one is live', lambda: self.one('success')[1] > adopted
                   and self.one('config_hash')[1] != before)
        self.cluster.delete('Ingress', 'web', self.name)
        wait_until('the first is back', lambda: self.one('config_hash')[1] == before)
        self.assertEqual(self.one('build_info')[1], 1)

    def test_who_leads(self):
        labels, value = wait_until('it leads', lambda: self.samples('leader_election_status'))[0]
        self.assertEqual((labels['name'], value), (f'leader-{self.name}', 1))


if __name__ == '__main__':
    main()
