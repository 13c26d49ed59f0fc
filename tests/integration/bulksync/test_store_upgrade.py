"""Upgrade of stored rows from version 4: in slices, resumably, and without loss of what users added."""

import json
from itertools import count
from typing import Any

import anyio
import pytest

from cyclesoft_async.bulksync import Store
from cyclesoft_async.bulksync.resources import ALL
from cyclesoft_async.bulksync.store import slices, upgrade
from cyclesoft_async.bulksync.store.transaction import Transaction
from cyclesoft_async.errors import StoreError
from tests.support.postgres import Server
from tests.support.store import begin, load_version_4, rows, write

ORDER_1 = {
    "workshop_order_id": 1,
    "customer_id": 1001,
    "is_active": True,
    "status_id": 7,
    "status_text": "Gereed",
    "phone_number_id": "mob",
    "datetime_scheduled_start": "2025-07-01 09:30:00",
    "datetime_modified": "2025-07-01 08:00:00",
    "order_items": [
        {"item_id": 1, "quantity": 2.5, "vat_percentage": 21, "barcode": "8712"},
        {"item_id": 2, "quantity": 10},
    ],
}


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


async def upgraded(url: str) -> None:
    async with Store(url).open():
        pass


async def test_rows_of_version_4_become_those_of_this_version(url: str) -> None:
    load_version_4(url)
    await upgraded(url)
    assert rows(url, "select count(*) from cyclesoft_upgrade") == [(0,)]
    [(quantity, more)] = rows(
        url, "select sum(quantity), count(*) from workshop_order_items where quantity > 5"
    )
    assert (float(str(quantity)), more) == (10.0, 1)
    raws: dict[object, Any] = {
        key: raw if isinstance(raw, dict) else json.loads(str(raw))
        for key, raw in rows(url, "select workshop_order_id, raw from workshop_orders")
    }
    assert raws[1] == ORDER_1
    assert raws[2]["repair_description"] == "half way \N{REPLACEMENT CHARACTER}"
    stamped = (
        "select workshop_order_id from workshop_orders"
        " where first_seen_at is not null and synced_at is not null and raw_hash is not null order by 1"
    )
    assert rows(url, stamped) == [
        (1,),
        (2,),
        (3,),
    ]
    assert rows(url, "select workshop_order_id from workshop_orders where deleted_at is not null") == [(3,)]
    assert rows(url, "select workshop_order_id, status_text from ready_for_pickup") == [(1, "Gereed")]
    json_type = "json_extract(raw, '$.status_id')" if is_sqlite(url) else "(raw->>'status_id')::int"
    of_raw = f"select {json_type} from workshop_orders where workshop_order_id = 1"  # noqa: S608
    assert rows(url, of_raw) == [(7,)]
    if is_sqlite(url):
        assert rows(url, "pragma integrity_check") == [("ok",)]
        kinds = "select distinct typeof(quantity) from workshop_order_items"
        assert rows(url, kinds) == [("real",)]


async def test_columns_of_version_4_become_those_of_a_new_store_in_postgres(
    postgres: str, postgres_server: Server
) -> None:
    load_version_4(postgres)
    new = postgres_server.database()
    for url in (postgres, new):
        await upgraded(url)
    columns = (
        "select table_name, column_name, data_type, is_nullable from information_schema.columns"
        " where table_schema = 'public' order by 1, 2"
    )
    assert rows(postgres, columns) == rows(new, columns)


async def test_an_upgraded_row_that_did_not_change_is_not_written_again(url: str) -> None:
    load_version_4(url)
    await upgraded(url)
    before = rows(url, "select synced_at from workshop_orders where workshop_order_id = 1")
    async with Store(url).open() as writer:
        await write(writer, await begin(writer), json.dumps(ORDER_1).encode())
    assert rows(url, "select synced_at from workshop_orders where workshop_order_id = 1") == before


async def test_an_interrupted_upgrade_is_resumed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "_ROWS", 1)
    load_version_4(url)
    step, steps = upgrade.next_step, count()

    def stop_after_three(tx: Transaction) -> bool:
        if next(steps) == 3:
            raise StoreError("the power is out")
        return step(tx)

    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "next_step", stop_after_three)
        with pytest.raises(StoreError, match="power"):
            await upgraded(url)
    async with Store(url).open_if_there() as half:
        assert half is None, "a reader does not take half an upgrade for a store"
    await upgraded(url)
    assert rows(url, "select count(*) from workshop_orders where raw_hash is not null") == [(3,)]


