"""Lists without days: stopped, shortened, repeated and refused by the server."""

import pytest
from aiohttp import web

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.bulksync import Store, SyncSuspicious, TablesReport, sync
from cyclesoft_async.errors import PaginationError, ServerError
from tests.support.loopback import served
from tests.support.store import rows

SIZE = 10


class Shop:
    """A server that has customers only."""

    def __init__(self, customers: int) -> None:
        self.customers = dict.fromkeys(range(1, customers + 1), "Jansen")
        self.hidden: set[int] = set()
        self.asked: list[str] = []
        self.fails_at: str | None = None
        self.refuses: str | None = None
        self.repeats = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if not request.path.endswith("list.json"):
            number = int(request.path.rpartition("/")[2].removesuffix(".json"))
            if number not in self.customers:
                return web.json_response({"error": True, "error_message": "Customer not found"}, status=404)
            return web.json_response(self.customer(number))
        offset = request.query.get("offset", "0")
        if offset == self.fails_at:
            return web.json_response({"error": True, "error_message": "try later"}, status=500)
        if offset == self.refuses:
            return web.json_response({"error": True, "error_message": "offset is invalid"}, status=400)
        shown = [number for number in self.customers if number not in self.hidden]
        end = int(offset) + SIZE
        following = (0 if self.repeats else end) if end < len(shown) else None
        return web.json_response(
            {
                "error": False,
                "customers": [self.customer(number) for number in shown[int(offset) : end]],
                "pagination": {"count": SIZE, "next_offset": following},
            }
        )

    def customer(self, number: int) -> dict[str, object]:
        return {"customer_id": number, "name": self.customers[number], "phone_numbers": []}


async def run(
    shop: Shop, url: str, *, resume: bool | None = None, accept_missing: bool = False
) -> TablesReport:
    shop.asked.clear()
    async with (
        served(shop.answer) as base_url,
        CycleSoftSession("user", "pass", base_url=base_url, retries=RetryPolicy.none()) as cs,
    ):
        return await sync(
            cs, Store(url, adopt=True), ["customers"], resume=resume, accept_missing=accept_missing
        )


def there(url: str) -> list[object]:
    found = rows(url, "select customer_id from customers where deleted_at is null order by 1")
    return [number for (number,) in found]


async def test_a_stopped_list_resumes_at_its_page(url: str) -> None:
    shop = Shop(55)
    shop.fails_at = "30"
    with pytest.raises(ServerError):
        await run(shop, url)
    assert there(url) == list(range(1, 31)), "what was read is stored"
    shop.fails_at = None
    await run(shop, url)
    assert len(shop.asked) == 3, "pages 4 to 6"
    assert there(url) == list(shop.customers)


async def test_a_row_that_the_server_lacks_is_marked_and_comes_back(url: str) -> None:
    shop = Shop(25)
    await run(shop, url)
    gone = shop.customers.pop(7)
    report = await run(shop, url, resume=False)
    assert (report.tables["customers"].deleted, 7 in there(url)) == (1, False)
    assert "/api/v1/customers/7.json" in shop.asked, "a list alone is no proof"
    shop.customers[7] = gone
    await run(shop, url, resume=False)
    assert there(url) == sorted(shop.customers)


async def test_a_list_that_hides_rows_marks_none(url: str) -> None:
    shop = Shop(40)
    await run(shop, url)
    shop.hidden = set(range(11, 31))
    shop.customers.pop(12)
    with pytest.raises(SyncSuspicious, match=r"lacks 20 known rows, and 19 of 20"):
        await run(shop, url, resume=False)
    assert there(url) == list(range(1, 41))
    report = await run(shop, url, resume=False, accept_missing=True)
    assert report.tables["customers"].deleted == 1
    assert there(url) == sorted(shop.customers)


async def test_an_empty_list_does_not_empty_the_table(url: str) -> None:
    shop = Shop(30)
    await run(shop, url)
    shop.hidden = set(shop.customers)
    with pytest.raises(SyncSuspicious):
        await run(shop, url, resume=False)
    assert there(url) == list(shop.customers)


async def test_a_repeated_cursor_is_an_error(url: str) -> None:
    shop = Shop(30)
    shop.repeats = True
    with pytest.raises(PaginationError, match="repeated a cursor"):
        await run(shop, url)


async def test_a_cursor_that_is_refused_later_costs_a_new_beginning(url: str) -> None:
    shop = Shop(55)
    shop.fails_at = "30"
    with pytest.raises(ServerError):
        await run(shop, url)
    shop.fails_at, shop.refuses = None, "30"
    shop.customers = dict.fromkeys(range(1, 26), "Jansen")
    await run(shop, url)
    assert there(url) == list(range(1, 26)), "customers 26 to 30 are gone, too"
