"""The units of work that the bench measures, and what Penstock is to reach in each."""
import dataclasses

MEBIBYTE = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Unit:
    name: str
    what: str           # for people
    goal: float | None  # most that `goal_of` of Penstock may be
    options: dict       # of the generator
    port: str = 'HTTP'
    variant: str = 'plain'
    # What one unit of the generator counts for.
    units: int = 1
    # The backend must have seen so many units on each of its connections, at least; 0: not checked.
    units_per_connection: int = 10
    # At least this share of the connections must have resumed a TLS session.
    resumed: float = 0
    measure: str = 'cpu'              # a key of RUNS
    ratio_of: str = 'cpu_us'          # what is compared with nginx
    goal_of: str = 'ratio_to_nginx'   # or a key of the result's `extra`
    rounds: tuple | None = None       # of the quick and of the full bench, if not the usual ones
    has_noise: bool = True            # nginx is measured twice in each round
    contenders: tuple = ()            # that can do it; empty: all of them

    def plain(self):
        """The same work on one host without a log."""
        return dataclasses.replace(self, variant='plain', options=get())


def get(what='1k', size=1024, connections=64, **options):
    return {'protocol': 'get', 'what': what, 'size': size, 'connections': connections, **options}


def stream(protocol, connections=64, **options):
    return {'protocol': protocol, 'connections': connections, **options}


def udp(protocol, connections=64, **options):
    return stream(protocol, connections, udp=1, **options)


DATAGRAMS = ('penstock', 'nginx')
STREAM_PEERS = ('penstock', 'nginx', 'haproxy')
UNITS = {each.name: each for each in (
    Unit('get_1k', 'GET 1 KiB, 64 connections', 0.80, get()),
    Unit('get_1k_single', 'GET 1 KiB, 1 connection', None, get(connections=1)),
    Unit('get_100k', 'GET 100 KiB, 64 connections', 0.90, get('100k', 100 * 1024)),
    Unit('get_10m', 'GET 10 MiB, 8 connections', 0.65, get('10m', 10 * MEBIBYTE, 8)),
    Unit('post_10k', 'POST 10 KiB, 64 connections', 0.70,
         stream('post', what='post', size=10 * 1024)),
    Unit('close', 'connection, GET 1 KiB, close', 0.92, get(once=1)),
    Unit('tls_1k', 'TLS 1.3, GET 1 KiB, 64 connections', 0.92, get(tls=1), 'HTTPS'),
    Unit('tls_handshake', 'TLS 1.3 connection, GET 1 KiB, close', 0.95,
         get(tls=1, once=1, connections=16), 'HTTPS'),
    Unit('tls_resumed', 'the same, each resumes the session of the last', 0.95,
         get(tls=1, once=1, resumes=1, connections=16), 'HTTPS', resumed=0.99),
    Unit('websocket', 'message of 100 bytes and its echo, 64 connections', 0.88,
         stream('websocket')),
    Unit('tcp_pingpong', 'TCP, 64 bytes and their echo, 64 connections', 1.00, stream('ping'),
         'TCP'),
    Unit('tcp_bulk', 'TCP, 1 MiB, 4 connections up and 4 down', 0.45,
         stream('bulk', 8, size=8 * MEBIBYTE), 'BULK', units=8, units_per_connection=0),
    Unit('tcp_connect', 'TCP connection, 64 bytes and their echo, close', 0.97,
         stream('ping', once=1), 'TCP', units_per_connection=0),
    Unit('tcp_half_close', 'the same where nginx lets both directions end by themselves, too', 0.97,
         stream('ping', once=1), 'HALF', units_per_connection=0, contenders=STREAM_PEERS),
    Unit('stream_tls_pingpong', 'TLS 1.3 ended at a TCP port, 64 bytes and their echo', 1.00,
         stream('ping', tls=1), 'TCPS', contenders=STREAM_PEERS),
    Unit('stream_tls_bulk', 'the same, 1 MiB, 4 connections up and 4 down', 1.00,
         stream('bulk', 8, size=8 * MEBIBYTE, tls=1), 'BULKS', units=8, units_per_connection=0,
         contenders=STREAM_PEERS),
    Unit('stream_tls_connect', 'the same, a connection for each 64 bytes', 0.95,
         stream('ping', 16, once=1, tls=1), 'TCPS', units_per_connection=0, contenders=STREAM_PEERS),
    Unit('udp_pingpong', 'UDP, 64 bytes and their echo, 64 clients', 1.00, udp('ping'), 'UDP',
         units_per_connection=0, contenders=DATAGRAMS),
    Unit('udp_session', 'UDP, a client asks once and gets its one answer, as of DNS', 1.00,
         udp('ping', once=1), 'DNS', units_per_connection=0, contenders=DATAGRAMS),
    Unit('udp_bulk', 'UDP, 32 datagrams of 1,200 bytes to one of 8 clients', 1.00,
         udp('bulk', 8, size=32 * 1200), 'UDP', units_per_connection=0, contenders=DATAGRAMS),
    Unit('log_on', 'GET 1 KiB with an access log; the goal is for the cost of the log', 1.06, get(),
         variant='log', measure='compared', goal_of='of_plain'),
    Unit('routes_5000', 'GET 1 KiB from 5,000 hosts with 4 paths each', 0.70,
         get(hosts=5000, paths=4), variant='routes', measure='compared'),
    Unit('latency', 'GET 1 KiB at half the rate of nginx; ratio and goal are for p99', 1.00, get(),
         measure='latency', ratio_of='p99_us'),
    Unit('idle', 'memory for one of 10,000 idle connections; the goal is in bytes', 800,
         get(connections=10000), variant='idle', measure='idle', ratio_of='bytes_per_connection',
         goal_of='bytes_per_connection', rounds=(1, 3), has_noise=False),
    Unit('idle_tls', 'memory for one of 4,000 idle TLS connections', None,
         get(connections=4000, tls=1), 'HTTPS', variant='idle', measure='idle',
         ratio_of='bytes_per_connection', rounds=(1, 3), has_noise=False),
    Unit('stream_tls_idle', 'memory for one of 2,000 idle sessions of a TCP port that ends TLS', None,
         stream('ping', 2000, tls=1), 'TCPS', variant='idle', measure='idle',
         ratio_of='bytes_per_connection', rounds=(1, 3), has_noise=False, contenders=STREAM_PEERS),
)}
