"""System calls per unit of work, counted by strace in a run of its own: it slows the proxy down."""
import signal
import subprocess
import time

from runs import generator


def syscalls_run(bench, unit, proxy):
    """{name: calls per unit}, the most frequent first, and their `total`."""
    out = bench.folder / 'strace.out'
    attach = [argument for pid in proxy.pids for argument in ('-p', str(pid))]
    with generator(bench, unit, proxy) as load:
        load.do(f'run {bench.options.warm_ms}')
        strace = subprocess.Popen(['strace', '-f', '-c', '-S', 'calls', '-U', 'calls,name',
                                   '-o', out, *attach], stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        result = load.do(f'run {bench.options.run_ms}')
        strace.send_signal(signal.SIGINT)
        strace.wait(10)
    counts = {}
    for line in out.read_text().splitlines():
        words = line.split()
        if len(words) == 2 and words[0].isdigit():
            counts[words[1]] = round(int(words[0]) / result['units'] / unit.units, 2)
    return {'total': counts.pop('total', 0),
            **{name: each for name, each in counts.items() if each >= 0.01}}
