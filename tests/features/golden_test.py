"""Golden pairs: in.yaml of each feature to the snapshot that it becomes, and to what is said of it.

`--update-golden` writes what the program gives now; review reads the diff.
"""
import os
import pathlib
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get('PENSTOCK_BIN', HERE.parents[1] / 'build/dev/bin'))
FLAGS = ['--configmap', 'ingress/settings', '--tcp-services-configmap', 'ingress/tcp',
         '--udp-services-configmap', 'ingress/udp', '--default-backend-service', 'ingress/fallback',
         '--enable-ssl-passthrough']


def penstock(*arguments):
    return subprocess.run([str(BIN / 'penstock'), *arguments, *FLAGS], cwd=HERE,
                          capture_output=True, text=True, timeout=60)


class Golden(unittest.TestCase):
    maxDiff = None

    def compare(self, path, text):
        if IS_UPDATE:
            path.write_text(text)
        self.assertEqual(text, path.read_text(), path)


def add(feature):
    def test(self):
        name = f'{feature.name}/in.yaml'
        done = penstock('dump', '--manifests', name)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.compare(feature / 'snapshot.yaml', done.stdout)
        self.compare(feature / 'diagnostics.txt', penstock('check', name).stdout)
    setattr(Golden, 'test_' + feature.name, test)


IS_UPDATE = '--update-golden' in sys.argv
for each in sorted(HERE.iterdir()):
    if (each / 'in.yaml').exists():
        add(each)
if __name__ == '__main__':
    unittest.main(argv=[each for each in sys.argv if each != '--update-golden'], verbosity=2)
