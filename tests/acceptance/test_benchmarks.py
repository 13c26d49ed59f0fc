"""Plumbing of the benchmarks: the shape of their results, never a time."""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from benchmarks import decode, load, mirror, shared
from benchmarks.machine import describe
from benchmarks.measuring import Effort, Goal, Part, Table, turns
from benchmarks.orders import FIRST_DAY, LAST_DAY, page
from benchmarks.page_server import Orders
from benchmarks.peers import times_of
from benchmarks.plotting import plot
from benchmarks.reporting import Results, markdown, put_into
from benchmarks.serving import orders_server
from cyclesoft_async import CycleSoftSession
from cyclesoft_async.quota import Limiter
from cyclesoft_async.webhooks import PostgresInbox, SqliteInbox
from cyclesoft_async.webhooks.inbox import Inbox, State, entries
from tests.support.paths import ROOT

GOALS = 3  # of the part decode


@pytest.fixture(scope="module")
def results() -> Results:
    part = decode.measure(Effort(quick=True), sizes=(2,))
    return Results(machine=describe(), is_quick=True, parts=[part])


def test_every_contender_decodes_the_same_orders_with_times_of() -> None:
    contenders = decode.contenders()
    body = page(3)
    expected = [times_of(order) for order in decode.ours(body)]
    for name, contender in contenders.items():
        times = [times_of(order) for order in contender(body)]
        if name == decode.BARE:
            assert times == [[moment.replace(tzinfo=None) for moment in of_one] for of_one in expected]
        else:
            assert times == expected


def test_the_json_has_every_round(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path / "results.json")
    told = json.loads((tmp_path / "results.json").read_bytes())
    assert told["is_quick"] is True
    assert {"Python", "aiohttp", "msgspec", "nginx", "wrk"} <= set(told["machine"]["versions"])
    [part] = told["parts"]
    times, memory = part["tables"]
    assert part["name"] == "decode"
    assert times["columns"] == memory["columns"] == ["2 orders a page"]
    assert set(times["rows"]) == set(memory["rows"]) == set(decode.contenders())
    assert {len(rounds) for row in times["rows"].values() for rounds in row.values()} == {5}
    assert all(value > 0 for row in times["rows"].values() for rounds in row.values() for value in rounds)
    assert [set(goal) for goal in part["goals"]] == [{"words", "measured", "at_most", "at_least"}] * GOALS


def test_markdown_names_the_command_and_has_a_cell_for_every_contender(results: Results) -> None:
    text = markdown(results)
    assert "### `python -m benchmarks decode --quick`" in text
    assert "not to be quoted" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for name in decode.contenders():
        assert len([row for row in rows if row.startswith(f"| {name} |")]) == 2
    assert len([row for row in rows if row.endswith(("| met |", "| **short** |"))]) == GOALS


