"""One measurement of one contender: each kind returns a dictionary of numbers."""
import time

import machine
from programs import Generator

SETTLED = 0.002  # seconds until a proxy that has answered everything sleeps


def generator(bench, unit, proxy):
    return Generator(bench.programs['generator'], proxy.ports[unit.port], unit.options)


def timed(generator_, proxy, line):
    """(result, microseconds of CPU). Nothing is under way when the time is read."""
    time.sleep(SETTLED)
    start = machine.cpu_ns(proxy.pids)
    result = generator_.do(line)
    time.sleep(SETTLED)
    proxy.units += result['units']
    return result, (machine.cpu_ns(proxy.pids) - start) / 1000


def cpu_run(bench, unit, name):
    """CPU time in a closed loop."""
    return loop(bench, unit, bench.proxy(name, unit.variant))


def loop(bench, unit, proxy):
    with generator(bench, unit, proxy) as load:
        before = bench.backend.counters()
        warm = load.do(f'run {bench.options.warm_ms}')
        proxy.units += warm['units']
        result, spent = timed(load, proxy, f'run {bench.options.run_ms}')
        after = bench.backend.counters()
    complaint = complain(unit, warm, result, before, after)
    if complaint:
        bench.fail(unit, proxy.name, complaint)
    units = result['units'] * unit.units
    return {'cpu_us': spent / units, 'per_second': units / result['seconds']}


def complain(unit, warm, result, before, after):
    """What the counters say against the result: the backend must have served what was counted,
    undamaged and on kept connections, and sessions must have been resumed."""
    change = {name: after[name] - before[name] for name in after}
    units = warm['units'] + result['units']
    if change['damaged'] or change['failed']:
        return (f'the backend got {change["damaged"]} damaged bodies and {change["failed"]} '
                'requests that it could not read')
    if change['requests'] + change['messages'] < units:
        return f'{units} units, but the backend served {change}'
    most = units
    if unit.units_per_connection:
        most = units / unit.units_per_connection + unit.options['connections']
    if change['accepted'] > most:
        return f'no keepalive: {units} units on {change["accepted"]} connections to the backend'
    if result['resumed'] < unit.resumed * result['opened']:
        return f'{result["resumed"]} of {result["opened"]} TLS sessions resumed'
    return None


def compared_run(bench, unit, name):
    """CPU time of a variant, and what it is of the plain variant's right before."""
    plain = loop(bench, unit.plain(), bench.proxy(name, 'plain'))
    proxy = bench.proxy(name, unit.variant)
    result = loop(bench, unit, proxy)
    return {**result, 'of_plain': result['cpu_us'] / plain['cpu_us'],
            'memory_mb': machine.memory(proxy.pids) / 1e6, 'start_s': proxy.start_seconds}


def latency_run(bench, unit, name):
    """Latency in an open loop, at half of the rate that nginx reaches in a closed one."""
    proxy = bench.proxy(name, unit.variant)
    if bench.rate is None:
        names = list(bench.options.contenders)
        fastest = loop(bench, unit, bench.proxy('nginx' if 'nginx' in names else names[0], 'plain'))
        bench.rate = round(fastest['per_second'] / 2, -2)
    with generator(bench, unit, proxy) as load:
        load.do(f'run {bench.options.warm_ms}')
        with machine.before_all_others([*proxy.pids, load.process.pid, bench.backend.process.pid]):
            result, spent = timed(load, proxy, f'rate {bench.rate:.0f} {2 * bench.options.run_ms}')
    return {'cpu_us': spent / result['units'], 'per_second': bench.rate,
            'p50_us': result['p50_us'], 'p99_us': result['p99_us'], 'max_us': result['max_us']}


def idle_run(bench, unit, name):
    """Memory that a fresh proxy needs for each connection that has had a request and is idle."""
    bench.stop(unit.variant)
    proxy = bench.start(name, unit.variant)
    with Generator(bench.programs['generator'], proxy.ports[unit.port],
                   {**unit.options, 'connections': 64}) as load:
        load.do(f'run {bench.options.warm_ms}')
    with generator(bench, unit, proxy) as load:
        start = settled_memory(proxy)
        opened = load.do('each')
        used = settled_memory(proxy) - start
        again = load.do('each')
    wanted = unit.options['connections']
    if opened['open'] != wanted or again['opened'] != 0:
        raise RuntimeError(f'{opened["open"]} of {wanted} idle connections, of which '
                           f'{again["opened"]} were closed')
    bench.stop(unit.variant)
    return {'bytes_per_connection': used / wanted, 'connections': wanted}


def settled_memory(proxy):
    """Buffers may be given back a moment after the last byte: waits until that has ended."""
    last = machine.memory(proxy.pids)
    for _ in range(6):
        time.sleep(0.25)
        now = machine.memory(proxy.pids)
        if abs(now - last) < 65536:
            break
        last = now
    return now


RUNS = {'cpu': cpu_run, 'compared': compared_run, 'latency': latency_run, 'idle': idle_run}
