"""Mirror: orders into SQLite and PostgreSQL by ours, by dlt and by a bare loop, which mirrors.py describes.

From a server without limits: orders a second, memory, and orders that are fetched again after kill -9. From a
server that grants 360 requests in a moving minute: seconds, refused requests and requests for fresh rows. Its
clock and the contenders' run twice as fast, five times in a quick look. So work takes as many times longer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec
import sqlalchemy
from msgspec import Struct

from .measuring import Effort, Goal, Part, Table, turns
from .mirrors import BARE, DLT, DLT_DEFAULT, OURS, SQLITE_PREFIX
from .orders import PAGE_SIZE
from .postgres import postgres_server
from .serving import orders_server
from .sync import Run

__all__ = ["CONTENDERS", "Place", "measure", "run"]

CONTENDERS: Final = (BARE, OURS, DLT)
SQLITE, POSTGRES = "SQLite", "PostgreSQL"
COLUMNS: Final = [SQLITE, POSTGRES]
MINUTELY_LIMIT: Final = 360
_PATIENCE = 900.0
_LOOKS = 0.005  # seconds between two looks at the server's counts


class Counts(Struct, frozen=True):
    """Requests that a server has answered and refused."""

    answered: int
    refused: int


class Place(Struct, frozen=True):
    """An empty database, and the folder of what a contender keeps beside it."""

    database: str
    folder: str

    def orders(self) -> int:
        """Return the number of orders in the database."""
        url = self.database.replace("postgresql://", "postgresql+psycopg://")
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            return int(connection.scalar(sqlalchemy.text("SELECT count(*) FROM workshop_orders")) or 0)


NewPlace = Callable[[str], Place]


@contextmanager
def _new_places() -> Generator[NewPlace]:
    """Yield a function that makes an empty database of a kind."""
    with tempfile.TemporaryDirectory() as root, postgres_server() as new_database:

        def new(kind: str) -> Place:
            folder = tempfile.mkdtemp(dir=root)
            return Place(f"{SQLITE_PREFIX}{folder}/mirror.db" if kind == SQLITE else new_database(), folder)

        yield new


def measure(effort: Effort) -> Part:
    """Measure what a mirror of the orders takes, from a server without limits and from one with them."""
    with _new_places() as new:
        speed, memory = _unbound(new, effort.number(10_000, 100_000), effort.number(1, 3))
        again = _kills(new, effort.number(10_000, 50_000), effort.number(1, 5))
        bound, notes = _bound(new, effort.number(40_000, 120_000), faster=effort.number(5, 2))
    _, refused, _ = bound
    return Part(
        name="mirror",
        tables=[speed, memory, again, *bound],
        goals=[
            *(
                Goal(words=f"times dlt, {kind}", measured=speed.ratio(OURS, kind, DLT), at_least=6)
                for kind in COLUMNS
            ),
            *(
                Goal(words=f"of the bare loop, {kind}", measured=speed.ratio(OURS, kind, BARE), at_least=0.8)
                for kind in COLUMNS
            ),
            *(
                Goal(words=f"refused, {kind}", measured=refused.median(OURS, kind), at_most=0)
                for kind in COLUMNS
            ),
        ],
        notes=notes,
    )


def _unbound(new: NewPlace, count: int, rounds: int) -> tuple[Table, Table]:
    speed = Table(title=f"Mirror of {count:,} orders", unit="orders/s", columns=COLUMNS, beside=BARE)
    memory = Table(title="The same, memory", unit="MB at most", columns=COLUMNS, charted=False)
    with orders_server(count) as url:
        run(BARE, url, new(SQLITE), count)  # warms up the server's pages
        for kind in COLUMNS:
            for name in turns(CONTENDERS, rounds):
                done = run(name, url, new(kind), count)
                speed.add(name, kind, count / done.seconds)
                memory.add(name, kind, done.megabytes)
    return speed, memory


def _kills(new: NewPlace, count: int, rounds: int) -> Table:
    title = f"Orders fetched again after a kill -9 at half of {count:,}"
    again = Table(title=title, unit="orders", columns=COLUMNS, charted=False)
    pages = -(-count // PAGE_SIZE)
    with orders_server(count) as url:
        for kind in COLUMNS:
            for name in turns(CONTENDERS, rounds):
                before, place = _counts(url).answered, new(kind)
                _kill(name, url, place, before + pages // 2)
                run(name, url, place, count)
                requests = _counts(url).answered - before
                again.add(name, kind, max(0, requests - pages) * PAGE_SIZE)
    return again


def _bound(new: NewPlace, count: int, faster: int) -> tuple[list[Table], list[str]]:
    clock = [sys.executable, "-m", "tests.support.fast_clock", str(faster)]
    of_the_server = f"{count:,} orders at {MINUTELY_LIMIT} requests a minute"
    seconds = Table(title=of_the_server, unit="seconds", columns=COLUMNS, charted=False)
    refused = Table(title="The same, refused", unit="requests", columns=COLUMNS, charted=False)
    each = Table(title="The same, for 1,000 fresh orders", unit="requests", columns=COLUMNS, charted=False)
    for kind in COLUMNS:
        for name in CONTENDERS:
            with orders_server(count, MINUTELY_LIMIT, clock=clock) as url:
                done = run(name, url, new(kind), count, clock=clock)
                counts = _counts(url)
            seconds.add(name, kind, done.seconds)
            refused.add(name, kind, counts.refused)
            each.add(name, kind, (counts.answered + counts.refused) / count * 1_000)
    return [seconds, refused, each], [_dlt_as_it_comes(new(SQLITE), count, clock)]


def _dlt_as_it_comes(place: Place, count: int, clock: Sequence[str]) -> str:
    with orders_server(count, MINUTELY_LIMIT, clock=clock) as url:
        command = _command(DLT_DEFAULT, url, place, clock=clock)
        done = subprocess.run(command, check=False, capture_output=True, timeout=_PATIENCE)  # noqa: S603
        refused = _counts(url).refused
    ended = "ended with an error" if done.returncode else f"ended with {place.orders():,} orders"
    return (
        f"With its default of 5 attempts a request, dlt {ended} at {MINUTELY_LIMIT} requests a minute,"
        f" after {refused} refusals."
    )


def _command(contender: str, url: str, place: Place, clock: Sequence[str] = ()) -> list[str]:
    python = clock or [sys.executable, "-m"]
    return [*python, "benchmarks.mirrors", contender, url, place.database, place.folder]


def run(contender: str, url: str, place: Place, count: int, *, clock: Sequence[str] = ()) -> Run:
    """Run a contender, which must leave `count` orders in the database."""
    command = _command(contender, url, place, clock)
    shown = subprocess.check_output(command, timeout=_PATIENCE)  # noqa: S603
    written = place.orders()
    assert written == count, (contender, written, count)
    return msgspec.json.decode(shown, type=Run)


def _kill(contender: str, url: str, place: Place, answered: int) -> None:
    """Start a run and kill it when the server has answered a number of requests."""
    process = subprocess.Popen(_command(contender, url, place))  # noqa: S603
    while process.poll() is None and _counts(url).answered < answered:
        time.sleep(_LOOKS)  # between looks: the server, another process, tells its count when asked
    process.kill()
    process.wait()


def _counts(url: str) -> Counts:
    with urllib.request.urlopen(f"{url}/counts") as response:  # noqa: S310 - our own loopback address
        return msgspec.convert(json.loads(response.read()), Counts)