def test_the_tables_of_the_measured_parts_are_replaced_in_the_readme(
    results: Results, tmp_path: Path
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(
        "a\n<!-- decode -->\nold\n<!-- end of decode -->\nb\n<!-- sync -->\nkept\n<!-- end of sync -->\n"
    )
    put_into(readme, results)
    text = readme.read_text()
    assert text.startswith("a\n<!-- decode -->\n### `python -m benchmarks decode --quick`")
    assert text.endswith("<!-- end of decode -->\nb\n<!-- sync -->\nkept\n<!-- end of sync -->\n")
    assert "old" not in text


def test_pictures_of_the_documentation(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks.pictures", tmp_path], cwd=ROOT, check=False)
    assert done.returncode == 0
    limiters = (tmp_path / "limiters.svg").read_text()
    assert "cyclesoft_async: 0 refused" in limiters
    assert "aiolimiter: 0 refused" not in limiters
    assert "aiohttp + msgspec, bare" in (tmp_path / "benchmarks.svg").read_text()
    assert "30 Apr" in (tmp_path / "windows.svg").read_text()


def test_the_picture(results: Results, tmp_path: Path) -> None:
    plot(results, tmp_path / "first.svg")
    plot(results, tmp_path / "second.svg")
    picture = (tmp_path / "first.svg").read_text()
    assert "<svg" in picture
    assert picture == (tmp_path / "second.svg").read_text()
    nothing = Results(machine=results.machine, is_quick=True, parts=[Part(name="x", tables=[], goals=[])])
    plot(nothing, tmp_path / "nothing.svg")
    assert not (tmp_path / "nothing.svg").exists()


def test_contenders_take_turns() -> None:
    assert "".join(turns("abc", 4)) == "abcbcacababc"


def test_ratios_are_those_of_the_rounds() -> None:
    table = Table(title="t", unit="u", columns=["c"])
    for ours, theirs in ((2, 1), (6, 3), (9, 9)):
        table.add("ours", "c", ours)
        table.add("theirs", "c", theirs)
    assert table.median("ours", "c") == 6
    assert table.ratio("ours", "c", "theirs") == 2
    assert table.excess("ours", "c", "theirs") == 1


@pytest.mark.parametrize(
    ("goal", "is_met"),
    [
        (Goal(words="w", measured=1, at_most=1), True),
        (Goal(words="w", measured=1.01, at_most=1), False),
        (Goal(words="w", measured=1, at_least=1), True),
        (Goal(words="w", measured=0.99, at_least=1), False),
    ],
)
def test_goals(goal: Goal, *, is_met: bool) -> None:
    assert goal.is_met is is_met


def test_the_page_server_lists_every_order_of_a_range_once() -> None:
    server = Orders(1_000)
    target: str | None = f"/orders.json?date_from={FIRST_DAY}&date_until={FIRST_DAY + timedelta(days=99)}"
    found: list[int] = []
    while target:
        answer = server.answer(target)
        assert answer
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
        found += [order["workshop_order_id"] for order in told["data"]]
        assert {date.fromisoformat(row["datetime_scheduled_start"][:10]).year for row in told["data"]} == {
            2025
        }
        target = told["pagination"]["next_url"]
    assert found == list(range(1_000_000, 1_000_000 + 1_000 * 100 // 365))


def test_the_page_server_refuses_what_is_over_its_limit() -> None:
    server = Orders(1_000, limit=2)
    statuses = [(server.answer("/orders.json") or b"").split(b"\r\n", 1)[0] for _ in range(3)]
    assert statuses == [b"HTTP/1.1 200 OK"] * 2 + [b"HTTP/1.1 429 Too Many Requests"]
    counts = (server.answer("/counts") or b"").partition(b"\r\n\r\n")[2]
    assert json.loads(counts) == {"answered": 2, "refused": 1}


@pytest.mark.parametrize("contender", mirror.CONTENDERS)
def test_every_mirror_has_the_orders(contender: str, url: str, tmp_path: Path) -> None:
    with orders_server(250) as server:
        done = mirror.run(contender, server, mirror.Place(url, str(tmp_path)), 250)
    assert done.seconds > 0
    assert done.megabytes > 0


async def test_the_page_server_in_a_process_of_its_own() -> None:
    with orders_server(250) as url:
        async with CycleSoftSession("user", "pass", base_url=url) as cs:
            orders = await cs.workshop_orders.list(date_from=FIRST_DAY, date_until=LAST_DAY).collect()
        request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        prepared = f"{len(request):8}".encode() + request
        found = await load.main(int(url.rpartition(":")[2]), connections=2, seconds=0.5, requests=prepared)
    assert len({order.workshop_order_id for order in orders}) == 250
    assert found.requests_a_second > 0
    assert found.p99 > 0


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_deliveries_put_into_an_inbox_are_stored_and_then_handled(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    where = tmp_path / "inbox.db" if kind == "sqlite" else str(request.getfixturevalue("postgres"))

    def inbox() -> Inbox:
        return SqliteInbox(where) if isinstance(where, Path) else PostgresInbox(where)

    def states() -> set[State]:
        return {entry.state for entry in entries(where, limit=100_000)}

    assert await shared.handled_a_second(inbox(), 4, seconds=0.5) > 0
    assert states() == {"done"}
    assert await shared.stored_a_second(inbox(), 4, seconds=0.5) > 0
    assert states() == {"done", "received"}


async def test_measuring_permits() -> None:
    spent = await shared.spend(Limiter(max_concurrent=4), 8, seconds=0.5)
    assert spent.permits > 0
    assert spent.seconds >= 0.5
    assert spent.cpu > 0


def test_measuring_permits_in_postgres(postgres: str) -> None:
    spent = shared.spend_shared(postgres, "account", 8, seconds=0.5)
    assert spent.permits > 0
    assert spent.seconds >= 0.5
    assert spent.cpu > 0
