"""Orders that a run has seen, beside other runs and with rows that cannot be read; in both databases."""

import json

from cyclesoft_async.bulksync import Store
from cyclesoft_async.bulksync.store import runs
from tests.support.store import begin, decoded, finish, missing, rows, stored, write, write_single


def order(key: int, hour: int = 9) -> dict[str, object]:
    return {
        "workshop_order_id": key,
        "customer_id": 5,
        "datetime_scheduled_start": "2025-07-01 09:00:00",
        "datetime_modified": f"2025-07-01 {hour:02}:00:00",
    }


def unreadable(key: object, lines: object = "none") -> bytes:
    return json.dumps({"workshop_order_id": key, "order_items": lines}).encode()


async def test_an_order_that_a_later_run_sees_is_not_missing_for_an_earlier_one(url: str) -> None:
    await stored(url, tuple(order(key) for key in (1, 2, 3)))
    async with Store(url).open() as writer:
        earlier, later = await begin(writer), await begin(writer)
        # The second comes in an older copy, which changes nothing else.
        await write(writer, later, order(1), order(2, hour=8))
        assert await missing(writer, earlier) == [3]
        for hour in (9, 8):
            await write(writer, earlier, *(order(key, hour) for key in (1, 2, 3)))
            assert await missing(writer, later) == [3]
        assert await missing(writer, earlier) == []


async def test_orders_that_cannot_be_read_any_more_are_seen_all_the_same(url: str) -> None:
    await stored(url, tuple(order(key) for key in (1, 2, 3, 4)))
    async with Store(url).open() as writer:
        run = await begin(writer)
        await write(writer, run, unreadable(1), unreadable("2"), unreadable("?"), unreadable(2**70))
        assert await missing(writer, run) == [3, 4]
        too_large = decoded(order(3) | {"status_id": 2**63})
        assert await write_single(writer, too_large, run=run) == 1
        assert await missing(writer, run) == [4]
        found = await writer.run(runs.current_run, run.run_id)
    assert found is not None
    assert found.rejected == 5
    ids = rows(url, "select workshop_order_id from rejected_rows order by id")
    assert ids == [(1,), (2,), (None,), (None,), (3,)]


async def test_a_finished_run_deletes_older_rows_that_it_received_again(url: str) -> None:
    async with Store(url).open() as writer:
        first = await begin(writer)
        await write(writer, first, *(unreadable(key) for key in (1, 2, 3, "?", "!")))
        await write_single(writer, decoded(order(4) | {"status_id": 2**63}))
        await finish(writer, first, 0)
        second = await begin(writer)
        await write(writer, second, order(1), unreadable(2, 7), order(4), unreadable("?"))
        # While it runs, a webhook brings what is newer than the copy that it has read.
        await write_single(writer, decoded(order(1) | {"status_id": 2**63}))
        await finish(writer, second, 0)
    assert rows(url, "select workshop_order_id, run_id from rejected_rows order by id") == [
        (3, first.run_id),  # neither the list nor the table of orders has it: this is the only copy
        (None, first.run_id),
        (2, second.run_id),
        (None, second.run_id),
        (1, None),
    ]
