"""CPU time of the proxy per unit of work: Penstock beside nginx, HAProxy and Envoy, in one run.

Prints a Markdown table and writes build/bench/bench.md and bench.json.

  BENCH=full            more rounds, longer ones
  UNITS=get_1k,close    these only
  CONTENDERS=a,b        of penstock, nginx, haproxy, envoy; ratios are to nginx
  ROUNDS=n              instead of 3, or 7 of the full bench
  STRACE=1              system calls per unit as well, by strace
  PENSTOCK_BIN=folder   with penstock and penstock-proxy, instead of build/dev/bin
"""
import os
import pathlib
import subprocess
import sys
import time

import machine
import report
from contenders import BACKEND, CONTENDERS, ROOT
from measure import Bench, measure
from programs import Backend
from units import UNITS


class Options:
    """What the environment asks for."""

    def __init__(self):
        self.is_full = os.environ.get('BENCH') == 'full'
        self.rounds = int(os.environ.get('ROUNDS') or (7 if self.is_full else 3))
        self.run_ms = 700 if self.is_full else 220
        self.warm_ms = 150 if self.is_full else 60
        self.counts_syscalls = os.environ.get('STRACE') == '1'
        self.units = self.chosen('UNITS', UNITS)
        self.contenders = {}
        for name, kind in self.chosen('CONTENDERS', CONTENDERS).items():
            if kind.is_installed():
                self.contenders[name] = kind
            else:
                print(f'bench: WITHOUT {name}: it is not installed', file=sys.stderr)

    def rounds_of(self, unit):
        return unit.rounds[self.is_full] if unit.rounds else self.rounds

    @staticmethod
    def chosen(variable, known):
        names = [each for each in os.environ.get(variable, '').split(',') if each] or list(known)
        for name in names:
            if name not in known:
                sys.exit(f'bench: {variable}: expected some of {",".join(known)}, got {name!r}')
        return {name: known[name] for name in names}


def make_certificate(folder):
    machine.run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30', '-subj', '/CN=bench.test',
                '-addext', 'subjectAltName=DNS:bench.test,DNS:*.bench.test', '-keyout',
                folder / 'tls.key', '-out', folder / 'tls.crt', stderr=subprocess.DEVNULL)


def measure_all(options, folder):
    load, proxy = machine.processors()
    machine.prepare_namespace()
    programs = machine.compile_programs(pathlib.Path(__file__).parent, ROOT / 'build/bench')
    os.sched_setaffinity(0, {load})
    machine.go_first()
    make_certificate(folder)
    with Backend(programs['backend'], BACKEND) as backend:
        bench = Bench(options, folder, programs, backend, proxy)
        results = []
        try:
            for unit in options.units.values():
                began = time.monotonic()
                results += measure(bench, unit)
                print(f'bench: {unit.name}: {time.monotonic() - began:.1f} s', file=sys.stderr)
        finally:
            bench.stop_all()
    failures = [f'{unit}: {name}: {what}' for (unit, name), what in bench.failures.items()]
    facts = {**machine.describe(), 'rounds': options.rounds, 'milliseconds': options.run_ms,
             'versions': {name: kind.version() for name, kind in options.contenders.items()}}
    print(report.write(results, failures, facts, ROOT / 'build/bench'))
    return not failures


def main():
    if sys.argv[1:]:
        sys.exit(__doc__)
    options = Options()
    folder = os.environ.get(machine.INSIDE)
    if not folder:
        with machine.only_run():
            sys.exit(machine.run_in_namespace())
    sys.exit(0 if measure_all(options, pathlib.Path(folder)) else 1)


if __name__ == '__main__':
    main()
