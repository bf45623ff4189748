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


def mark(unit, result):
    if unit.goal is None or result is None or result['ratio_to_nginx'] is None:
        return ''
    return 'yes' if result['ratio_to_nginx'] <= unit.goal else '**no**'


def row(unit, results):
    """A line of the table: the goal, Penstock, nginx, and the others."""
    ours, nginx = results.get('penstock'), results.get('nginx')
    goal = '' if unit.goal is None else f'≤ {unit.goal:.2f}'
    cells = [f'{unit.name}', goal, ratio(ours), mark(unit, ours),
             *(figure(each and each['cpu_us']) for each in (ours, nginx)),
             *(ratio(results.get(name)) for name in ('haproxy', 'envoy', 'nginx again'))]
    return '| ' + ' | '.join(cells) + ' |'


def syscalls_table(by_unit, names):
    """What STRACE=1 has counted: the total, and the most frequent ones."""
    def cell(result):
        calls = dict(result['extra']['syscalls']) if result else {}
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
        '| unit | goal | penstock / nginx | met | penstock us | nginx us | haproxy / nginx | '
        'envoy / nginx | nginx again |', '|---|---|---|---|---|---|---|---|---|']
    lines += [row(UNITS[name], found) for name, found in by_unit.items()]
    versions = ', '.join(f'{name} {version}' for name, version in machine['versions'].items())
    return '\n'.join([
        'CPU time of the proxy for one unit of work, as a ratio to nginx\'s in the same round: '
        'median (least..most).', '', *lines, *syscalls_table(by_unit, machine['versions']), '',
        f'{machine["cpu"]}, Linux {machine["kernel"]}; {versions}.']) + '\n'


def write(results, machine, folder):
    folder.mkdir(parents=True, exist_ok=True)
    text = table(results, machine)
    (folder / 'bench.md').write_text(text)
    (folder / 'bench.json').write_text(json.dumps({'machine': machine, 'results': results},
                                                  indent=1) + '\n')
    return text
