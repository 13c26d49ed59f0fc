"""Exports of a store in SQLite and in PostgreSQL, read back."""

import json
import sqlite3
import stat
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from cyclesoft_async import CycleSoftSession, errors
from cyclesoft_async.bulksync import ALL_TABLES, Store, sync
from cyclesoft_async.bulksync.export.export import EXPORTABLE, Format, export
from cyclesoft_async.bulksync.export.files import MANIFEST
from cyclesoft_async.bulksync.store import runs
from cyclesoft_async.bulksync.store.runs import RefetchedOrders
from cyclesoft_async.sandbox import Sandbox
from tests.support.exports import plain_text, read_csv, read_parquet
from tests.support.store import SQLITE, rows, stored
from tests.support.sync import LIMITLESS

FORMATS: tuple[Format, ...] = ("parquet", "csv")
ITEMS = "workshop_order_items"
TEXTS = [
    "=HYPERLINK(1)",
    "+31 6 12345678",
    "-1",
    "@x",
    "\tx",
    "\rx",
    "'=x",
    "'s-Hertogenbosch",
    'a "b",\r\nc;d',
    "fiets \N{BICYCLE}",
    "",
    None,
]
ORDER: dict[str, object] = {
    "workshop_order_id": 7,
    "is_active": True,
    "datetime_scheduled_start": "2025-07-01 09:30:00",
    "total_repair_time_minutes": -15,
    "order_items": [
        {"description": text, "quantity": -0.25, "vat_percentage": 21, "price_in_vat_cents": -995}
        for text in TEXTS
    ],
}


