"""What the scale bench has measured: sums over rounds, quantiles, tables."""
import json
import pathlib
import statistics

PROGRAMS = ('controller', 'proxy')
FOLDER = pathlib.Path(__file__).resolve().parents[2] / 'build/bench'


class Phase:
    """Rounds of one kind of change at one site, and as many in which it had none."""

    def __init__(self):
        self.rounds = []  # what was used
        self.idle = []
        self.changes, self.seconds = 0, 0
        self.live = {}    # changes that were live within a bound, over all rounds

    def add_changes(self, changes, seconds, used, before, after):
        self.rounds.append({**used, 'changes': changes})
        self.changes += changes
        self.seconds += seconds
        for bound, count in after.items():
            self.live[bound] = self.live.get(bound, 0) + count - before.get(bound, 0)

    def add_idle(self, seconds, used):
        self.idle.append({**used, 'seconds': seconds})

    def percentile_ms(self, share):
        """The upper bound of the bucket that it falls into."""
        total = self.live.get(float('inf'), 0)
        return next((bound * 1000 for bound in sorted(self.live)
                     if total and self.live[bound] >= share * total), None)

    def cost_us(self, program, at=None):
        """CPU time for a change of one round, or of all. A round's neighbour is its baseline."""
        rounds, idle = (self.rounds, self.idle) if at is None else (
            [self.rounds[at]], [self.idle[at]])
        baseline = sum(each[program] for each in idle)
        if program == 'proxy':  # nearly all of it is requests, whose number differs a little
            baseline *= (sum(each['requests'] for each in rounds) /
                         max(1, sum(each['requests'] for each in idle)))
        return ((sum(each[program] for each in rounds) - baseline) / 1000 /
                sum(each['changes'] for each in rounds))

    def result(self):
        return {'changes': self.changes, 'changes_per_s': self.changes / self.seconds,
                'versions': self.live.get(float('inf'), 0),
                'p50_ms': self.percentile_ms(0.5), 'p99_ms': self.percentile_ms(0.99),
                **{f'{program}_cpu_us': self.cost_us(program) for program in PROGRAMS},
                'rounds': {program: [self.cost_us(program, at) for at in range(len(self.rounds))]
                           for program in PROGRAMS}}


def growth(small, large, program):
    """Median over the rounds of what a change costs at the large site to the small one, with the
    least and the most. Neighbouring rounds are compared: they saw the same machine."""
    ratios = [large.cost_us(program, at) / max(1e-3, small.cost_us(program, at))
              for at in range(len(small.rounds))]
    return statistics.median(ratios), min(ratios), max(ratios)


def live(result):
    return ' / '.join('-' if result[key] is None else f'{result[key]:g}'
                      for key in ('p50_ms', 'p99_ms'))


def change_rows(results, by_kind, program):
    for kind, (small, large) in by_kind.items():
        costs = [each['changes'][kind][f'{program}_cpu_us'] for each in results]
        ratio, least, most = growth(small, large, program)
        yield (f'| {kind} | {costs[0]:.0f} us | {costs[1]:.0f} us | '
               f'{ratio:.2f} ({least:.2f}..{most:.2f}) | '
               + ' | '.join(live(each['changes'][kind]) for each in results) + ' |')


def table(results, by_kind, most_growth):
    small, large = (f'{each["ingresses"]:,}' for each in results)

    def row(what, show):
        return f'| {what} | ' + ' | '.join(show(each) for each in results) + ' |'
    rate = min(each['changes'][kind]['changes_per_s'] for each in results for kind in by_kind)
    lines = [
        f'| Ingresses, with three paths each | {small} | {large} |', '|---|---|---|',
        row('start to serving', lambda each: f'{each["ready_s"]:.1f} s'),
        row('memory, controller + proxy',
            lambda each: f'{each["controller_mb"]:.0f} + {each["proxy_mb"]:.0f} MB'),
        row('requests meanwhile, failed',
            lambda each: f'{each["requests"]:,}, {each["failed_requests"]}'),
        row('a TLS client is shown a replaced certificate, p50 / most',
            lambda each: f'{each["tls_client"]["p50_ms"]:.1f} / {each["tls_client"]["max_ms"]:.1f}'
                         ' ms')]
    for program in PROGRAMS:
        bound = f', at most {most_growth:g}' if program == 'controller' else ''
        lines += ['', f'| changed at {rate:.0f}/s | CPU of the {program} per change at {small} | '
                  f'at {large} | ratio{bound} | change to live at {small}, p50 / p99 ≤ ms | '
                  f'at {large} |', '|---|---|---|---|---|---|',
                  *change_rows(results, by_kind, program)]
    return '\n'.join(lines) + '\n'


def report(results, by_kind, most_growth):
    """Shows and keeps the results; how much more a change costs the controller, by kind."""
    found = {program: {kind: growth(*phases, program) for kind, phases in by_kind.items()}
             for program in PROGRAMS}
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / 'scale.json').write_text(json.dumps(
        {'sites': results, 'most_growth': most_growth,
         'growth': {program: {kind: dict(zip(('median', 'least', 'most'), ratios))
                              for kind, ratios in kinds.items()}
                    for program, kinds in found.items()}}, indent=1) + '\n')
    text = table(results, by_kind, most_growth)
    (FOLDER / 'scale.md').write_text(text)
    print('\n' + text)
    return {kind: ratios[0] for kind, ratios in found['controller'].items()}
