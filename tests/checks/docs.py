#!/usr/bin/env python3
"""The reference pages are what the programs print. `--write` brings them up to date."""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('PENSTOCK_BIN', ROOT / 'build/dev/bin'))


def printed(*command):
    return subprocess.run([str(BIN / command[0]), *command[1:]], check=True, capture_output=True,
                          text=True).stdout


FLAGS_OF_INGRESS_NGINX = """
## Flags of ingress-nginx

The controller takes every flag of ingress-nginx's, so that arguments (`controller.extraArgs` of the
chart) may stay: it is served under its name, or mapped to one of the flags above, or has no effect and
one line of warning that says why. The variables `POD_NAME` and `POD_NAMESPACE` are read as there; without
them the controller runs, but counts no other replicas. With `POD_UID` its ReplicaReport goes with the pod. `LD_PRELOAD` may name another allocator.

"""


def flags():
    out = '# Flags\n'
    for program, arguments in (('penstock-controller', ['--help']), ('penstock-proxy', ['--help']),
                               *(('penstock', [each, '--help']) for each in (
                                   'run', 'status', 'top', 'tap', 'retire', 'check', 'explain', 'dump'))):
        text = printed(program, *arguments)
        lines = [line.rstrip() for line in text.replace(str(BIN) + '/', '').splitlines()]
        out += f'\n## {" ".join([program, *arguments[:-1]])}\n\n```\n' + '\n'.join(lines).strip()
        out += '\n```\n'
    table = printed('penstock-controller', '--help-ingress-nginx')
    return out + FLAGS_OF_INGRESS_NGINX + table.rstrip() + '\n'


PAGES = {
    'annotations.md': lambda: printed('penstock', 'reference', 'annotations'),
    'configmap.md': lambda: printed('penstock', 'reference', 'configmap'),
    'flags.md': flags,
    'reasons.md': lambda: printed('penstock', 'reference', 'reasons'),
}


def main():
    folder = ROOT / 'docs/reference'
    stale = []
    for name, page in PAGES.items():
        text = page()
        path = folder / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if '--write' in sys.argv:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if stale and '--write' not in sys.argv:
        print('stale, run `make docs`:', *stale)
        sys.exit(1)


if __name__ == '__main__':
    main()
