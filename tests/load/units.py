"""The units of work that the bench measures, and what Penstock is to reach in each."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Unit:
    name: str
    what: str           # for people
    goal: float | None  # most that Penstock's CPU time may be of nginx's
    options: dict       # of the generator
    port: str = 'HTTP'
    variant: str = 'plain'
    # The backend must have seen so many units on each of its connections, at least.
    units_per_connection: int = 10


def get(size, what, **options):
    return {'protocol': 'get', 'what': what, 'size': size, 'connections': 64, **options}


UNITS = {each.name: each for each in (
    Unit('get_1k', 'GET 1 KiB, 64 connections', 0.80, get(1024, '1k')),
)}
