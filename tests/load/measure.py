"""Rounds of measurements: every contender in turn, ratios within a round, medians over rounds."""
import statistics

from runs import RUNS
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
        self.rate = None  # of the open loop

    def start(self, name, variant):
        number = list(self.options.contenders).index(name)
        proxy = self.options.contenders[name](number, variant, self.folder, self.processor)
        self.running.setdefault(variant, {})[name] = proxy
        proxy.check_headers()
        return proxy

    def proxy(self, name, variant):
        """The running proxy of a variant; started when it is first asked for."""
        return self.running.get(variant, {}).get(name) or self.start(name, variant)

    def stop(self, variant):
        for proxy in self.running.pop(variant, {}).values():
            proxy.stop()

    def stop_all(self):
        for variant in list(self.running):
            self.stop(variant)

    def turns(self):
        """(label, name) in the order of a round; nginx a second time, which shows the noise."""
        names = list(self.options.contenders)
        return [(name, name) for name in names] + [(AGAIN, 'nginx')] * ('nginx' in names)


def measure(bench, unit):
    """Results of a unit: a list of dictionaries, one for each contender."""
    run = RUNS[unit.measure]
    for name in bench.options.contenders:
        if unit.variant != 'idle':
            bench.proxy(name, unit.variant)
    turns = bench.turns() if unit.has_noise else [(name, name) for name in bench.options.contenders]
    rounds = [{label: run(bench, unit, name) for label, name in turns}
              for _ in range(bench.options.rounds_of(unit))]
    results = [summarize(unit, label, rounds) for label in rounds[0]]
    if bench.options.counts_syscalls and unit.measure == 'cpu':
        for result in results:
            if result['contender'] != AGAIN:
                proxy = bench.proxy(result['contender'], unit.variant)
                result['extra']['syscalls'] = syscalls_run(bench, unit, proxy)
    if unit.variant != 'plain':
        bench.stop(unit.variant)
    return results


def summarize(unit, label, rounds):
    """Medians over the rounds: of what was measured, and of the ratio to nginx's in each round."""
    of = unit.ratio_of
    ratios = [each[label][of] / each['nginx'][of] for each in rounds if 'nginx' in each]
    medians = {key: statistics.median(each[label][key] for each in rounds)
               for key in rounds[0][label]}
    return {'unit': unit.name, 'contender': label, 'cpu_us': medians.pop('cpu_us', None),
            'ratio_to_nginx': statistics.median(ratios) if ratios else None,
            'ratio_min': min(ratios, default=None), 'ratio_max': max(ratios, default=None),
            'per_second': medians.pop('per_second', None), 'extra': medians}
