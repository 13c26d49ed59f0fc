"""The store by itself, in SQLite and in PostgreSQL: what is written, and what is found again."""

import json
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.engine import make_url

from cyclesoft_async import errors
from cyclesoft_async.bulksync import Store
from cyclesoft_async.bulksync.resources import workshop_orders
from cyclesoft_async.bulksync.resources.values import utc_text
from cyclesoft_async.bulksync.store import runs
from cyclesoft_async.bulksync.store.rejected import RetriedRows
from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.models import AMSTERDAM, WorkshopOrder
from cyclesoft_async.pagination import Page, RejectedRow
from tests.support.store import (
    begin,
    decoded,
    last_run,
    page_of,
    raw_page,
    rows,
    stored,
    version,
    write,
    write_single,
)

SUNDAY = 6
YEAR_2 = datetime.fromisoformat("0002-01-01")


async def test_columns_are_typed_and_the_raw_order_stands_beside_them(url: str) -> None:
    order = {
        "workshop_order_id": 7,
        "is_active": True,
        "datetime_scheduled_start": "2025-07-01 09:30:00",
        "datetime_modified": "2025-01-01T00:30:00+01:00",
        "brand_new_property": {"kept": True},
        "order_items": [
            {"quantity": 0.10, "price_in_vat_cents": 995, "vat_percentage": 21},
            {"description": "Bel", "discount_percentage": None},
        ],
    }
    await stored(url, (order,))
    engine = create_engine(make_url(url.replace("postgresql:", "postgresql+psycopg:")), poolclass=NullPool)
    with engine.connect() as connection:
        of_order, of_line = workshop_orders.workshop_orders.c, workshop_orders.workshop_order_items.c
        times = select(
            of_order.datetime_scheduled_start, of_order.datetime_modified, of_order.datetime_created
        )
        assert connection.execute(times).one() == (
            datetime(2025, 7, 1, 7, 30, tzinfo=UTC),
            datetime(2024, 12, 31, 23, 30, tzinfo=UTC),
            None,
        )
        active, raw = connection.execute(select(of_order.is_active, of_order.raw)).one()
        assert active is True
        assert (raw if isinstance(raw, dict) else json.loads(raw)) == order
        lines = select(of_line.position, of_line.quantity, of_line.price_in_vat_cents, of_line.vat_percentage)
        assert connection.execute(lines.order_by(of_line.position)).all() == [
            (0, Decimal("0.1"), 995, Decimal(21)),
            (1, None, None, None),
        ]
        found = connection.execute(lines.where(of_line.vat_percentage == Decimal(21))).all()
        assert len(found) == 1


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("2025-07-01 09:00:01", "second"),
        ("2025-07-01 09:00:00", "second"),
        ("2025-07-01 08:59:59", "first"),
        (None, "second"),
    ],
)
async def test_an_older_copy_never_overwrites_a_newer_one(
    url: str, second: str | None, expected: str
) -> None:
    first = version("first", "2025-07-01 09:00:00")
    await stored(url, (first, {"workshop_order_id": 2}))
    again = await stored(url, (version("second", second),))
    assert rows(url, "select repair_description from workshop_orders where workshop_order_id = 1") == [
        (expected,)
    ]
    assert rows(url, "select description from workshop_order_items") == [(expected,)]
    seen = rows(url, "select workshop_order_id, run_id from cyclesoft_seen order by 1")
    assert seen == [(1, again.run_id), (2, again.run_id - 1)], "an older copy shows that the order exists"


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_of_copies_in_one_transaction_the_newest_counts(url: str, order: tuple[int, ...]) -> None:
    copies = [version(str(hour), f"2025-07-01 0{hour}:00:00") for hour in range(3)]
    async with Store(url).open() as writer:
        run = await begin(writer)
        pages = [page_of(copies[hour], version("other", None, key=2)) for hour in order]
        await writer.run(runs.store_pages, run.run_id, pages, requests=3)
    assert rows(url, "select description from workshop_order_items order by workshop_order_id") == [
        ("2",),
        ("other",),
    ]


async def test_an_order_loses_its_lines_when_the_newer_copy_has_none(url: str) -> None:
    await stored(url, (version("first", None),), ({"workshop_order_id": 1, "order_items": []},))
    assert rows(url, "select count(*) from workshop_order_items") == [(0,)]
    assert rows(url, "select repair_description from workshop_orders") == [(None,)]


