"""The bench's own programs at the two ends of a proxy: the generator and the backend."""
import json
import subprocess


class Program:
    """A program that answers a line with a line of JSON."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(each) for each in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        return self.read()

    def read(self):
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f'{self.process.args[0]} has ended: {self.process.wait()}')
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Backend(Program):
    def __init__(self, path, ports):
        super().__init__(path, ports['BACKEND_HTTP'], ports['BACKEND_ECHO'], ports['BACKEND_BULK'])
        self.read()

    def counters(self):
        return self.ask('counters')


class Generator(Program):
    def __init__(self, path, port, options):
        super().__init__(path, f'port={port}', *(f'{name}={value}'
                                                 for name, value in options.items()))

    def do(self, line):
        result = self.ask(line)
        if result['errors']:
            raise RuntimeError(f'{result["errors"]} wrong answers, the first: {result["error"]}')
        return result
