#!/usr/bin/env python3
"""clang-tidy over the sources of the programs, with the checks of .clang-tidy.

A file that was clean is read again only when it, a header of ours that it includes, the checks or
the way it is compiled have changed: the results are kept in the cache beside the tests' other
pieces. `--seconds N` begins no file after that time and says how many are left for the next run.
"""
import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / 'build/tidy'
CACHE = pathlib.Path(os.environ.get('PENSTOCK_CACHE', pathlib.Path.home() / '.cache/penstock'))
TIDY = 'clang-tidy-19'
INCLUDE = re.compile(rb'^#include "([^"]+)"', re.MULTILINE)


@functools.cache
def includes(path):
    """A file of ours and every header of ours below it."""
    text = path.read_bytes()
    found = {path}
    for name in INCLUDE.findall(text):
        header = ROOT / name.decode()
        if header.exists() and header not in found:
            found |= includes(header)
    return frozenset(found)


def key_of(path, command, settings):
    digest = hashlib.sha256(settings + command.replace(str(ROOT), '').encode())
    for each in sorted(includes(path)):
        digest.update(str(each.relative_to(ROOT)).encode() + b'\0' + each.read_bytes() + b'\0')
    return digest.hexdigest()


def check(path, marker, end):
    if end and time.monotonic() > end:
        return None
    done = subprocess.run([TIDY, '--quiet', '-p', str(BUILD), str(path)], capture_output=True,
                          text=True)
    if done.returncode == 0:
        marker.touch()
    else:
        print(done.stdout, done.stderr, sep='', flush=True)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=0)
    seconds = parser.parse_args().seconds
    end = time.monotonic() + seconds if seconds else 0
    version = subprocess.run([TIDY, '--version'], check=True, capture_output=True).stdout
    settings = version + (ROOT / '.clang-tidy').read_bytes()
    cache = CACHE / 'tidy'
    cache.mkdir(parents=True, exist_ok=True)
    commands = json.loads((BUILD / 'compile_commands.json').read_text())
    todo, known = {}, 0
    for each in commands:
        path = pathlib.Path(each['file'])
        if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in (
                'proxy', 'controller'):
            continue
        marker = cache / key_of(path, each['command'], settings)
        if marker.exists():
            marker.touch()
            known += 1
        else:
            todo[path] = marker
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda item: check(*item, end), sorted(todo.items())))
    bad, left = results.count(False), results.count(None)
    print(f'clang-tidy: {known} files known to be clean, {len(results) - bad - left} read and '
          f'clean, {bad} not clean, {left} left for another run')
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
