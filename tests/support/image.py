"""The image of the release build, for tests on a node; where $ARCHITECTURE names another than this machine's,
that of the cross-compiled programs."""
import os
import subprocess
import sys

from cluster_api import ROOT

HERE = subprocess.run(['dpkg', '--print-architecture'], capture_output=True, text=True).stdout.strip()
ARCHITECTURE = os.environ.get('ARCHITECTURE', HERE)
IS_OURS = ARCHITECTURE == HERE
BIN = ROOT / 'build' / ('release' if IS_OURS else ARCHITECTURE) / 'bin'
IMAGE = ROOT / 'build/image' / ('penstock.tar' if IS_OURS else f'penstock-{ARCHITECTURE}.tar')


def build_image():
    """Builds it where it is older than what it is made of. Its path."""
    made_of = [ROOT / 'Dockerfile', *(BIN / name for name in
                                      ('penstock', 'penstock-controller', 'penstock-proxy'))]
    if not IMAGE.exists() or any(each.stat().st_mtime > IMAGE.stat().st_mtime for each in made_of):
        subprocess.run([str(ROOT / 'tests/support/build-image.sh'), str(IMAGE),
                        f'localhost/penstock:{"test" if IS_OURS else ARCHITECTURE}', 'packaged',
                        ARCHITECTURE], check=True)
    return IMAGE


def use_node_with_image():
    """Has `main()` bring up a cluster with a node that knows the image."""
    if 'PENSTOCK_CLUSTER' in os.environ:
        return
    if os.environ.get('KUBEBUILDER_ASSETS'):
        print('skipped: KUBEBUILDER_ASSETS has no node')
        sys.exit(77)
    os.environ.update(NODE='real', IMAGES=str(build_image()))