async def test_several_processes_may_upgrade_at_once(url: str) -> None:
    load_version_4(url)
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(upgraded, url)
    assert rows(url, "select count(*) from workshop_orders where raw_hash is not null") == [(3,)]


async def test_what_users_added_survives(url: str) -> None:
    load_version_4(url)
    mine = "json_extract(raw, '$.status_id')" if is_sqlite(url) else "raw::json->>'status_id'"
    additions = [
        "alter table workshop_order_items add column mine text default 'kept'",
        "create index mine_by_quantity on workshop_order_items (quantity)",
        f"create view statuses as select workshop_order_id, {mine} as status from workshop_orders",  # noqa: S608
        "create view of_statuses as select * from statuses",
        "create table log (entry text)",
    ]
    if is_sqlite(url):
        additions.append(
            "create trigger logged after insert on workshop_order_items"
            " begin insert into log values ('line ' || new.position); end"
        )
    else:
        additions += [
            "create function note() returns trigger language plpgsql as"
            " $$ begin insert into log values ('line ' || new.position); return null; end $$",
            "create trigger logged after insert on workshop_order_items for each row execute function note()",
            "create role reader",
            "grant select on statuses, workshop_orders_amsterdam to reader",
        ]
    for statement in additions:
        rows(url, statement)
    try:
        await upgraded(url)
        assert rows(url, "select distinct mine from workshop_order_items") == [("kept",)]
        assert [str(status) for _, status in rows(url, "select * from of_statuses order by 1")] == [
            "7",
            "None",
            "7",
        ]
        by_index = "select item_id from workshop_order_items where quantity > 5 order by quantity"
        assert rows(url, by_index) == [(2,)]
        async with Store(url).open() as writer:
            await write(
                writer, await begin(writer), {"workshop_order_id": 9, "order_items": [{"item_id": 1}]}
            )
        assert rows(url, "select entry from log") == [("line 0",)]
        if not is_sqlite(url):
            granted = (
                "select relation from unnest(array['statuses', 'workshop_orders_amsterdam']) relation"
                " where has_table_privilege('reader', relation, 'select') order by 1"
            )
            assert rows(url, granted) == [("statuses",), ("workshop_orders_amsterdam",)]
    finally:
        if not is_sqlite(url):
            rows(url, "drop owned by reader")
            rows(url, "drop role reader")


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("create view texts as select * from workshop_orders where raw like 'band'", "texts"),
        ("create materialized view texts as select raw from workshop_orders", "texts"),
        ("create index by_text on workshop_orders (md5(raw))", "by_text"),
    ],
)
async def test_what_cannot_be_restored_is_named(postgres: str, statement: str, name: str) -> None:
    load_version_4(postgres)
    rows(postgres, statement)
    with pytest.raises(StoreError, match=rf"raw becomes jsonb.*\b{name}\b"):
        await upgraded(postgres)
    kind = statement.removeprefix("create ").partition(f" {name}")[0]
    rows(postgres, f"drop {kind} {name}")
    await upgraded(postgres)
    assert rows(postgres, "select raw->>'status_id' from workshop_orders where workshop_order_id = 1") == [
        ("7",)
    ]


async def test_a_row_that_an_earlier_version_writes_meanwhile_is_not_lost(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_version_4(postgres)
    step, steps = upgrade.next_step, count()

    def write_as_version_4(tx: Transaction) -> bool:
        if next(steps) == 1:  # all orders have been converted
            late = "update workshop_orders set raw = '{\"late\": 1}' where workshop_order_id = 1"
            rows(postgres, late)
            rows(postgres, "update cyclesoft_seen set arrived_at = now() where workshop_order_id = 1")
        return step(tx)

    monkeypatch.setattr(upgrade, "next_step", write_as_version_4)
    await upgraded(postgres)
    assert rows(postgres, "select raw from workshop_orders where workshop_order_id = 1") == [({"late": 1},)]


def test_every_kind_of_row_has_the_bookkeeping_columns() -> None:
    assert all(
        {"raw", "first_seen_at", "synced_at", "deleted_at"} <= set(kind.table.c.keys()) for kind in ALL
    )