async def test_all_tables_and_views_are_read_back(url: str, tmp_path: Path) -> None:
    async with (
        Sandbox(orders=400, minutely_limit=LIMITLESS, daily_limit=LIMITLESS) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        await sync(cs, Store(url), ALL_TABLES, date_from=sandbox.first_day, date_until=sandbox.last_day)
    counts = {kind: export(Store(url), tmp_path / "out", file_format=kind) for kind in FORMATS}
    for name, table in EXPORTABLE.items():
        columns = ", ".join(column.name for column in table.columns)
        keys = ", ".join(column.name for column in table.primary_key)
        there = rows(url, f"select {columns} from {name} order by {keys}")  # noqa: S608
        read = read_parquet(tmp_path / "out" / f"{name}.parquet")
        assert counts["parquet"][f"{name}.parquet"] == counts["csv"][f"{name}.csv"] == len(there)
        assert there, name
        for row, expected in zip(read, there, strict=True):
            assert list(row) == [column.name for column in table.columns]
            for column, value, stored_value in zip(row, row.values(), expected, strict=True):
                assert is_same(value, stored_value), (name, column, value, stored_value)
        for line, row in zip(read_csv(tmp_path / "out" / f"{name}.csv"), read, strict=True):
            for field, value in zip(line.values(), row.values(), strict=True):
                assert from_field(field, value) == (value or None if isinstance(value, str) else value)


def is_same(value: object, stored_value: object) -> bool:
    """Whether the value of a file is the one that the database's own driver returns."""
    if isinstance(value, bool):
        return stored_value is not None and value == bool(stored_value)
    if isinstance(value, Decimal):
        return value == Decimal(str(stored_value))
    if isinstance(value, datetime) and isinstance(stored_value, str):
        return value == datetime.fromisoformat(stored_value).replace(tzinfo=value.tzinfo)
    if isinstance(value, date) and isinstance(stored_value, str):
        return value.isoformat() == stored_value
    if isinstance(value, str) and not isinstance(stored_value, str):
        return bool(json.loads(value) == stored_value)
    return value == stored_value


def from_field(field: str, like: object) -> object:
    """Return the value of a CSV field; the module `csv` cannot tell NULL from empty text."""
    if field == "":
        return None
    readers: Mapping[type, Callable[[str], object]] = {
        bool: {"true": True, "false": False}.__getitem__,
        int: int,
        Decimal: Decimal,
        datetime: datetime.fromisoformat,
        date: date.fromisoformat,
    }
    return readers.get(type(like), plain_text)(field)


@pytest.mark.parametrize("kind", FORMATS)
async def test_awkward_text_and_deleted_rows(url: str, kind: Format, tmp_path: Path) -> None:
    """Numbers stay numbers, also negative ones."""
    await stored(url, (ORDER, ORDER | {"workshop_order_id": 8}))
    async with Store(url).open() as writer:
        gone = RefetchedOrders(requested=[8], found=(), unreadable=(), deleted=[8])
        await writer.run(runs.store_refetched, gone, None)
    export(Store(url), tmp_path, file_format=kind, names=["workshop_orders", ITEMS])
    if kind == "parquet":
        orders = read_parquet(tmp_path / "workshop_orders.parquet")
        assert orders[0]["datetime_scheduled_start"] == datetime(2025, 7, 1, 7, 30, tzinfo=UTC)
        assert [(each["is_active"], each["deleted_at"] is None) for each in orders] == [
            (True, True),
            (False, False),
        ]
        assert json.loads(orders[0]["raw"])["total_repair_time_minutes"] == -15
        lines = read_parquet(tmp_path / f"{ITEMS}.parquet")[: len(TEXTS)]
        assert [line["description"] for line in lines] == TEXTS
        assert {(line["quantity"], line["price_in_vat_cents"]) for line in lines} == {
            (Decimal("-0.25"), -995)
        }
        return
    fields = read_csv(tmp_path / "workshop_orders.csv")
    assert [each["is_active"] for each in fields] == ["true", "false"]
    assert [bool(each["deleted_at"]) for each in fields] == [False, True]
    assert fields[0]["total_repair_time_minutes"] == "-15"
    items = read_csv(tmp_path / f"{ITEMS}.csv")[: len(TEXTS)]
    assert [plain_text(item["description"]) for item in items] == [text or "" for text in TEXTS]
    assert items[0]["description"] == "'=HYPERLINK(1)"
    assert {(item["quantity"], item["price_in_vat_cents"]) for item in items} == {("-0.25", "-995")}


async def test_files_are_private_and_replaced_together(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    await stored(url, (ORDER,))
    export(Store(url), folder, file_format="csv", names=["workshop_orders", ITEMS])
    before = (folder / "workshop_orders.csv").read_bytes()
    await stored(url, (ORDER | {"workshop_order_id": 8},))
    export(Store(url), folder, file_format="csv", names=["workshop_orders"])
    assert len(read_csv(folder / "workshop_orders.csv")) == 2
    assert (folder / "workshop_orders.csv").read_bytes() != before
    names = ["cyclesoft-export.json", "workshop_order_items.csv", "workshop_orders.csv"]
    assert sorted(file.name for file in folder.iterdir()) == names
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    listed = json.loads((folder / MANIFEST).read_bytes())["files"]
    assert {name: each["rows"] for name, each in listed.items()} == {
        "workshop_order_items.csv": len(TEXTS),
        "workshop_orders.csv": 2,
    }


@pytest.mark.parametrize("name", ["workshop_orders.csv", MANIFEST])
async def test_a_file_of_others_is_not_overwritten(url: str, tmp_path: Path, name: str) -> None:
    """Not even in part: no other file is written either."""
    await stored(url, (ORDER,))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(errors.UsageError, match=f"{name}.*move it away"):
        export(Store(url), folder, file_format="csv", names=[ITEMS, "workshop_orders"])
    assert {file.name: file.read_text() for file in folder.iterdir()} == {name: "mine"}


async def test_a_failed_export_leaves_the_earlier_files(tmp_path: Path) -> None:
    """The value that cannot be read is not in the error."""
    file = tmp_path / "orders.db"
    await stored(f"{SQLITE}{file}", (ORDER,))
    store = Store(f"{SQLITE}{file}")
    export(store, tmp_path / "out", file_format="csv", names=["workshop_orders"])
    before = {each.name: each.read_bytes() for each in (tmp_path / "out").iterdir()}
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update workshop_orders set datetime_modified = 'canary'")
    with pytest.raises(errors.StoreError, match="workshop_orders has a value that is not") as failure:
        export(store, tmp_path / "out", file_format="csv", names=[ITEMS, "workshop_orders"])
    assert failure.value.__context__ is None
    assert {each.name: each.read_bytes() for each in (tmp_path / "out").iterdir()} == before


async def test_a_decimal_too_long_for_parquet_is_named(postgres: str, tmp_path: Path) -> None:
    """CSV has it; digits beyond the 18th of the fraction are rounded away in Parquet."""
    await stored(postgres, (ORDER,))
    third, huge = Decimal("0.3333333333333333333"), Decimal("1e25")
    with psycopg.connect(postgres) as connection:
        connection.execute("update workshop_order_items set quantity = %s", [third])
    export(Store(postgres), tmp_path, file_format="parquet", names=[ITEMS])
    assert read_parquet(tmp_path / f"{ITEMS}.parquet")[0]["quantity"] == Decimal("0.333333333333333333")
    with psycopg.connect(postgres) as connection:
        connection.execute("update workshop_order_items set quantity = %s", [huge])
    with pytest.raises(errors.StoreError, match=f"{ITEMS}.quantity has a number of more than 20 digits"):
        export(Store(postgres), tmp_path, file_format="parquet", names=[ITEMS])
    export(Store(postgres), tmp_path, file_format="csv", names=[ITEMS])
    assert Decimal(read_csv(tmp_path / f"{ITEMS}.csv")[0]["quantity"]) == huge


async def test_all_files_show_one_moment(url: str) -> None:
    """What is written while a snapshot is open waits for nothing, and is not in it."""
    await stored(url, (ORDER,))
    with Store(url).snapshot() as snapshot:
        assert [len(batch) for batch in snapshot.batches(EXPORTABLE["workshop_orders"], 10)] == [1]
        await stored(url, (ORDER | {"workshop_order_id": 8},))
        assert [len(batch) for batch in snapshot.batches(EXPORTABLE[ITEMS], 5)] == [5, 5, 2]
    with Store(url).snapshot() as snapshot:
        assert [len(batch) for batch in snapshot.batches(EXPORTABLE[ITEMS], 20)] == [20, 4]


def test_a_database_without_tables_is_left_as_it_is(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(errors.StoreError, match="cyclesoft sync --to"):
        export(Store(url), folder, file_format="csv")
    assert not folder.exists()
    assert not (tmp_path / "orders.db").exists()
