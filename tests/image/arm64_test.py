#!/usr/bin/env python3
"""The image of `make image-arm64`: its programs run in it, in qemu, and serve."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
os.environ['ARCHITECTURE'] = 'arm64'
sys.path[:0] = [str(HERE.parent / 'support'), str(HERE.parent / 'admin')]
from image import BIN, IMAGE, build_image  # noqa: E402
from image_contents import Image  # noqa: E402
from running import CLASS, free_port, ingress, service, wait_until  # noqa: E402

EMULATED = str(ROOT / 'tests/support/emulated.sh')
# As an engine does: the kernel's files, in mounts that nobody else sees, and the image's user.
PRIVATE = ('unshare', '--mount', '--propagation', 'private', 'bash', '-ec')
ENTER = 'mount --rbind /proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot --userspec=101:82 "$0" "$@"'


class Runs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='penstock-arm64.')
        cls.root = pathlib.Path(cls.folder, 'root')
        image = Image(build_image())
        for number in range(len(image.manifest['Layers'])):
            with image.layer(number) as layer:
                layer.extractall(cls.root, numeric_owner=True)
        cls.manifests = cls.root / 'tmp/manifests'
        shutil.copytree(ROOT / 'manifests/demo', cls.root / 'tmp/demo')
        cls.manifests.mkdir()

    @classmethod
    def tearDownClass(cls):
        subprocess.run(['rm', '-rf', '--one-file-system', cls.folder], check=True)

    def command(self, *arguments):
        return [EMULATED, *PRIVATE, ENTER, str(self.root), *map(str, arguments)]

    def run_program(self, *arguments):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=60)

    def test_every_program_starts(self):
        for name in ('penstock', 'penstock-controller', 'penstock-proxy'):
            done = self.run_program(name, '--help')
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f'Usage: {name}', done.stdout)

    def test_it_runs_on_the_machine_that_it_is_for_as_its_user(self):
        self.assertEqual(self.run_program('uname', '-m').stdout, 'aarch64\n')
        self.assertEqual(self.run_program('id').stdout, 'uid=101(penstock) gid=82(penstock) groups=82(penstock)\n')

    def test_check_reads_the_demo(self):
        done = self.run_program('penstock', 'check', '/tmp/demo')
        self.assertEqual((done.returncode, done.stdout), (0, ''), done.stderr)
        self.assertRegex(done.stderr, r'^[1-9][0-9]* objects read, 0 problems\n$')

    def test_controller_and_proxy_serve_a_request(self):
        http, backend = free_port(), free_port()
        (self.manifests / 'site.yaml').write_text(
            CLASS + service('web', backend) + ingress('web', 'web.test', 'web'))
        log = tempfile.NamedTemporaryFile('r', prefix='penstock-arm64.')
        with subprocess.Popen([sys.executable, '-m', 'http.server', '--bind', '127.0.0.1', str(backend),
                               '--directory', str(ROOT / 'manifests')],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server, \
                subprocess.Popen(self.command(
                    'penstock', 'run', '--manifests', '/tmp/manifests', '--socket', '/tmp/snapshot.sock',
                    '--http-port', http, '--https-port', 0, '--listen-address', '127.0.0.1',
                    '--status-address', '', '--admin-address', f'127.0.0.1:{free_port()}', '--workers', 2),
                    stdout=open(log.name, 'w'), stderr=subprocess.STDOUT) as program:

            def answer():
                request = urllib.request.Request(f'http://127.0.0.1:{http}/penstock.yaml',
                                                 headers={'Host': 'web.test'})
                try:
                    with urllib.request.urlopen(request, timeout=5) as response:
                        return response.headers['Server'], response.read()
                except OSError:
                    return None
            try:
                name, body = wait_until('it serves', answer, 60)
            except AssertionError:
                sys.stderr.write(log.read()[-4000:])
                raise
            finally:
                program.send_signal(signal.SIGTERM)
                server.terminate()
            self.assertEqual(name, 'penstock')
            self.assertEqual(body, (ROOT / 'manifests/penstock.yaml').read_bytes())
            self.assertEqual(program.wait(30), 0, log.read()[-4000:])

    @unittest.skipIf(os.uname().machine == 'aarch64', 'nothing is emulated here')
    def test_nothing_of_qemu_is_left_with_the_kernel(self):
        self.assertIn('qemu-aarch64', subprocess.run(
            [EMULATED, 'ls', '/proc/sys/fs/binfmt_misc'], capture_output=True, text=True).stdout)
        before = sorted(os.listdir('/proc/sys/fs/binfmt_misc'))
        self.run_program('id')
        self.assertEqual(sorted(os.listdir('/proc/sys/fs/binfmt_misc')), before)


if __name__ == '__main__':
    if not (BIN / 'penstock-proxy').exists() and not IMAGE.exists():
        print(f'skipped: no {BIN}; `make image-arm64` builds it')
        sys.exit(77)
    unittest.main(warnings='ignore')
