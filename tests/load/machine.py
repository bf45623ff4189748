"""What the bench asks of the machine: processors, namespaces, CPU time and memory of processes."""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import platform
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

DESCRIPTORS = 65536
INSIDE = 'PENSTOCK_BENCH_FOLDER'


def processors():
    """(of generator and backend, of the proxies)."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        sys.exit('bench: needs two processors: one for the proxy, one for its load')
    return allowed[0], allowed[-1]


@contextlib.contextmanager
def only_run():
    """Two runs at once would measure each other: the second one waits."""
    path = pathlib.Path(tempfile.gettempdir(), 'penstock-bench.lock')
    with open(path, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('bench: waiting for another run to end', file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_in_namespace():
    """Starts this program again in namespaces of its own and ends with it. Whatever it starts is in
    its process namespace and ends with it, however it ends."""
    if os.geteuid() != 0:
        sys.exit('bench: needs root, for a network namespace of its own')
    with tempfile.TemporaryDirectory(prefix='penstock-bench.') as folder:
        child = subprocess.Popen(
            ['unshare', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', sys.executable,
             *sys.argv], env=dict(os.environ, **{INSIDE: folder}))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: child.kill())
        return 0 if child.wait() == 0 else 1


def go_first():
    """Programs that have nothing to do with the bench should not disturb it."""
    os.nice(-15)
    os.setsid()  # The kernel weighs sessions before it weighs the processes within.
    with contextlib.suppress(OSError):
        pathlib.Path('/proc/self/autogroup').write_text('-15')


def prepare_namespace():
    run('ip', 'link', 'set', 'lo', 'up')
    set_kernel('net/ipv4/ip_local_port_range', '10000 65000')  # Nobody listens in there.
    set_kernel('net/core/somaxconn', '4096')
    set_kernel('net/ipv4/tcp_max_syn_backlog', '4096')
    set_congestion_control()
    # Connections that have ended must not make those of the next contender slow to open.
    set_kernel('net/ipv4/tcp_max_tw_buckets', '1000')
    limit = max(DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    except (OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def set_congestion_control():
    """The one that kernels come with or its elder, which every namespace may choose: under BBR and
    its pacing one would measure the kernel's timers."""
    for name in ('cubic', 'reno'):
        with contextlib.suppress(OSError):
            set_kernel('net/ipv4/tcp_congestion_control', name)
            return
    print('bench: the congestion control of this machine stays', file=sys.stderr)


def set_kernel(name, value):
    pathlib.Path('/proc/sys', name).write_text(value)


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def compile_programs(sources, out):
    """{name: path} of the C programs of the bench, compiled where a source is newer."""
    programs = {}
    out.mkdir(parents=True, exist_ok=True)
    for name, libraries in (('generator', ['-lssl', '-lcrypto']), ('backend', ['-lcrypto'])):
        inputs = [*sources.glob(f'{name}/*.[ch]'), *sources.glob('common/*.[ch]')]
        programs[name] = out / name
        newest = max(path.stat().st_mtime for path in inputs)
        if programs[name].exists() and programs[name].stat().st_mtime > newest:
            continue
        run('cc', '-O2', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-o', str(programs[name]),
            *(str(path) for path in inputs if path.suffix == '.c'), *libraries)
    return programs


def start_on(processor, command, **options):
    """Starts a program that is bound to one processor and ends with this one."""
    libc = ctypes.CDLL(None)

    def bind():
        os.sched_setaffinity(0, {processor})
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    return subprocess.Popen([str(each) for each in command], preexec_fn=bind, **options)


@contextlib.contextmanager
def before_all_others(pids):
    """The processes run before all that are not real-time: else the time slices of strangers would
    be what a latency shows. For loads that leave a processor time to spare."""
    def schedule(policy, priority):
        for pid in pids:
            for thread in os.listdir(f'/proc/{pid}/task'):
                os.sched_setscheduler(int(thread), policy, os.sched_param(priority))
    schedule(os.SCHED_RR, 1)
    try:
        yield
    finally:
        schedule(os.SCHED_OTHER, 0)


def descendants(pid):
    """[(pid, name)] of a process and all below it."""
    parents = {}
    names = {}
    for path in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            found = re.match(r'(\d+) \((.*)\) \S (\d+)', path.read_text(), re.DOTALL)
        except OSError:
            continue
        parents[int(found[1])] = int(found[3])
        names[int(found[1])] = found[2]
    out = [pid]
    for each in out:
        out.extend(child for child, parent in parents.items() if parent == each)
    return [(each, names.get(each, '')) for each in out]


def cpu_ns(pids):
    """Nanoseconds that all threads of the processes have run, in user and kernel together."""
    total = 0
    for pid in pids:
        for path in pathlib.Path(f'/proc/{pid}/task').glob('*/schedstat'):
            total += int(path.read_text().split()[0])
    return total


def memory(pids):
    """Bytes that the processes use, shared ones divided among those that share them."""
    total = 0
    for pid in pids:
        for line in pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
            if line.startswith('Pss:'):
                total += int(line.split()[1]) * 1024
    return total


def describe():
    cpu = re.search(r'model name\s*: (.*)', pathlib.Path('/proc/cpuinfo').read_text())
    return {'date': time.strftime('%Y-%m-%d'), 'cpu': cpu[1] if cpu else platform.machine(),
            'processors': os.cpu_count(), 'kernel': platform.release(),
            'openssl': run('openssl', 'version').split()[1]}