async def test_many_orders_with_many_lines(url: str) -> None:
    orders = [
        {"workshop_order_id": key, "order_items": [{"item_id": key * 100 + n} for n in range(key % 5)]}
        for key in range(517, 0, -1)
    ]
    await stored(url, tuple(orders), tuple(orders[100:]))
    assert rows(url, "select count(*) from workshop_orders") == [(517,)]
    wrong = (
        "select count(*), sum(abs(item_id - workshop_order_id * 100 - position)) from workshop_order_items"
    )
    assert rows(url, wrong) == [(sum(key % 5 for key in range(1, 518)), 0)]


async def test_texts_that_a_database_could_choke_on(url: str) -> None:
    hostile = (
        b'{"workshop_order_id": 1, "repair_description": "tab\\t line\\n back\\\\slash \\\\N \\u0000 end",'
        b'"order_items": [{"description": "\\u0000\xf0\x9f\x9a\xb2"}], "unknown": "\xff"}'
    )
    await stored(url, (hostile,))
    assert rows(url, "select repair_description from workshop_orders") == [
        ("tab\t line\n back\\slash \\N  end",)
    ]
    assert rows(url, "select description from workshop_order_items") == [("🚲",)]
    [(raw,)] = rows(url, "select raw from workshop_orders")
    assert (raw if isinstance(raw, dict) else json.loads(str(raw)))["unknown"] == "\N{REPLACEMENT CHARACTER}"


async def test_a_nul_that_was_not_escaped_is_dropped(url: str) -> None:
    """Only a lenient parser takes such JSON."""
    hostile = (
        b'{"workshop_order_id": 1, "repair_description": "a\0b", "order_items": [{"description": "c\0d"}]}'
    )
    await stored(url, (hostile,))
    assert rows(url, "select repair_description from workshop_orders") == [("ab",)]
    assert rows(url, "select description from workshop_order_items") == [("cd",)]
    [(raw,)] = rows(url, "select raw from workshop_orders")
    assert (raw if isinstance(raw, dict) else json.loads(str(raw)))["repair_description"] == "ab"


async def test_texts_that_mean_something_in_an_array(url: str) -> None:
    texts = [
        "",
        "NULL",
        "null",
        "{}",
        "{a,b}",
        "a,b",
        '"',
        "\\",
        '\\"',
        "\\\\",
        "'",
        " led",
        "%s",
        "\r\n",
        "\x01",
        "é",
        None,
    ]
    await stored(
        url,
        tuple({"workshop_order_id": key, "repair_description": text} for key, text in enumerate(texts, 1)),
    )
    found = rows(url, "select repair_description from workshop_orders order by workshop_order_id")
    assert [text for (text,) in found] == texts


async def test_rows_that_cannot_be_read_are_rejected(url: str) -> None:
    bad: dict[str, object] = {"workshop_order_id": 2, "order_items": [{}, "veel"]}
    async with Store(url).open() as writer:
        run = await begin(writer)
        rejected = await write(writer, run, {"workshop_order_id": 1}, bad)
        found = await last_run(writer)
    assert rejected == 1
    assert found is not None
    assert (found.orders, found.rejected) == (1, 1)
    columns = "raw, path, reason, run_id, workshop_order_id"
    [(raw, path, reason, *keys)] = rows(url, f"select {columns} from rejected_rows")  # noqa: S608
    assert isinstance(raw, bytes)
    assert json.loads(raw) == bad
    assert (path, keys) == ("$.order_items[1]", [run.run_id, 2])
    assert reason == "Expected `object`, got `str` - at `$.order_items[1]`"


@pytest.mark.parametrize(
    "too_large",
    [
        {"customer_id": 2**63},
        {"datetime_created": "0001-01-01 00:00:00"},
        {"datetime_modified": "9999-12-31T23:59:59-05:00"},
        {"order_items": [{}, {"item_id": -(2**64)}]},
    ],
)
async def test_a_value_too_large_for_the_database_rejects_only_its_order(
    url: str, too_large: dict[str, object]
) -> None:
    orders = [version("fits", None, key) for key in range(5)]
    orders[2] |= too_large
    async with Store(url).open() as writer:
        run = await begin(writer)
        assert await write(writer, run, *orders, orders[2]) == 1, "it came twice"
        assert await write_single(writer, decoded(orders[2])) == 1
    good = [(0,), (1,), (3,), (4,)]
    assert rows(url, "select workshop_order_id from workshop_orders order by 1") == good
    assert rows(url, "select workshop_order_id from workshop_order_items order by 1") == good
    assert rows(url, "select path, reason, run_id from rejected_rows order by id") == [
        ("$", "a value is too large for the database", run.run_id),
        ("$", "a value is too large for the database", None),
    ]


