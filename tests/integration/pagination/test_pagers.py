"""The five ways to a next page, with filters on every page, resumed from a stored cursor."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec import Struct

from cyclesoft_async.errors import PaginationError, UsageError
from cyclesoft_async.pagination import (
    Pager,
    next_link,
    next_offset,
    next_page_number,
    next_resultset,
    next_url,
)
from tests.support.http_server import answering, failure, session, wire

PATH = "/api/v1/things.json"
S01 = f"https://s01.cyclesoftware.nl{PATH}"
Tails = Callable[[int], dict[str, object]]


class Thing(Struct, frozen=True):
    """A row."""

    thing_id: int


PAGERS: dict[str, tuple[Pager, Tails, Tails]] = {
    "next_url": (
        next_url,
        lambda page: {"pagination": {"next_url": f"{S01}?store=1&token={page}"}},
        lambda _: {"pagination": {"next_url": None}},
    ),
    "next_link": (
        next_link,
        lambda page: {"pagination": {"next": f"{S01}?store=1&token={page}", "previous": None}},
        lambda _: {"pagination": {"next": None}},
    ),
    "next_resultset": (
        next_resultset,
        lambda page: {"next_resultset": f"{PATH}?store=1&token={page}", "results": 1},
        lambda _: {"next_resultset": None},
    ),
    "next_offset": (
        next_offset,
        lambda page: {"pagination": {"count": 1, "next_offset": page}},
        lambda _: {"pagination": {"count": 1, "next_offset": None}},
    ),
    "next_page_number": (
        next_page_number,
        lambda page: {"pagination": {"page": page, "has_next_page": True}},
        lambda page: {"pagination": {"page": page, "has_next_page": False}},
    ),
}


@pytest.mark.parametrize("name", PAGERS)
@pytest.mark.parametrize("key", ["data", "things"])
async def test_three_pages_and_a_stored_cursor(name: str, key: str) -> None:
    follow, more, last = PAGERS[name]
    pages = [{key: [{"thing_id": page}], **(more if page < 3 else last)(page)} for page in (1, 2, 3)]
    async with answering(*map(wire, [*pages, pages[2]])) as server, session(server.url) as cs:
        things = cs.paginate("GET", PATH, row=Thing, key=key, follow=follow, params={"store": 1})
        read = [page async for page in things.pages()]
        stored = read[1].cursor
        assert stored is not None
        rest = await cs.paginate("GET", PATH, row=Thing, key=key, follow=follow, cursor=stored)
        with pytest.raises(UsageError, match="cursor cannot be combined with filters"):
            cs.paginate("GET", PATH, row=Thing, params={"store": 1}, cursor=stored)
    assert [[item.thing_id for item in page.items] for page in read] == [[1], [2], [3]]
    assert read[2].cursor is None
    assert [item.thing_id for item in rest.items] == [3]
    targets = [urlsplit(request.target) for request in server.requests]
    assert {target.path for target in targets} == {PATH}
    assert all(dict(parse_qsl(target.query))["store"] == "1" for target in targets)
    assert targets[2] == targets[3]
    assert len(set(targets)) == 3


@pytest.mark.parametrize("name", PAGERS)
async def test_an_empty_page_ends_a_list_of_results_only(name: str) -> None:
    follow, more, last = PAGERS[name]
    bodies: list[dict[str, object]] = [
        {"data": [{"thing_id": 1}], **more(1)},
        {"data": [], **more(2)},
        {"data": [], **last(3)},
    ]
    async with answering(*map(wire, bodies)) as server, session(server.url) as cs:
        things = await cs.paginate("GET", PATH, row=Thing, follow=follow).collect()
    assert things == [Thing(1)]
    assert len(server.requests) == (2 if name == "next_resultset" else 3)


@pytest.mark.parametrize("name", PAGERS)
async def test_a_repeated_cursor_is_an_error(name: str) -> None:
    follow, more, _ = PAGERS[name]
    body = wire({"data": [{"thing_id": 1}], **more(7)})
    async with answering(body) as server, session(server.url) as cs:
        error = await failure(cs.paginate("GET", PATH, row=Thing, follow=follow).collect(), PaginationError)
    assert "the server repeated a cursor" in str(error)
    assert len(server.requests) == 2


async def test_an_offset_as_text_beside_an_odd_row() -> None:
    body = wire({"data": [{"thing_id": "1"}], "pagination": {"next_offset": "2"}})
    async with answering(body) as server, session(server.url) as cs:
        page = await cs.paginate("GET", PATH, row=Thing, follow=next_offset, params={"offset": 0})
    assert page.cursor == f"{PATH}?offset=2"
