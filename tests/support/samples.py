"""Sample objects of our kinds, and small changes of them along their schemas."""
import copy
import json
import os
import pathlib
import re
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DURATIONS = ('8784h', '8785h', '1h1m1s1ms', '1.5s', '-1s', '1d', ' 5s', '5s ', '5', '', '0s', 'ten',
             '9999999999999s')
NETWORKS = ('10.0.0.1/8', '10.0.0.0/33', '::/0', '::1', 'fe80::1%eth0', '010.0.0.1', '10.0.0.0/-1',
            'a', '')
ADDRESSES = ('10.0.0.1', 'fd00::1', '10.0.0.256', 'fe80::1%eth0', '10.0.0.0/8', 'a')
PORTS = (0, 65536, '', 'x' * 64, 'http', 1.5)


def schemas():
    """The schema of each kind that people write: one with a spec."""
    out = {}
    for file in sorted((ROOT / 'crds').glob('*.yaml')):
        spec = yaml.safe_load(file.read_text())['spec']
        schema = spec['versions'][0]['schema']['openAPIV3Schema']
        if 'spec' in schema['properties']:
            out[spec['names']['kind']] = schema
    return out


def samples():
    out = []
    for file in sorted((ROOT / 'tests/changes/samples').glob('*.yaml')):
        out += [each for each in yaml.safe_load_all(file.read_text()) if each]
    return out


def fields(schema, path=()):
    """(path, schema) of every field of the spec that holds a value; items of lists as '*'."""
    if schema.get('properties'):
        for name, part in schema['properties'].items():
            yield from fields(part, (*path, name))
    elif 'items' in schema:
        yield from fields(schema['items'], (*path, '*'))
    else:
        yield path, schema


def values(schema, value, path=()):
    """(path, schema) of every value that a sample has, containers as well."""
    yield path, schema
    if isinstance(value, dict):
        for name, part in value.items():
            inner = schema.get('properties', {}).get(name, schema.get('additionalProperties'))
            if inner is not None:
                yield from values(inner, part, (*path, name))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from values(schema['items'], part, (*path, i))


def rules(schema):
    return ' '.join(each['rule'] for each in schema.get('x-kubernetes-validations', ()))


def number_values(schema):
    low, high = schema.get('minimum'), schema.get('maximum')
    yield from ((value, False) for value in ('x', 1.5))
    if low is not None:
        yield from ((low - 1, False), (low, None))
    if high is not None:
        yield from ((high + 1, False), (high, None))


def text_values(schema):
    yield 5, False
    if 'enum' in schema:
        yield 'Nonsense', False
        yield from ((value, None) for value in schema['enum'])
    if 'maxLength' in schema:
        yield 'a' * (schema['maxLength'] + 1), False
    if 'minLength' in schema:
        yield 'a' * (schema['minLength'] - 1), False
    tried = ()
    if 'duration(' in rules(schema):
        tried = DURATIONS
    elif 'isCIDR' in rules(schema):
        tried = NETWORKS
    elif 'pattern' in schema:
        tried = ('-a', 'A b', 'a,b', '0.5', '1.5', '2')
    for value in tried:
        is_refused = 'pattern' in schema and not re.search(schema['pattern'], value)
        yield value, False if is_refused else None


def list_values(schema, value):
    yield {}, False
    if 'maxItems' in schema and value:
        yield [copy.deepcopy(value[0]) for _ in range(schema['maxItems'] + 1)], False
    if 'minItems' in schema:
        yield [], False


def replacements(schema, value):
    """(value, what the schema says of it: False where it must be refused, None where rules across
    fields may)."""
    kind = schema.get('type')
    if schema.get('x-kubernetes-int-or-string'):
        return [(each, None) for each in PORTS]
    if kind == 'integer':
        return list(number_values(schema))
    if kind == 'boolean':
        return [('yes', False), (True, None), (False, None)]
    if kind == 'string':
        return list(text_values(schema))
    if kind == 'array':
        return list(list_values(schema, value))
    return [('text', False)]


def at(value, path):
    for key in path:
        value = value[key]
    return value


def changed(sample, path, value):
    out = copy.deepcopy(sample)
    at(out, path[:-1])[path[-1]] = value
    return out


def without(sample, path):
    out = copy.deepcopy(sample)
    del at(out, path[:-1])[path[-1]]
    return out


def changes(sample, schema):
    """(what, object, verdict) around a sample that is taken; the verdict as in `replacements`."""
    spec = schema['properties']['spec']
    for path, part in values(spec, sample['spec'], ('spec',)):
        value = at(sample, path)
        where = '.'.join(map(str, path))
        for new, verdict in replacements(part, value):
            yield f'{where} = {str(new)[:60]!r}', changed(sample, path, new), verdict
        if path[-1] == 'address':
            for new in ADDRESSES:
                yield f'{where} = {new!r}', changed(sample, path, new), None
        for name in part.get('properties', {}):
            if isinstance(value, dict) and name in value:
                is_needed = name in part.get('required', ())
                yield (f'{where} without {name}', without(sample, (*path, name)),
                       False if is_needed else None)


def with_unknown_fields(sample, schema):
    """(path, object, fields that the schema knows there)"""
    spec = schema['properties']['spec']
    for path, part in values(spec, sample['spec'], ('spec',)):
        if part.get('properties'):
            yield path, changed(sample, (*path, 'nonsense'), 1), sorted(part['properties'])


def named(objects):
    """Copies with names of their own."""
    out = []
    for i, each in enumerate(objects):
        each = copy.deepcopy(each)
        each['metadata'] = {'name': f's{i}'}
        if each['kind'] != 'StreamPortPolicy':
            each['metadata']['namespace'] = 'default'
        out.append(each)
    return out


def refusals(objects, folder):
    """By place in `objects`: why `penstock check` cannot read it."""
    file = pathlib.Path(folder) / 'objects.yaml'
    file.write_text(''.join('---\n' + json.dumps(each) + '\n' for each in named(objects)))
    binaries = pathlib.Path(os.environ.get('PENSTOCK_BIN', ROOT / 'build/dev/bin'))
    result = subprocess.run([binaries / 'penstock', 'check', '--objects', file], text=True,
                            capture_output=True, timeout=120)
    found = re.findall(r'^\S+: \w+ (?:default/)?s(\d+): (.*)$', result.stdout, re.M)
    assert len(found) == len(result.stdout.splitlines()), result.stdout + result.stderr
    return {int(number): text for number, text in found}