async def test_rejected_rows_are_tried_again(url: str) -> None:
    newer = version("stays", "2025-07-01 12:00:00", key=3)
    await stored(url, (newer, b'{"workshop_order_id": "?"}'))
    # As an earlier version, which could read less, left them.
    rows_left = [
        version("now read", None),
        version("older", "2025-07-01 11:00:00", key=3),
        {"workshop_order_id": 9**30},
    ]
    rejected = [
        RejectedRow(index=n, raw=json.dumps(row).encode(), reason="?") for n, row in enumerate(rows_left)
    ]
    page = Page[WorkshopOrder](items=[], rejected=rejected, cursor=None, body=raw_page())
    async with Store(url).open() as writer:
        run = await begin(writer)
        await writer.run(runs.store_pages, run.run_id, [replace(page_of(), page=page)], requests=1)
    assert await Store(url).retry_rejected() == RetriedRows(stored=2, rejected=2)
    assert await Store(url).retry_rejected() == RetriedRows(stored=0, rejected=2)
    assert rows(url, "select count(*) from rejected_rows") == [(2,)]
    assert rows(url, "select workshop_order_id, description from workshop_order_items order by 1") == [
        (1, "now read"),
        (3, "stays"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:p@canary@host/orders",
        "postgresql://me:p@x:canary@host/orders",
        "postgresql://me@host:canary/orders",
    ],
)
def test_an_url_that_is_none_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        Store(url)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_password_among_the_parameters_is_not_shown() -> None:
    store = Store("postgresql:///orders?user=me&password=canary&sslpassword=canary")
    assert repr(store) == "Store('postgresql:///orders')"


@given(st.datetimes(min_value=YEAR_2), st.sampled_from([None, UTC, AMSTERDAM]))
@example(datetime.fromisoformat("2025-03-30 02:30"), None)
@example(datetime.fromisoformat("2025-10-26 02:30"), None)
@example(datetime.fromisoformat("2025-07-01 00:30"), None)
@example(datetime.fromisoformat("9999-12-31 00:00"), None)
@example(datetime.fromisoformat("1937-07-01 00:00"), None)
def test_times_are_written_as_the_models_show_them(wire: datetime, zone: tzinfo | None) -> None:
    shown = in_amsterdam(wire.replace(tzinfo=zone))
    text = utc_text(shown)
    assert text is not None
    assert datetime.fromisoformat(text).replace(tzinfo=UTC) == shown.astimezone(UTC)
    assert len(text) == len("2025-07-01 07:30:00.000000"), "or they could not be compared as text"


def test_no_time_is_no_text() -> None:
    assert utc_text(None) is None


async def test_the_view_shows_the_times_of_a_dutch_clock(url: str) -> None:
    """Around every change of the clock, and at moments of any kind, until 2060."""
    changes = [
        datetime(year, month, day, 1, tzinfo=UTC)
        for year in range(1996, 2060)
        for month in (3, 10)
        for day in [max(d for d in range(25, 32) if date(year, month, d).weekday() == SUNDAY)]
    ]
    near = [change + timedelta(seconds=s) for change in changes for s in (-3601, -1, 0, 3599, 3600)]
    first = datetime(1996, 1, 1, tzinfo=UTC)
    anywhen = [first + timedelta(hours=7.3 * n) for n in range(0, 76_000, 199)]
    moments = near + anywhen
    await stored(
        url,
        tuple(
            {"workshop_order_id": key, "datetime_created": moment.isoformat(sep=" ")}
            for key, moment in enumerate(moments)
        ),
    )
    shown = rows(url, "select datetime_created from workshop_orders_amsterdam order by workshop_order_id")
    assert [str(wall) for (wall,) in shown] == [
        str(moment.astimezone(AMSTERDAM).replace(tzinfo=None)) for moment in moments
    ]


@pytest.mark.parametrize(
    "url_text", ["", "orders.db", "mysql://u:secret@h/db", "postgresql+asyncpg://u:secret@h/d"]
)
def test_what_is_no_url_of_a_store(url_text: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        Store(url_text)
    assert "secret" not in str(caught.value)


def test_other_users_of_a_postgres_database_need_its_password() -> None:
    store = Store("postgresql+psycopg://shop:geheim@db.example/orders?sslmode=require")
    assert store.postgres_url == "postgresql://shop:geheim@db.example/orders?sslmode=require"
    with pytest.raises(errors.UsageError, match="needs a store in PostgreSQL"):
        _ = Store("sqlite:///orders.db").postgres_url


def test_what_a_store_says_of_itself_names_no_password() -> None:
    assert repr(Store("sqlite:///a.db")) == "Store('sqlite:///a.db')"
    assert (
        repr(Store("postgresql://shop:secret@db.example/orders")) == "Store('postgresql://db.example/orders')"
    )
