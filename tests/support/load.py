"""Requests that flow while something else happens."""
import http.client
import socket
import ssl
import threading
import time

from cluster_api import wait_until


class Load:
    """Requests from several threads over keepalive connections until stopped; counts failures."""

    def __init__(self, test, host, path='/', threads=4, tls=False, pause=0, requests=500):
        self.test, self.host, self.path, self.tls = test, host, path, tls
        self.pause = pause
        self.requests = requests  # of one connection
        self.sent, self.failures, self.servers = 0, [], set()
        self.is_stopped = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until('the load flows', lambda: self.sent > 20 or self.failures)
        return self

    def __exit__(self, *_):
        self.is_stopped = True
        for thread in self.threads:
            thread.join()

    def connect(self):
        connection = http.client.HTTPConnection(self.host)
        connection.sock = socket.create_connection((self.test.address, 443 if self.tls else 80), 10)
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection.sock = context.wrap_socket(connection.sock, server_hostname=self.host)
        return connection

    def work(self):
        connection, asked = None, 0
        while not self.is_stopped:
            try:
                if connection is not None and asked >= self.requests:
                    connection.close()
                if connection is None or asked >= self.requests:
                    connection, asked = self.connect(), 0
                connection.request('GET', self.path, headers={'Host': self.host})
                answer = connection.getresponse()
                body = answer.read()
                asked += 1
                if self.pause:
                    time.sleep(self.pause)
                with self.lock:
                    self.sent += 1
                    if answer.status != 200:
                        self.failures.append(answer.status)
                    self.servers.add(body.split(b'\n', 1)[0])
                if answer.headers.get('Connection') == 'close':
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                connection = None
                with self.lock:
                    self.failures.append(repr(error))
