"""The results as a table for people and as JSON."""
import json

from units import UNITS


def figure(value):
    if value is None:
        return '-'
    return f'{value:.0f}' if value >= 100 else f'{value:.1f}'


def ratio(result):
    if result is None or result['ratio_to_nginx'] is None:
        return '-'
    return (f'{result["ratio_to_nginx"]:.2f} '
            f'({result["ratio_min"]:.2f}..{result["ratio_max"]:.2f})')


def goal(unit):
    if unit.goal is None:
        return ''
    return f'≤ {unit.goal:.2f}' if unit.goal < 10 else f'≤ {unit.goal} B'


def mark(unit, result):
    if unit.goal is None or result is None:
        return ''
    value = result.get(unit.goal_of, result['extra'].get(unit.goal_of))
    return '' if value is None else 'yes' if value <= unit.goal else '**no**'


def amount(unit, result):
    """What was measured, in the unit's own measure: microseconds or bytes."""
    if result is None:
        return '-'
    if unit.ratio_of == 'cpu_us':
        return f'{figure(result["cpu_us"])} us'
    kind = 'B' if unit.measure == 'idle' else 'us p99'
    return f'{figure(result["extra"][unit.ratio_of])} {kind}'


def row(unit, results):
    """A line of the table: the goal, Penstock, nginx, and the others."""
    ours, nginx = results.get('penstock'), results.get('nginx')
    cells = [f'{unit.name}: {unit.what}', goal(unit), ratio(ours), mark(unit, ours),
             amount(unit, ours), amount(unit, nginx),
             *(ratio(results.get(name)) for name in ('haproxy', 'envoy', 'nginx again'))]
    return '| ' + ' | '.join(cells) + ' |'


# Lines of the second table: unit, key of `extra`, what it is, how it is shown.
DETAILS = (
    ('log_on', 'of_plain', 'CPU with the access log, of that without', '{:.2f}'),
    ('routes_5000', 'of_plain', 'CPU with 5,000 hosts, of that with one', '{:.2f}'),
    ('routes_5000', 'memory_mb', 'memory with 5,000 hosts, MB', '{:.0f}'),
    ('routes_5000', 'start_s', 'start with 5,000 hosts, s', '{:.1f}'),
    ('latency', 'p50_us', 'latency p50 at half of nginx\'s rate, us', '{:.0f}'),
    ('latency', 'p99_us', 'latency p99, us', '{:.0f}'),
    ('idle', 'bytes_per_connection', 'bytes for an idle connection', '{:.0f}'),
    ('idle_tls', 'bytes_per_connection', 'bytes for an idle TLS connection', '{:.0f}'),
)


def details_table(by_unit, names):
    names = [*names, 'nginx again'] if 'nginx' in names else list(names)
    lines = []
    for unit, key, what, shown in DETAILS:
        found = by_unit.get(unit, {})
        cells = [shown.format(found[name]['extra'][key]) for name in names if name in found]
        if cells:
            lines.append('| ' + ' | '.join([what, *cells]) + ' |')
    head = ['', '| | ' + ' | '.join(names) + ' |', '|---' * (len(names) + 1) + '|']
    return head + lines if lines else []


def syscalls_table(by_unit, names):
    """What STRACE=1 has counted: the total, and the most frequent ones."""
    def cell(result):
        calls = dict(result['extra'].get('syscalls') or {}) if result else {}
        total = calls.pop('total', None)
        most = ', '.join(f'{name} {each:.2f}' for name, each in list(calls.items())[:4])
        return '-' if total is None else f'{total:.2f} ({most})'
    lines = ['', 'System calls per unit, by strace.', '', '| unit | ' + ' | '.join(names) + ' |',
             '|---' * (len(names) + 1) + '|']
    for unit, found in by_unit.items():
        if any('syscalls' in each['extra'] for each in found.values()):
            cells = [unit, *(cell(found.get(name)) for name in names)]
            lines.append('| ' + ' | '.join(cells) + ' |')
    return lines if len(lines) > 5 else []


def table(results, machine):
    by_unit = {}
    for each in results:
        by_unit.setdefault(each['unit'], {})[each['contender']] = each
    lines = [
        '| unit | goal | penstock / nginx | met | penstock | nginx | haproxy / nginx | '
        'envoy / nginx | nginx again |', '|---|---|---|---|---|---|---|---|---|']
    lines += [row(UNITS[name], found) for name, found in by_unit.items()]
    rounds = f'{machine["rounds"]} rounds of {machine["milliseconds"]} ms'
    versions = ', '.join(f'{name} {version}' for name, version in machine['versions'].items())
    return '\n'.join([
        'CPU time of the proxy for one unit of work, as a ratio to nginx\'s in the same round: '
        'median (least..most).', '', *lines,
        *details_table(by_unit, machine['versions']),
        *syscalls_table(by_unit, machine['versions']), '',
        f'{machine["date"]}, {machine["cpu"]}, Linux {machine["kernel"]}; {versions}; OpenSSL '
        f'{machine["openssl"]}; {rounds}.']) + '\n'


def write(results, failures, machine, folder):
    folder.mkdir(parents=True, exist_ok=True)
    text = table(results, machine) + ''.join(f'\n**Failed:** {each}\n' for each in failures)
    (folder / 'bench.md').write_text(text)
    (folder / 'bench.json').write_text(json.dumps(
        {'machine': machine, 'results': results, 'failures': failures}, indent=1) + '\n')
    return text
