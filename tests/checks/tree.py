#!/usr/bin/env python3
"""The rules of the tree that no compiler knows. One rule for each command:

  layers     a folder includes only what its program's order of layers allows
  traps      shapes that this compiler or library gets wrong, and calls that swallow errors
  words      nothing in the tree speaks of anything but the project
  headers    each header compiles alone
  sizes      files and functions that have outgrown the style guide
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROXY = ['main', 'control', 'worker', 'session', 'routing', 'filters', 'health', 'upstream', 'http', 'net',
         'telemetry', 'snapshot', 'base']
CONTROLLER = ['cli', 'main', 'program', 'admin', 'admission', 'publish', 'status', 'kube', 'directory', 'dns',
              'translate', 'annotations', 'settings', 'world', 'objects']
SHARED = {'snapshot', 'base'}
# `explain` answers with the code that serves, `check` reads log formats with the code that writes them.
CLI_MAY_USE = {'routing', 'http', 'filters', 'telemetry'}
MOST_LINES = 400


def files():
    """The files of the project; in a tree without its history, all that are no products."""
    done = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard'],
                          cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        found = [ROOT / name for name in done.stdout.splitlines()]
    else:
        found = [path for path in ROOT.rglob('*')
                 if path.relative_to(ROOT).parts[0] not in ('build', '.git')]
    return [path for path in found if path.is_file()]


def sources():
    return [path for path in files() if path.suffix in ('.h', '.cpp') and
            path.relative_to(ROOT).parts[0] in ('proxy', 'controller', 'tests')]


def place(path):
    """(program, folder) of a file below proxy/ or controller/."""
    parts = path.relative_to(ROOT).parts
    if parts[0] not in ('proxy', 'controller'):
        return None, None
    return parts[0], parts[1] if len(parts) > 2 else 'main'


def may_include(program, folder, other_program, other):
    if program == 'proxy':
        return (other_program == 'proxy' and
                PROXY.index(other) >= PROXY.index(folder))
    if other_program == 'proxy':
        return other in SHARED or (folder == 'cli' and other in CLI_MAY_USE)
    return CONTROLLER.index(other) >= CONTROLLER.index(folder)


def layers():
    for path in sources():
        program, folder = place(path)
        if program is None:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'#include "((proxy|controller)/([a-z_]+)/[^"]+)"', line)
            if found and not may_include(program, folder, found[2], found[3]):
                yield path, number, f'{program}/{folder} must not include {found[1]}'


TRAPS = [
    (r'asio::detached', 'swallows what escapes; use base::spawn'),
    (r'co_await [^;]*[A-Za-z_>]\{[^;]*\}\s*\)', 'a braced temporary inside co_await is destroyed '
     'twice: name it first'),
    (r'co_await [^;]*\[[&=a-z_, ]*\]\s*\(', 'a lambda inside co_await is destroyed twice: name it '
     'first'),
    (r'(while|for) ?\([^)]*co_await', 'name the awaited result before the condition'),
    (r'\?[^:;]*co_await|co_await[^;]*\?[^;]*:', 'no co_await inside of ?:'),
    (r'#include <boost/asio', 'asio comes in through proxy/base/asio.h'),
]
LOCKS = re.compile(r'std::(mutex|atomic|condition_variable|shared_mutex)')
MAY_LOCK = {'worker', 'telemetry', 'base'}


def traps():
    for path in sources():
        program, folder = place(path)
        if program is None:
            continue
        is_door = path == ROOT / 'proxy/base/asio.h'
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.split('//')[0]
            for pattern, why in TRAPS:
                if is_door and 'asio.h' in why:
                    continue
                if re.search(pattern, code):
                    yield path, number, why
            if program == 'proxy' and folder not in MAY_LOCK and LOCKS.search(code):
                yield path, number, 'locks and atomics live in worker/, telemetry/ and base/ only'


# Written in pieces, so that this file does not break its own rule.
WORDS = ['sess' + r'ion \d', 'clau' + 'de', 'anthr' + 'opic', 'chat' + 'gpt', r'\bll' + r'm\b',
         '/wo' + 'rk/', '/ro' + 'ot/', 'art' + 'ifactory', r'\bFIX' + 'ME', r'\bX' + r'XX\b']


def words():
    for path in files():
        if path.suffix in ('.sum', '.tar'):
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for word in WORDS:
                if re.search(word, line, re.IGNORECASE if word.islower() else 0):
                    yield path, number, f'speaks of {word!r}'


def sizes():
    for path in sources():
        program, _ = place(path)
        if program is None:
            continue
        lines = path.read_text().splitlines()
        is_table = 'Table of' in path.read_text() or path.name in ('global.cpp', 'log_format.cpp')
        if len(lines) > MOST_LINES and not is_table:
            yield path, len(lines), f'has more than {MOST_LINES} lines'
        for number, line in enumerate(lines, 1):
            if len(line) > 100 and 'R"(' not in line and 'http_format' not in line and \
                    not line.lstrip().startswith('R"'):
                yield path, number, f'has {len(line)} columns'


def includes(path, known={}):
    """The headers of ours that this one includes, and those that they include."""
    if path not in known:
        known[path] = set()
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M):
            found = ROOT / name
            if found.exists():
                known[path] |= {found} | includes(found)
    return known[path]


def alone(command):
    """The command of a build, without its output, its precompiled header and its source."""
    kept = []
    words_of = iter(command.split())
    for word in words_of:
        if word in ('-o', '-MT', '-MF', '-include', '-c'):
            next(words_of)
        elif not word.startswith(('-M', '-Winvalid-pch', '-fpch', '-g', '-O', '-D_FORTIFY')) and \
                'ccache' not in word and not word.startswith('CCACHE'):
            kept.append(word.replace('\\"', '"'))
    return kept[next(i for i, word in enumerate(kept) if word.endswith(('++', '++-19'))):]


def headers():
    """With the flags of the build, without its precompiled header. Where a header includes Asio,
    ours or through another, it comes precompiled: it is seen before the header's own lines anyway,
    and each of the others is looked at for itself."""
    folder = pathlib.Path(os.environ.get('PENSTOCK_BUILD', ROOT / 'build/dev'))
    commands = json.loads((folder / 'compile_commands.json').read_text())
    by_folder = {pathlib.Path(each['file']).parent: each['command'] for each in commands}
    fallback = next(iter(by_folder.values()))
    asio = ROOT / 'proxy/base/asio.h'
    with tempfile.TemporaryDirectory() as temporary:
        prefix = pathlib.Path(temporary) / 'asio.h'
        prefix.write_text(f'#include "{asio.relative_to(ROOT)}"\n')
        subprocess.run(alone(by_folder[asio.parent]) + ['-x', 'c++-header', str(prefix), '-o',
                                                        f'{prefix}.gch'], check=True)

        def compile_alone(path):
            command = alone(by_folder.get(path.parent, fallback)) + ['-fsyntax-only', '-x', 'c++']
            if asio in includes(path):
                command += ['-include', str(prefix)]
            done = subprocess.run(command + ['-include', str(path), '/dev/null'],
                                  capture_output=True, text=True)
            first = next((line for line in done.stderr.splitlines() if 'error' in line), '')
            return path, done.returncode, first
        found = [path for path in sources() if path.suffix == '.h' and place(path)[0]]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, code, first in pool.map(compile_alone, found):
                if code != 0:
                    yield path, 1, 'does not compile alone: ' + first


def main():
    rules = {'layers': layers, 'traps': traps, 'words': words, 'sizes': sizes, 'headers': headers}
    broken = 0
    for name in sys.argv[1:] or ['layers', 'traps', 'words', 'sizes']:
        for path, number, why in rules[name]():
            print(f'{path.relative_to(ROOT)}:{number}: {why}')
            broken += 1
    sys.exit(1 if broken else 0)


if __name__ == '__main__':
    main()
