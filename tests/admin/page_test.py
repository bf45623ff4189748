"""The status page in a real Chromium: signing in, live values, hostile texts, two widths."""
import os
import pathlib
import shutil
import sys
import unittest

import running

SCREENSHOTS = pathlib.Path(os.environ.get('PENSTOCK_SCREENSHOTS',
                                          running.ROOT / 'build/screenshots'))
HOSTILE = '"><img src=x onerror="document.title=\'owned\'"><script>document.title=\'owned\'</script>'
WIDTHS = {'desktop': (1280, 1600), 'phone': (390, 844)}


def browser(width, height, dark=False):
    from selenium import webdriver
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for flag in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
                 '--disable-background-networking', '--no-first-run', '--hide-scrollbars'):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    service = webdriver.ChromeService if hasattr(webdriver, 'ChromeService') else None
    if service is None:
        from selenium.webdriver.chrome.service import Service as service
    driver = webdriver.Chrome(options=options, service=service(shutil.which('chromedriver')))
    driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', {
        'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': width < 600})
    driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {
        'features': [{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}]})
    return driver


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.one, cls.two, cls.gone, cls.tcp = (running.free_port() for _ in range(4))
        tcp = f'''---
apiVersion: v1
kind: ConfigMap
metadata: {{name: tcp, namespace: default}}
data: {{"{cls.tcp}": "default/orders:80"}}
'''
        cls.manifests = (
            running.service('shop', cls.one, cls.two) + running.service('orders', cls.one) +
            running.service('down', cls.gone, cls.two) + running.service('none') +
            running.ingress('shop', 'shop.example.com', 'shop') +
            running.ingress('cart', 'shop.example.com', 'orders', '/cart/checkout') +
            running.ingress('path', 'path.example.com', 'orders', '/<script>alert(1)</script>') +
            running.ingress('down', 'down.example.com', 'down') +
            running.ingress('none', 'none.example.com', 'none') +
            running.ingress('bad', 'bad.example.com', 'shop', annotations={
                'nginx.ingress.kubernetes.io/proxy-body-size': HOSTILE}) + tcp)
        cls.site = running.Running(cls.manifests, '--tcp-services-configmap', 'default/tcp')
        cls.site.backend('one', cls.one)
        cls.site.backend('two', cls.two)
        for _ in range(30):
            cls.site.ask('shop.example.com')
        for _ in range(6):
            cls.site.ask('down.example.com')
        cls.site.ask('none.example.com')
        cls.site.ask('nobody.example.com', '/%3Cscript%3Edocument.title=1%3C/script%3E')
        # What a client sends as its host is shown as well.
        cls.site.ask('<b>x</b>', '/')
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    @classmethod
    def tearDownClass(cls):
        cls.site.stop()

    def open(self, width='desktop', dark=False):
        driver = browser(*WIDTHS[width], dark=dark)
        self.addCleanup(driver.quit)
        driver.get(f'http://127.0.0.1:{self.site.admin}/')
        return driver

    def sign_in(self, driver, token=running.TOKEN):
        driver.execute_script(
            "document.getElementById('token').value = arguments[0];"
            "document.getElementById('sign-in').requestSubmit();", token)

    def text(self, driver, element):
        return driver.execute_script(
            'const found = document.getElementById(arguments[0]);'
            'return found && !found.hidden ? found.innerText : ""', element)

    def shown(self, driver):
        self.sign_in(driver)
        running.wait_until('the page is shown', lambda: 'shop.example.com' in self.text(driver,
                                                                                      'routes'))

    def shoot(self, driver, name):
        """The whole page, however long."""
        import base64
        size = driver.execute_cdp_cmd('Page.getLayoutMetrics', {})['cssContentSize']
        shot = driver.execute_cdp_cmd('Page.captureScreenshot', {
            'captureBeyondViewport': True,
            'clip': {'x': 0, 'y': 0, 'width': size['width'], 'height': min(size['height'], 6000),
                     'scale': 1}})
        (SCREENSHOTS / f'{name}.png').write_bytes(base64.b64decode(shot['data']))

    def console(self, driver):
        """Errors of scripts and violations of the policy; refused sign-ins are none."""
        return [entry['message'] for entry in driver.get_log('browser')
                if ' 401 ' not in entry['message']]

    def test_a_wrong_token_is_refused_and_nothing_is_kept(self):
        driver = self.open()
        self.sign_in(driver, 'wrong-token-wrong')
        running.wait_until('the refusal', lambda: 'not known' in self.text(driver, 'refusal'))
        self.assertEqual(self.text(driver, 'page'), '')
        self.assertEqual(driver.execute_script('return sessionStorage.length'), 0)
        self.shoot(driver, 'sign-in')

    def test_everything_is_shown_and_nothing_runs(self):
        for width in WIDTHS:
            for dark in (False, True):
                driver = self.open(width, dark)
                self.shown(driver)
                text = self.text(driver, 'sections')
                for expected in ('default/shop/80', f'127.0.0.1:{self.one}', 'up', 'no endpoints',
                                 '/cart/checkout', '/<script>alert(1)</script>', f'{self.tcp} TCP',
                                 'Ingress default/bad', HOSTILE[:30], 'no_endpoint',
                                 'connect_refused', 'no_rule', 'nobody.example.com'):
                    self.assertIn(expected, text)
                self.assertNotEqual(driver.title, 'owned')
                self.assertEqual(driver.title, 'Penstock')
                self.assertEqual(driver.execute_script(
                    'return document.querySelectorAll("img, main script, b b").length'), 0)
                self.assertEqual(self.console(driver), [])
                wide = driver.execute_script(
                    'return document.documentElement.scrollWidth - innerWidth')
                self.assertLessEqual(wide, 0, f'{width} scrolls sideways')
                self.assertNotIn(running.TOKEN, driver.current_url)
                self.shoot(driver, f'{width}-{"dark" if dark else "light"}')
                driver.quit()

    def test_a_changed_manifest_is_shown_without_a_reload(self):
        driver = self.open()
        self.shown(driver)
        driver.execute_script('window.mark = 1')
        self.assertNotIn('fresh.example.com', self.text(driver, 'routes'))
        self.site.write(running.ingress('fresh', 'fresh.example.com', 'shop'), 'fresh.yaml')
        running.wait_until('the new host is shown',
                           lambda: 'fresh.example.com' in self.text(driver, 'routes'))
        self.site.local('/v1/drain', 'POST', endpoint=f'127.0.0.1:{self.one}',
                        upstream='default/shop/80')
        running.wait_until('the drained endpoint is shown',
                           lambda: 'drained' in self.text(driver, 'upstreams'))
        self.assertIn(f'drained: 127.0.0.1:{self.one}', self.text(driver, 'actions'))
        self.site.local('/v1/undrain', 'POST', endpoint=f'127.0.0.1:{self.one}')
        (self.site.manifests / 'fresh.yaml').unlink()
        running.wait_until('the host is gone',
                           lambda: 'fresh.example.com' not in self.text(driver, 'routes'))
        self.assertEqual(driver.execute_script('return window.mark'), 1)
        # The filter narrows every list, and the age says how fresh all is.
        driver.execute_script(
            "const filter = document.getElementById('filter'); filter.value = 'down';"
            "filter.dispatchEvent(new Event('input'))")
        running.wait_until('the filter', lambda: 'shop' not in self.text(driver, 'routes') and
                           'down.example.com' in self.text(driver, 'routes'))
        self.assertRegex(self.text(driver, 'age'), r'^as of (now|\d+ s ago) ')

    def test_signing_out_forgets_the_token(self):
        driver = self.open('phone')
        self.shown(driver)
        self.assertEqual(driver.execute_script('return sessionStorage.length'), 1)
        driver.execute_script("document.getElementById('sign-out').click()")
        self.assertEqual(driver.execute_script('return sessionStorage.length'), 0)
        self.assertEqual(self.text(driver, 'page'), '')

    def test_an_outage_is_told(self):
        site = running.Running(running.service('web') +
                               running.ingress('web', 'web.example.com', 'web'))
        driver = browser(*WIDTHS['desktop'])
        self.addCleanup(driver.quit)
        driver.get(f'http://127.0.0.1:{site.admin}/')
        self.sign_in(driver)
        running.wait_until('the page is shown',
                           lambda: 'web.example.com' in self.text(driver, 'routes'))
        site.stop()
        running.wait_until('the outage is told',
                           lambda: self.text(driver, 'health') == 'not up to date', 30)


if __name__ == '__main__':
    try:
        import selenium  # noqa: F401
        missing = [each for each in ('chromium', 'chromedriver') if not shutil.which(each)]
    except ImportError:
        missing = ['python3-selenium']
    if missing:
        print('SKIPPED: the status page is tested in Chromium, which is not installed:', *missing)
        sys.exit(77)
    unittest.main(verbosity=2, warnings='ignore')
