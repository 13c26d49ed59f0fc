"""Processes that share an account, and a faster clock for them.

Run by `python -m tests.support.processes serve|spend …`. With a speed of 10 a minute takes six seconds: for
the event loop, for the sandbox, and for the database.
"""

import asyncio
import json
import sys
import time
from datetime import date

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.quota.postgres import PostgresLedger
from cyclesoft_async.sandbox import Sandbox

from .fast_loop import fast_wall, run_fast

HOST = "https://api.cyclesoftware.nl"
EMPTY_DAY = date(1970, 1, 1)
FAST_CLOCK = """
    CREATE OR REPLACE FUNCTION cyclesoft.quota_clock() RETURNS double precision LANGUAGE sql VOLATILE AS $$
        SELECT extract(epoch FROM clock_timestamp())::double precision * {speed}
    $$
"""


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def line_read() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def serve(limit: int, speed: float) -> None:
    """Run a sandbox that prints its URL, waits for a line, and prints its counts."""
    async with Sandbox(
        orders=1, minutely_limit=limit, latency=(0.05, 0.3), clock=fast_wall(speed)
    ) as sandbox:
        say(sandbox.url)
        await line_read()
        say(json.dumps([sandbox.received, sandbox.refused]))


async def spend(database: str, base_url: str, requests: int, tasks: int) -> None:
    """On a line, send requests by several tasks; print what was counted, and when the answers came."""
    answered: list[float] = []
    todo = iter(range(requests))
    async with CycleSoftSession(
        "user", "pass", base_url=base_url, retries=RetryPolicy.none(), ledger=PostgresLedger(database)
    ) as cs:

        async def work() -> None:
            for _ in todo:
                await cs.workshop_orders.list(date_from=EMPTY_DAY, date_until=EMPTY_DAY)
                answered.append(time.time())

        say("ready")
        await line_read()
        await asyncio.gather(*(work() for _ in range(tasks)))
        say(json.dumps([cs.quota.sent, cs.quota.refused, answered]))


async def hold(database: str, count: int) -> None:
    """Take `count` tokens of a limit of 10, report it, and do nothing with them."""
    limiter = PostgresLedger(database).limiter("user", HOST, max_concurrent=32, bulk_reserve=None)
    (await limiter.acquire()).answered(200, {"X-RateLimit-Minutely-Limit": "10"})
    permits = [await limiter.acquire() for _ in range(count)]
    say("ready")
    await line_read()
    for permit in permits:
        permit.unsent()


def main() -> None:
    match sys.argv[1:]:
        case ["serve", limit, speed]:
            run_fast(serve(int(limit), float(speed)), float(speed))
        case ["spend", database, base_url, requests, tasks, speed]:
            run_fast(spend(database, base_url, int(requests), int(tasks)), float(speed))
        case ["hold", database, count]:
            asyncio.run(hold(database, int(count)))
        case _:
            sys.exit("serve LIMIT SPEED | spend DATABASE BASE_URL REQUESTS TASKS SPEED | hold DATABASE COUNT")


if __name__ == "__main__":
    main()
