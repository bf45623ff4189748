"""Our programs as processes, and what their status ports say."""
import os
import pathlib
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

from cluster_api import LONGEST_WAIT, ROOT

BIN = pathlib.Path(os.environ.get('PENSTOCK_BIN', ROOT / 'build/dev/bin'))


class Process:
    """One of our programs; its log is shown when a test fails."""

    def __init__(self, name, *arguments, env=None):
        self.name = name
        self.arguments = [str(BIN / name), *map(str, arguments)]
        self.env = env
        self.log = tempfile.NamedTemporaryFile('w+', prefix=name + '.', suffix='.log')
        self.popen = None
        self.start()

    def start(self):
        environment = dict(os.environ, **(self.env or {}))
        self.popen = subprocess.Popen(self.arguments, stdout=self.log, stderr=self.log,
                                      env=environment)

    def kill(self, number=signal.SIGKILL):
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        self.popen.wait(LONGEST_WAIT)

    def text(self):
        return pathlib.Path(self.log.name).read_text(errors='replace')

    def memory(self):
        """Resident bytes."""
        for line in pathlib.Path(f'/proc/{self.popen.pid}/status').read_text().splitlines():
            if line.startswith('VmRSS:'):
                return int(line.split()[1]) * 1024
        return 0


def status(port, path):
    try:
        with urllib.request.urlopen(f'http://127.0.0.1:{port}{path}', timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ''
