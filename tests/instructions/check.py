#!/usr/bin/env python3
"""Counts the instructions of the proxy's core paths and compares them with expected.json.

    check.py PROGRAM            fails where a path's number has changed
    check.py PROGRAM --write    writes the numbers that it finds (`make instructions`)

Callgrind counts what the processor would execute in user space, so the numbers do not depend on how
busy the machine is. What would make them differ between machines is held still: the C library's
variants for this or that processor are switched off, functions of libraries are bound before
anything runs, clocks and random numbers are the program's own. They do depend on compiler, flags and
C library: for others than those of expected.json nothing is compared, and the test counts as skipped.
"""
import concurrent.futures
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

EXPECTED = pathlib.Path(__file__).with_name('expected.json')
TIMES = 600
SKIPPED = 77
# More than this is a regression. Two runs differ by next to nothing; the rest is for what a change
# moves without meaning to, such as which functions the compiler inlines.
MORE = 0.03
# Fewer than this fails, too. A number that stands too high would hide the next regression, up to as
# much as was gained; below that the gain is only mentioned, for it is not worth stopping anyone.
FEWER = 0.10
# Numbers this small change by more than their share when one instruction does.
SMALL = 5
# What must hold whatever expected.json says.
HOSTS = ('get_1k', 'get_1k_of_5000_hosts', 0.05)
# Leaves the variants for any x86-64 processor, which valgrind has on every machine.
PLAIN_LIBC = 'glibc.cpu.hwcaps=' + ','.join('-' + feature for feature in (
    'AVX', 'AVX2', 'AVX512F', 'AVX512VL', 'AVX512BW', 'AVX_Fast_Unaligned_Load', 'BMI1', 'BMI2',
    'ERMS', 'FSRM', 'LZCNT', 'MOVBE', 'RTM', 'SSSE3', 'SSE4_1', 'SSE4_2'))
ENVIRONMENT = {'PATH': os.environ.get('PATH', '/usr/bin:/bin'), 'LC_ALL': 'C', 'LD_BIND_NOW': '1',
               'GLIBC_TUNABLES': PLAIN_LIBC}


def stop(sentence):
    sys.exit(f'instructions: {sentence}')


def tell(program, option):
    return subprocess.run([program, option], check=True, capture_output=True,
                          text=True).stdout.strip()


def count(program, path):
    """Instructions of one operation."""
    with tempfile.TemporaryDirectory(prefix='penstock-instructions.') as folder:
        out = pathlib.Path(folder, 'out')
        done = subprocess.run(
            ['valgrind', '--quiet', '--tool=callgrind', '--instr-atstart=no', '--collect-atstart=no',
             f'--callgrind-out-file={out}', program, path, str(TIMES)],
            env=ENVIRONMENT, capture_output=True, text=True)
        if done.returncode != 0:
            stop(f'{path} failed:\n{done.stderr}')
        total = re.search(r'^(?:summary|totals): (\d+)', out.read_text(), re.MULTILINE)
    return round(int(total[1]) / TIMES)


def count_all(program):
    paths = tell(program, '--list').split()
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return dict(zip(paths, pool.map(lambda path: count(program, path), paths)))


def compare(expected, found):
    """(what is wrong, what is worth a word)."""
    wrong, notes = [], []
    update = 'If that is meant, `make instructions` writes the new number; commit it with the change.'
    for path in sorted(expected.keys() | found.keys()):
        if path not in expected or path not in found:
            where = 'expected.json' if path not in expected else 'the program'
            wrong.append(f'{path}: missing in {where}. `make instructions` brings both in step.')
            continue
        before, now = expected[path], found[path]
        change = f'{path}: {now} instructions, expected {before} ({(now / before - 1) * 100:+.1f} %).'
        if abs(now - before) <= SMALL:
            continue
        if now > before * (1 + MORE):
            wrong.append(f'{change} {update}')
        elif now < before * (1 - FEWER):
            wrong.append(f'{change} Keep what was gained: `make instructions` lowers the number.')
        elif now < before * (1 - MORE):
            notes.append(f'{change} `make instructions` lowers the number.')
    return wrong, notes


def goals(found):
    one, many, share = HOSTS
    if found[many] > found[one] * (1 + share):
        yield (f'{many}: {found[many]} instructions; the goal is at most {share * 100:.0f} % more '
               f'than {one}, which takes {found[one]}.')


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = str(pathlib.Path(sys.argv[1]).resolve())
    build = f'{platform.machine()}, {tell(program, "--build")}'
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    writes = '--write' in sys.argv
    if not writes and build != expected.get('build'):
        print(f'instructions: NOT COMPARED: expected.json is for {expected.get("build")!r}, '
              f'this is {build!r}.')
        sys.exit(SKIPPED)
    try:
        found = count_all(program)
    except FileNotFoundError:
        stop('valgrind is not installed; `make deps` installs it.')
    before = expected.get('instructions', {})
    for path, number in found.items():
        print(f'{path:28} {number:7}' + (f'   before {before[path]:7}' if path in before else ''))
    wrong, notes = ([], []) if writes else compare(before, found)
    wrong += goals(found)
    for sentence in notes + wrong:
        print(f'instructions: {sentence}')
    if writes:
        EXPECTED.write_text(json.dumps({'build': build, 'instructions': found}, indent=2) + '\n')
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
