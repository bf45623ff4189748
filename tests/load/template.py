"""Fills in the configuration files of peers/: @NAME@, and blocks that are repeated or left out.

    #{ host        for each entry of the list `host`, whose names are known inside of the block;
    ...            kept or left out where `host` is True or False
    #}
"""
import re


def expand(text, values):
    """`text` with the values filled in. A name that has no value is an error."""
    return '\n'.join(_lines(iter(text.splitlines()), values)) + '\n'


def _lines(lines, values):
    for line in lines:
        word = line.strip()
        if not word.startswith('#{ '):
            yield re.sub(r'@([A-Z_0-9]+)@', lambda found: str(values[found[1]]), line)
            continue
        body = list(_body(lines))
        entries = values[word[3:]]
        if isinstance(entries, bool):
            entries = [{}] if entries else []
        for entry in entries:
            yield from _lines(iter(body), {**values, **entry})


def _body(lines):
    """The lines of a block without its end; blocks inside of it are left as they are."""
    depth = 1
    for line in lines:
        word = line.strip()
        depth += word.startswith('#{ ')
        depth -= word == '#}'
        if depth == 0:
            return
        yield line
    raise ValueError('a block has no end')
