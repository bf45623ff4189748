"""Rounds of measurements: every contender in turn, ratios within a round, medians over rounds."""
import signal
import statistics
import sys

from runs import RUNS
from syscalls import syscalls_run

AGAIN = 'nginx again'
LONGEST_RUN = 120  # seconds, of one measurement


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
        self.failures = {}  # (unit, contender): what went wrong first
        self.given_up = set()

    def start(self, name, variant):
        number = list(self.options.contenders).index(name)
        proxy = self.options.contenders[name](number, variant, self.folder, self.processor)
        self.running.setdefault(variant, {})[name] = proxy
        proxy.check_headers()
        return proxy

    def proxy(self, name, variant):
        """The running proxy of a variant; started when it is first asked for, or has ended."""
        proxy = self.running.get(variant, {}).get(name)
        return proxy if proxy and proxy.is_running() else self.start(name, variant)

    def fail(self, unit, name, what):
        """Fails the run, which goes on: one contender's fault says nothing about the others."""
        if (unit.name, name) not in self.failures:
            self.failures[unit.name, name] = str(what)
            print(f'bench: FAILED: {unit.name}: {name}: {what}', file=sys.stderr)

    def stop(self, variant):
        for proxy in self.running.pop(variant, {}).values():
            proxy.stop()

    def stop_all(self):
        for variant in list(self.running):
            self.stop(variant)

    def turns(self, unit):
        """(label, name) in the order of a round; nginx a second time, which shows the noise."""
        names = [name for name in self.options.contenders
                 if not unit.contenders or name in unit.contenders]
        again = [(AGAIN, 'nginx')] * (unit.has_noise and 'nginx' in names)
        return [(name, name) for name in names] + again


def measure(bench, unit):
    """Results of a unit: a list of dictionaries, one for each contender."""
    turns = bench.turns(unit)
    rounds = [{} for _ in range(bench.options.rounds_of(unit))]
    if unit.variant != 'idle':
        turns = [(label, name) for label, name in turns
                 if attempt(bench, unit, label, lambda: bench.proxy(name, unit.variant))]
    for each in rounds:
        for label, name in turns:
            each[label] = attempt(bench, unit, label, lambda: RUNS[unit.measure](bench, unit, name))
    results = [summarize(unit, label, rounds) for label, _ in turns
               if all(each[label] for each in rounds)]
    if bench.options.counts_syscalls and unit.measure == 'cpu':
        count_syscalls(bench, unit, results)
    if unit.variant != 'plain':
        attempt(bench, unit, 'all', lambda: bench.stop(unit.variant))
    return results


def attempt(bench, unit, name, action):
    """What `action` returns; None where it fails, has failed before, or takes too long."""
    if (unit.name, name) in bench.given_up:
        return None

    def give_up(*_):
        raise RuntimeError(f'not within {LONGEST_RUN} s')
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST_RUN)
    try:
        return action()
    except (RuntimeError, OSError) as error:
        bench.fail(unit, name, error)
        bench.given_up.add((unit.name, name))
        return None
    finally:
        signal.alarm(0)


def count_syscalls(bench, unit, results):
    for result in results:
        name = result['contender']
        if name != AGAIN:
            result['extra']['syscalls'] = attempt(bench, unit, name, lambda: syscalls_run(
                bench, unit, bench.proxy(name, unit.variant)))


def summarize(unit, label, rounds):
    """Medians over the rounds: of what was measured, and of the ratio to nginx's in each round."""
    of = unit.ratio_of
    ratios = [each[label][of] / each['nginx'][of] for each in rounds if each.get('nginx')]
    medians = {key: statistics.median(each[label][key] for each in rounds)
               for key in rounds[0][label]}
    return {'unit': unit.name, 'contender': label, 'cpu_us': medians.pop('cpu_us', None),
            'ratio_to_nginx': statistics.median(ratios) if ratios else None,
            'ratio_min': min(ratios, default=None), 'ratio_max': max(ratios, default=None),
            'per_second': medians.pop('per_second', None), 'extra': medians}
