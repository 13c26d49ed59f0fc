"""Page server with minimal cost per request, so that it is not what is measured.

Run: python -m benchmarks.page_server PORT files FOLDER|orders COUNT [LIMIT]

`files` serves the files of a folder, those below `gzip` with Content-Encoding gzip. `orders` serves the list
of workshop orders for any range of days, page by page. The orders differ in id and day; the rest comes from a
thousand templates. With a limit, it refuses requests beyond that number in a moving minute with 429, and
without Retry-After, like the vendor's server. `/counts` returns how many it has answered and refused.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Generator, Mapping
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qs

from .orders import FIRST_DAY, LAST_DAY, PAGE_SIZE, envelope, templates
from .serving import QUOTA

Answer: TypeAlias = Callable[[str], bytes | None]

_TOO_MANY = b'{"error": true, "error_message": "Too many requests"}'
_DAYS = (LAST_DAY - FIRST_DAY).days + 1


def http(body: bytes, *headers: str, status: str = "200 OK", quota: Mapping[str, str] = QUOTA) -> bytes:
    """Return a complete response."""
    told = [f"{name}: {value}" for name, value in quota.items()]
    usual = ["Content-Type: application/json; charset=utf-8", f"Content-Length: {len(body)}"]
    return "\r\n".join([f"HTTP/1.1 {status}", *usual, *told, *headers, "\r\n"]).encode() + body


class Files:
    """Serves files."""

    def __init__(self, folder: Path) -> None:
        self._answers = {
            f"/{path.relative_to(folder)}": self._read(path, folder)
            for path in folder.rglob("*")
            if path.is_file()
        }

    @staticmethod
    def _read(path: Path, folder: Path) -> bytes:
        is_packed = path.relative_to(folder).parts[0] == "gzip"
        return http(path.read_bytes(), *["Content-Encoding: gzip"] * is_packed)

    def answer(self, target: str) -> bytes | None:
        """Return the file, or 404."""
        return self._answers.get(target.partition("?")[0])


class MovingMinute:
    """Requests of the last minute, and of all time."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._granted: deque[float] = deque()
        self.answered = self.refused = 0

    def grant(self) -> bool:
        """Count a request, and return whether it is within the limit."""
        is_granted = self._limit is None or self._used() < self._limit
        self.answered += is_granted
        self.refused += not is_granted
        if is_granted and self._limit is not None:
            self._granted.append(time.monotonic())
        return is_granted

    def headers(self) -> Mapping[str, str]:
        """Return the headers of a response."""
        if self._limit is None:
            return QUOTA
        remaining = self._limit - self._used()
        return {
            **QUOTA,
            "X-RateLimit-Minutely-Limit": str(self._limit),
            "X-RateLimit-Minutely-Remaining": str(remaining),
        }

    def _used(self) -> int:
        while self._granted and self._granted[0] <= time.monotonic() - 60:
            self._granted.popleft()
        return len(self._granted)


class Orders:
    """Serves a list of `count` orders, the same number for each day, to `limit` requests a minute."""

    def __init__(self, count: int, limit: int | None = None) -> None:
        self._minute = MovingMinute(limit)
        self._count = count
        self._templates = templates(1_000)
        # Index of the first order of each day, and of the end.
        self._firsts = [count * day // _DAYS for day in range(_DAYS + 1)]
        self._days = [FIRST_DAY + timedelta(days=day) for day in range(_DAYS)]

    def answer(self, target: str) -> bytes | None:
        """Return a page of the list, the health, or the counts."""
        path, _, query = target.partition("?")
        if path == "/counts":
            counts = {"answered": self._minute.answered, "refused": self._minute.refused}
            return http(json.dumps(counts).encode())
        if not path.endswith("/orders.json"):
            return http(b"{}") if path == "/health" else None
        if not self._minute.grant():
            return http(_TOO_MANY, status="429 Too Many Requests", quota=self._minute.headers())
        return http(self._page(path, query), quota=self._minute.headers())

    def _page(self, path: str, query: str) -> bytes:
        given = {name: values[-1] for name, values in parse_qs(query).items()}
        end = self._first_of(
            date.fromisoformat(given.get("date_until", LAST_DAY.isoformat())) + timedelta(days=1)
        )
        start = self._first_of(date.fromisoformat(given.get("date_from", FIRST_DAY.isoformat())))
        start = max(start, int(given.get("token", 0)))
        stop = min(start + PAGE_SIZE, end)
        following = "&".join(f"{name}={value}" for name, value in {**given, "token": stop}.items())
        return envelope(self._orders(start, stop), f"{path}?{following}" if stop < end else None)

    def _orders(self, start: int, stop: int) -> Generator[bytes]:
        for day in range(self._day(start), self._day(stop - 1) + 1):
            first = self._firsts[day]
            yield from self._of_day(day)[max(start - first, 0) : stop - first]

    # A slow server would cost a sequential client more than a concurrent one, so each order is made once.
    # A million orders take 2 GB.
    @cache  # noqa: B019 - a process has one instance
    def _of_day(self, day: int) -> list[bytes]:
        return [self._order(index) for index in range(*self._firsts[day : day + 2])]

    def _day(self, index: int) -> int:
        return bisect_right(self._firsts, index) - 1

    def _first_of(self, day: date) -> int:
        return self._firsts[bisect_left(self._days, day)]

    def _order(self, index: int) -> bytes:
        template = self._templates[index % len(self._templates)]
        return template.order(1_000_000 + index, self._days[self._day(index)])


class Conversation(asyncio.Protocol):
    """One connection: requests without bodies, served in order."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Respond to every complete request."""
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        for request in requests:
            target = request.split(b" ", 2)[1].decode()
            self._transport.write(self._answer(target) or http(b"{}", status="404 Not Found"))


async def main(port: int, answer: Answer) -> None:
    server = await asyncio.get_running_loop().create_server(partial(Conversation, answer), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    _, port, kind, what, *limits = sys.argv
    files_or_orders = Files(Path(what)) if kind == "files" else Orders(int(what), *map(int, limits))
    asyncio.run(main(int(port), files_or_orders.answer))
