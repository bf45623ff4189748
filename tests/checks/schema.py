"""The schemas in crds/ against the code that reads the objects: the same fields, bounds, names and
defaults. Small changes of the samples are given to `penstock check`; changes/samples_test.py gives
the same to an API server."""
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from samples import (ROOT, changes, fields, refusals, samples, schemas, values,  # noqa: E402
                     with_unknown_fields)


def check_copies():
    for file in sorted((ROOT / 'crds').glob('*.yaml')):
        copy = ROOT / 'charts/penstock/crds' / file.name
        if not copy.exists() or copy.read_text() != file.read_text():
            yield f'{copy.relative_to(ROOT)} is not the copy of crds/{file.name}'


def check_coverage(taken):
    """Each field of a schema is in a sample that is taken."""
    for kind, schema in schemas().items():
        spec = schema['properties']['spec']
        seen = set()
        for sample in (each for each in taken if each['kind'] == kind):
            seen |= {tuple('*' if isinstance(part, int) else part for part in path[1:])
                     for path, _ in values(spec, sample['spec'], ('spec',))}
        for path, _ in fields(spec):
            if path not in seen:
                yield f'{kind}: no sample has spec.{".".join(path)}'


def check_samples(folder):
    """What is marked as good is read, and what is marked as bad is not, for the reason that is
    given."""
    every = samples()
    refused = refusals(every, folder)
    for i, sample in enumerate(every):
        name = f"{sample['kind']} {sample['metadata']['name']}"
        expected = sample['metadata'].get('annotations', {}).get('check')
        if sample['metadata']['name'].startswith('ok-'):
            if i in refused:
                yield f'{name} is refused: {refused[i]}'
        elif expected is None or expected not in refused.get(i, ''):
            yield f'{name}: expected {expected!r}, got {refused.get(i)!r}'


def check_bounds(taken, folder):
    known = schemas()
    tried = [each for sample in taken for each in changes(sample, known[sample['kind']])]
    refused = refusals([each for _, each, _ in tried], folder)
    for i, (what, sample, verdict) in enumerate(tried):
        if verdict is False and i not in refused:
            yield f"{sample['kind']}: the schema refuses {what}, the code takes it"


def check_fields(taken, folder):
    known = schemas()
    tried = [each for sample in taken for each in with_unknown_fields(sample, known[sample['kind']])]
    refused = refusals([each for _, each, _ in tried], folder)
    for i, (path, sample, expected) in enumerate(tried):
        found = re.search(r'nonsense: .* which knows (.*)$', refused.get(i, ''))
        names = sorted(found[1].split(', ')) if found else refused.get(i)
        if names != expected:
            where = '.'.join(map(str, path))
            yield f"{sample['kind']} {where}: the schema has {expected}, the code {names}"


def check_self():
    """The comparison finds what differs: a bound and a field that only the schema has."""
    sample = next(each for each in samples() if each['kind'] == 'UDPService')
    schema = schemas()['UDPService']
    spec = schema['properties']['spec']['properties']
    spec['listeners']['items']['properties']['port']['maximum'] = 6000
    spec['extra'] = {'type': 'string'}
    with tempfile.TemporaryDirectory() as folder:
        tried = list(changes(sample, schema))
        refused = refusals([each for _, each, _ in tried], folder)
        finds_bound = any(verdict is False and i not in refused
                          for i, (_, _, verdict) in enumerate(tried))
        unknown = list(with_unknown_fields(sample, schema))
        finds_field = 'extra' in unknown[0][2] and 'extra' not in refusals(
            [unknown[0][1]], folder)[0]
    if not finds_bound or not finds_field:
        yield 'the comparison does not find what differs'


def main():
    taken = [each for each in samples() if each['metadata']['name'].startswith('ok-')]
    with tempfile.TemporaryDirectory() as folder:
        problems = [*check_copies(), *check_coverage(taken), *check_samples(folder),
                    *check_bounds(taken, folder), *check_fields(taken, folder), *check_self()]
    for each in problems:
        print(each)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
