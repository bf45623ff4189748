"""The image of the release build, for tests on a node."""
import os
import subprocess
import sys

from cluster_api import ROOT

IMAGE = ROOT / 'build/image/penstock.tar'


def build_image():
    """Builds it where it is older than what it is made of. Its path."""
    made_of = [ROOT / 'Dockerfile', *(ROOT / 'build/release/bin').glob('penstock*')]
    if not IMAGE.exists() or any(each.stat().st_mtime > IMAGE.stat().st_mtime for each in made_of):
        subprocess.run([str(ROOT / 'tests/support/build-image.sh'), str(IMAGE)], check=True)
    return IMAGE


def use_node_with_image():
    """Has `main()` bring up a cluster with a node that knows the image."""
    if 'PENSTOCK_CLUSTER' in os.environ:
        return
    if os.environ.get('KUBEBUILDER_ASSETS'):
        print('skipped: KUBEBUILDER_ASSETS has no node')
        sys.exit(77)
    os.environ.update(NODE='real', IMAGES=str(build_image()))
