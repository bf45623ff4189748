#!/usr/bin/env python3
"""The table of docs/streams-guide.md that leads from nginx's directives to our fields names only
fields and values that the schemas of the stream kinds have."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIELD = re.compile(r'[a-z][A-Za-z]*(\[\])?(\.[a-z][A-Za-z]*(\[\])?)*(: [A-Za-z0-9]+)?')
VALUE = re.compile(r'[A-Z][A-Za-z0-9]*')


def wrong_words(table, schemas):
    """What stands in code in the second column and is no field or value of the schemas."""
    for line in table:
        for word in re.findall(r'`([^`]+)`', line.split(' | ', 1)[1]):
            if FIELD.fullmatch(word):
                path, _, value = word.partition(': ')
                for name in re.sub(r'\[\]', '', path).split('.'):
                    if not re.search(rf'(^|[\s{{]){name}:', schemas, re.M):
                        yield word
                if value and not value.isdigit() and value not in re.findall(r'\w+', schemas):
                    yield word
            elif VALUE.fullmatch(word) and word not in re.findall(r'\w+', schemas):
                yield word


def main():
    schemas = ''.join((ROOT / f'crds/{kind}.yaml').read_text()
                      for kind in ('tcpservices', 'udpservices'))
    guide = (ROOT / 'docs/streams-guide.md').read_text()
    table = [line for line in guide.split('| nginx | here |', 1)[1].split('\n\n', 1)[0].splitlines()
             if line.startswith('| `') or line.startswith('| (')]
    if len(table) < 50:
        sys.exit(f'docs/streams-guide.md: expected a table of directives, found {len(table)} lines')
    wrong = sorted(set(wrong_words(table, schemas)))
    for word in wrong:
        print(f'docs/streams-guide.md: no stream kind has {word!r}')
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
