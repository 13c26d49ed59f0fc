"""The ledger's function on a real PostgreSQL, in virtual time: a turn sees the moment that it is told."""

import asyncio
from collections.abc import Sequence

import msgspec
import psycopg

from cyclesoft_async.quota import EndpointLimit, Lane
from cyclesoft_async.quota.postgres import migrate
from cyclesoft_async.quota.postgres.messages import Ask, Reply
from cyclesoft_async.quota.postgres.state import SharedAccount
from cyclesoft_async.quota.window import Bucket

EPOCH = 1_750_000_000.0
INVOICES = EndpointLimit("create-invoices", 15)
LEASE = 90.0
VIRTUAL_CLOCK = """
    CREATE OR REPLACE FUNCTION cyclesoft.quota_clock() RETURNS double precision LANGUAGE sql VOLATILE AS $$
        SELECT current_setting('test.now')::double precision
    $$
"""

Line = tuple[Lane, Bucket | None, int]


class VirtualLedger:
    """Takes the turns of any number of processes; `now` is unix seconds."""

    def __init__(self, url: str) -> None:
        asyncio.run(migrate(url))
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(VIRTUAL_CLOCK)
        self._connection.execute("SET search_path = cyclesoft; SET synchronous_commit = off")
        self.now = EPOCH

    def wall(self) -> float:
        return self.now

    def close(self) -> None:
        self._connection.close()

    def process(self, name: str, holder: str, reserve: int | None = None) -> SharedAccount:
        """What a process knows that has just started."""
        return SharedAccount(
            Ask(
                account=name,
                holder=holder,
                turn=0,
                heard=0,
                lease=LEASE,
                daily=15_000,
                reserve=reserve,
                slots=0,
                wishes=[],
                reports=[],
            ),
            self.wall,
        )

    def turn(self, process: SharedAccount, *lines: Line, slots: int = 100, arrives: bool = True) -> Reply:
        """Take a turn; the process hears of it if the reply arrives."""
        reply = self.send(process.ask(list(lines), slots, LEASE, self.now))
        if arrives:
            process.learn(reply, self.now)
        return reply

    def send(self, ask: Ask) -> Reply:
        """What the database makes of a turn."""
        row = self.query(
            "SELECT set_config('test.now', %s, false), quota_turn(%s::text::jsonb)::text",
            repr(self.now),
            msgspec.json.encode(ask).decode(),
        )[0]
        return msgspec.json.decode(str(row[1]), type=Reply)

    def query(self, statement: str, *parameters: object) -> Sequence[tuple[object, ...]]:
        return self._connection.execute(statement.encode(), parameters).fetchall()
