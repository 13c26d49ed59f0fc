"""No character of a password in any URL appears in a repr, an error, a traceback or a log record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import date
from traceback import TracebackException
from typing import TypeAlias
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.bridges import BasicAuth
from cyclesoft_async.bridges.fleetio import Fleetio
from cyclesoft_async.bridges.ppw import Ppw
from cyclesoft_async.bridges.shopctrl import ShopCtrl
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.bulksync.workers import sync_with_workers, work
from cyclesoft_async.errors import CycleSoftError, UsageError
from cyclesoft_async.quota.postgres import PostgresLedger
from cyclesoft_async.quota.postgres import migrate as migrate_ledger
from cyclesoft_async.webhooks import PostgresInbox, WebhookReceiver
from cyclesoft_async.webhooks.inbox import entries
from cyclesoft_async.webhooks.inbox.postgres import migrate as migrate_inbox

# Letters that the rest of the URLs and of the messages lack.
MARK = "ΩЖ"
passwords = st.text(st.sampled_from("@/?#:%&=+ [],;\\'\"\n\x7f" + MARK)).map(lambda text: MARK + text + MARK)

Door: TypeAlias = Callable[[str], object]
DOORS: dict[str, Door] = {
    "CycleSoftSession": lambda url: CycleSoftSession("user", "pass", base_url=url),
    "Fleetio": lambda url: Fleetio("token", "account", base_url=url),
    "Ppw": lambda url: Ppw("token", base_url=url),
    "ShopCtrl": lambda url: ShopCtrl(BasicAuth("user", "pass"), base_url=url),
    "Store": Store,
    "PostgresInbox": PostgresInbox,
    "PostgresLedger": PostgresLedger,
}
POSTGRES = ["postgresql://", "postgres://", "postgresql+psycopg://"]
SCHEMES = [*POSTGRES, "https://", "http://", "mysql://", "sqlite://", "//", ""]
ADDRESSES = ["host/name", "host:port/name", "/name?host=host", "a,b:5432/name", "[::1/name", "host/#part", ""]


def shown_by(error: BaseException) -> str:
    """Return an error as a tool reports it that shows the locals of our frames."""
    whole = TracebackException.from_exception(error, capture_locals=True)
    ours = [frame.locals for frame in whole.stack if "cyclesoft_async" in frame.filename]
    return f"{error!r} {vars(error)} {error.__context__!r} {error.__cause__!r} {ours}"


@pytest.mark.filterwarnings("ignore:Query string argument")  # those of PostgreSQL, in a URL of SQLite
@pytest.mark.parametrize("door", DOORS)
@given(password=passwords, scheme=st.sampled_from(SCHEMES), address=st.sampled_from(ADDRESSES))
def test_no_url_that_is_accepted_or_refused_shows_its_password(
    door: str, password: str, scheme: str, address: str
) -> None:
    for written in (password, quote(password, safe="")):
        try:
            shown = repr(DOORS[door](f"{scheme}app:{written}@{address}"))
        except UsageError as error:
            shown = shown_by(error)
        assert not set(shown) & set(MARK)
        assert quote(MARK) not in shown


@given(password=passwords, scheme=st.sampled_from(["http://", "https://", "socks5://", "ftp://", ""]))
async def test_no_proxy_that_is_accepted_or_refused_shows_its_password(password: str, scheme: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        patch.setenv("HTTPS_PROXY", f"{scheme}app:{quote(password)}@127.0.0.1:1")
        async with CycleSoftSession("user", "pass", retries=RetryPolicy(attempts=1)) as cs:
            with pytest.raises(CycleSoftError) as caught:
                await cs.workshop_orders.get(24, 1)
    shown = shown_by(caught.value)
    assert not set(shown) & set(MARK)
    assert quote(MARK) not in shown


PASSWORD = "topsecret/Ω"
UNREACHABLE = f"postgresql://app:{quote(PASSWORD, safe='')}@127.0.0.1:1/nowhere"
DAY = date(2025, 1, 1)


async def call_with_ledger(url: str) -> None:
    async with CycleSoftSession("user", "pass", ledger=PostgresLedger(url)) as cs:
        await cs.with_options(max_wait=0).workshop_orders.get(24, 1)


async def receive(url: str) -> None:
    inbox = PostgresInbox(url)
    async with WebhookReceiver(secrets=["a secret of the shop"], inbox=inbox):
        await inbox.check()


async def copy_orders(url: str) -> None:
    async with CycleSoftSession("user", "pass") as cs:
        await sync_workshop_orders(cs, Store(url), date_from=DAY, date_until=DAY)


async def enqueue(url: str) -> None:
    await sync_with_workers(Store(url), date_from=DAY, date_until=DAY)


async def work_on_jobs(url: str) -> None:
    async with CycleSoftSession("user", "pass") as cs:
        await work(cs, Store(url))


async def read_deliveries(url: str) -> None:
    await asyncio.to_thread(entries, url)


async def migrate_store(url: str) -> None:
    await Store(url).migrate()


@pytest.mark.parametrize(
    "use",
    [
        call_with_ledger,
        receive,
        copy_orders,
        enqueue,
        work_on_jobs,
        read_deliveries,
        migrate_inbox,
        migrate_ledger,
        migrate_store,
    ],
    ids=lambda use: str(use.__name__),
)
async def test_a_database_that_is_not_reached_is_reported_without_its_password(
    use: Callable[[str], Awaitable[object]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CycleSoftError) as caught:
        await use(UNREACHABLE)
    shown = "".join(TracebackException.from_exception(caught.value).format())
    records = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    for secret in ("topsecret", quote(PASSWORD, safe="")):
        assert secret not in shown
        assert secret not in records
