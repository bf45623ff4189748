"""A TLS server that answers each connection with a line: its name, the server name that it was asked
for, and the address of the client's certificate, if it has one."""
import ssl
import threading
import socket


class TlsServer:
    def __init__(self, address, name, certificate, authority=None):
        """`certificate` is a file with chain and key; `authority` one that clients must come from."""
        self.name = name
        self.asked = threading.local()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.context.sni_callback = self.note
        self.context.set_alpn_protocols(['echo'])
        if authority:
            self.context.load_verify_locations(authority)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(address, backlog=128)
        self.failures = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def note(self, _socket, name, _context):
        self.asked.name = name

    def accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        self.asked.name = None
        try:
            with self.context.wrap_socket(raw, server_side=True) as secured:
                while line := secured.recv(4096):
                    secured.sendall(f'{self.name}/{self.asked.name} {line.decode()}'.encode())
        except OSError:
            self.failures += 1

    def close(self):
        self.listener.close()


def connect(address, server_name=None, authority=None, protocols=None, pair=None):
    """A client's TLS connection; without an authority any certificate is taken."""
    context = ssl.create_default_context(cafile=authority)
    if not authority:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    if pair:
        context.load_cert_chain(pair)
    raw = socket.create_connection(address, 10)
    try:
        return context.wrap_socket(raw, server_hostname=server_name)
    except BaseException:
        raw.close()
        raise


def ask(address, server_name=None, text='hello', **options):
    """What a server of the above answers; None where there is no connection or no answer."""
    try:
        with connect(address, server_name, **options) as secured:
            secured.sendall(text.encode())
            return secured.recv(4096).decode() or None
    except OSError:
        return None
