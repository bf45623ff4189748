"""Rounds of measurements: every contender in turn, ratios within a round, medians over rounds."""
import statistics
import time

import machine
from programs import Generator
from syscalls import syscalls_run

AGAIN = 'nginx again'


class Bench:
    """What all measurements share: the programs, the folder, the proxies that run."""

    def __init__(self, options, folder, programs, backend, processor):
        self.options = options
        self.folder = folder
        self.programs = programs
        self.backend = backend
        self.processor = processor
        self.running = {}

    def proxies(self, variant):
        """{name: running proxy} of a variant; started when they are first asked for."""
        if variant not in self.running:
            self.running[variant] = {}
            for number, (name, kind) in enumerate(self.options.contenders.items()):
                proxy = kind(number, variant, self.folder, self.processor)
                self.running[variant][name] = proxy
                proxy.check_headers()
        return self.running[variant]

    def stop(self, variant):
        for proxy in self.running.pop(variant, {}).values():
            proxy.stop()

    def stop_all(self):
        for variant in list(self.running):
            self.stop(variant)

    def in_turn(self, proxies):
        """(name, proxy) in the order of a round; nginx a second time, which shows the noise."""
        yield from proxies.items()
        if 'nginx' in proxies:
            yield AGAIN, proxies['nginx']


def cpu_run(bench, unit, proxy):
    """One measurement: {cpu_us, per_second}. Nothing is under way when the time is read."""
    options = bench.options
    with Generator(bench.programs['generator'], proxy.ports[unit.port], unit.options) as generator:
        before = bench.backend.counters()
        warm = generator.do(f'run {options.warm_ms}')
        time.sleep(0.002)
        start = machine.cpu_ns(proxy.pids)
        result = generator.do(f'run {options.run_ms}')
        time.sleep(0.002)
        spent = machine.cpu_ns(proxy.pids) - start
        after = bench.backend.counters()
    check(unit, warm, result, before, after)
    units = result['units'] * unit.units
    return {'cpu_us': spent / 1000 / units, 'per_second': units / result['seconds']}


def check(unit, warm, result, before, after):
    """That the backend has served what was counted, undamaged and on kept connections."""
    change = {name: after[name] - before[name] for name in after}
    units = warm['units'] + result['units']
    if change['damaged'] or change['failed']:
        raise RuntimeError(f'the backend got {change["damaged"]} damaged bodies and '
                           f'{change["failed"]} requests that it could not read')
    if change['requests'] + change['messages'] < units:
        raise RuntimeError(f'{units} units, but the backend served {change}')
    most = units / unit.units_per_connection + 64 if unit.units_per_connection else units
    if change['accepted'] > most:
        raise RuntimeError(f'no keepalive: {units} units on {change["accepted"]} connections')
    if result['resumed'] < unit.resumed * result['opened']:
        raise RuntimeError(f'{result["resumed"]} of {result["opened"]} TLS sessions resumed')


def measure_cpu(bench, unit):
    """Results of a unit: a list of dictionaries, one for each contender."""
    proxies = bench.proxies(unit.variant)
    rounds = []
    for _ in range(bench.options.rounds):
        rounds.append({name: cpu_run(bench, unit, proxy)
                       for name, proxy in bench.in_turn(proxies)})
    results = summarize(unit, rounds, 'cpu_us')
    if bench.options.counts_syscalls:
        for result in results:
            if result['contender'] in proxies:
                proxy = proxies[result['contender']]
                result['extra']['syscalls'] = syscalls_run(bench, unit, proxy)
    return results


def summarize(unit, rounds, key):
    """Medians of `key` and of its ratio to nginx's in the same round."""
    results = []
    for name in rounds[0]:
        ratios = [each[name][key] / each['nginx'][key] for each in rounds if 'nginx' in each]
        results.append({
            'unit': unit.name, 'contender': name,
            'cpu_us': median(each[name].get('cpu_us') for each in rounds),
            'ratio_to_nginx': median(ratios), 'ratio_min': min(ratios, default=None),
            'ratio_max': max(ratios, default=None),
            'per_second': median(each[name].get('per_second') for each in rounds), 'extra': {}})
    return results


def median(values):
    known = [each for each in values if each is not None]
    return statistics.median(known) if known else None
