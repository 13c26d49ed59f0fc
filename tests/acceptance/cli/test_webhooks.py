"""`cyclesoft webhooks`, as a user runs it."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cyclesoft_async.cli.webhooks import webhooks
from cyclesoft_async.errors import InboxLockedError, UsageError
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events, sign
from cyclesoft_async.webhooks.inbox import Delivery, entries
from cyclesoft_async.webhooks.testing import SignedDelivery, delivery
from tests.support.webhook_server import SECRET, eventually, order, running

SERVE = "from cyclesoft_async.cli.webhooks import webhooks; webhooks()"


def run(*arguments: str, secrets: str = SECRET) -> Result:
    return CliRunner().invoke(webhooks, arguments, env={"CYCLESOFT_WEBHOOK_SECRETS": secrets})


@pytest.fixture
async def inbox(tmp_path: Path) -> str:
    """An inbox with a handled event, two dead letters, and a body that is no event."""
    path = tmp_path / "inbox.db"
    hooks = WebhookReceiver(SECRET, SqliteInbox(path), retry_for=0)

    @hooks.on(events.WorkshopOrderEvent)
    async def handle(event: events.WorkshopOrderEvent) -> None:
        if event.payload.workshop_order_id == 2:
            raise ValueError("first line\nsecond")

    async with running(hooks) as server:
        await server.post(order(1, id="good"))
        await server.post(order(2, id="bad"))
        await server.post(delivery("new.thing", {}, secret=SECRET, id="unknown"))
        await server.post(b"\xff", {"X-CycleSoftware-Signature": sign(b"\xff", SECRET)})
        await eventually(path, lambda entry: entry.id == "good" and entry.state == "done")
        await eventually(path, lambda entry: entry.id == "bad" and entry.state == "dead")
    return str(path)


async def test_list_and_show(inbox: str) -> None:
    shown = run("list", "--inbox", inbox).output
    assert len(shown.splitlines()) == 4
    assert "done         good  workshop_order.updated  1/workshop_order/1" in shown
    assert "ValueError: first line second" in shown
    assert len(run("list", "--inbox", inbox, "--state", "dead").output.splitlines()) == 3
    assert len(run("list", "--inbox", inbox, "--limit", "1").stdout.splitlines()) == 1
    shown = run("show", "good", "--inbox", inbox).output
    assert '"workshop_order_id": 1' in shown
    garbage = entries(inbox, limit=1)[0].id
    assert "b'\\xff'" in run("show", garbage, "--inbox", inbox).output
    assert isinstance(run("show", "nobody", "--inbox", inbox).exception, UsageError)


async def test_list_goes_from_page_to_page(inbox: str) -> None:
    ids: list[str] = []
    before: tuple[str, ...] = ()
    for _ in range(4):
        page = run("list", "--inbox", inbox, "--limit", "1", "--json", *before)
        [line] = page.stdout.splitlines()
        entry = json.loads(line)
        ids.append(entry["id"])
        assert "body" not in entry
        assert page.stderr == f"for older ones: --before {entry['seq']}\n"
        before = ("--before", str(entry["seq"]))
    assert ids[1:] == ["unknown", "bad", "good"]
    assert run("list", "--inbox", inbox, *before).stdout == ""


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (("--event", "new.thing"), ["unknown"]),
        (("--account", "1", "--state", "done"), ["good"]),
        (("--entity", "workshop_order/2"), ["bad"]),
        (("--error", "valueerror"), ["bad"]),
        (("--since", "2999-01-01"), []),
        (("--until", "2000-01-01 00:00:00"), []),
        (("--state", "done", "--state", "dead", "--event", "workshop_order.updated"), ["bad", "good"]),
    ],
)
async def test_the_same_filters_list_replay_and_purge(
    inbox: str, filters: tuple[str, ...], ids: list[str]
) -> None:
    listed = run("list", "--json", *filters, "--inbox", inbox).stdout
    assert [json.loads(line)["id"] for line in listed.splitlines()] == ids
    replayed = (await asyncio.to_thread(run, "replay", *filters, "--inbox", inbox)).output
    counted = "1 delivery" if len(ids) == 1 else f"{len(ids)} deliveries"
    assert replayed == f"scheduling {counted}\n{counted} scheduled\n"
    assert {entry.id for entry in entries(inbox, state="received")} == set(ids)


async def test_purge_deletes_what_is_old_and_selected(inbox: str) -> None:
    purge = ("purge", "--dead-days", "0", "--done-days", "0", "--event", "new.thing", "--inbox", inbox)
    purged = await asyncio.to_thread(run, *purge)
    assert purged.output == "deleting 1 delivery\n1 delivery deleted\n"
    assert "unknown" not in {entry.id for entry in entries(inbox)}
    compacted = await asyncio.to_thread(run, "purge", "--compact", "--inbox", inbox)
    assert compacted.stderr.startswith("compacting needs ")
    assert "bytes before" in compacted.stdout
    filtered = await asyncio.to_thread(run, "purge", "--compact", "--event", "a.b", "--inbox", inbox)
    assert isinstance(filtered.exception, UsageError)


@pytest.mark.parametrize("command", ["show", "replay"])
async def test_an_unknown_id_is_a_usage_error(inbox: str, command: str) -> None:
    done = await asyncio.to_thread(run, command, "no\x1b[2Jsuch", "--inbox", inbox)
    assert isinstance(done.exception, UsageError)
    assert "\x1b" not in str(done.exception)


async def test_stats(inbox: str) -> None:
    def stats(*arguments: str) -> str:
        return run("stats", *arguments, "--inbox", inbox).output

    shown = await asyncio.to_thread(stats)
    assert re.search(r" 1 +done +workshop_order.updated\n", shown)
    assert re.search(r" 1 +dead +-\n", shown)
    assert "no delivery is due" in shown
    assert re.search(r" 1 +failed attempt of \S+handle, last .* worst 0\.\d{3} s", shown)
    figures = json.loads(await asyncio.to_thread(stats, "--json"))
    assert sum(one["count"] for one in figures["counts"]) == 4
    await asyncio.to_thread(run, "replay", "good", "--inbox", inbox)
    assert "the oldest due delivery has waited " in await asyncio.to_thread(stats)


def test_watched_stats_are_printed_again(tmp_path: Path) -> None:
    async def create() -> None:
        inbox = SqliteInbox(tmp_path / "inbox.db")
        await inbox.open(lambda _: None)
        await inbox.close()

    asyncio.run(create())
    command = [
        sys.executable,
        "-c",
        SERVE,
        "stats",
        "--watch",
        "--json",
        "--inbox",
        str(tmp_path / "inbox.db"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        process.kill()
    assert first == second
    assert first["counts"] == []


async def test_control_characters_never_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    nasty = "\x1b]0;owned\x07\u202e\x85\n2999 done"
    inbox = SqliteInbox(path)
    await inbox.open(lambda _: None)
    await inbox.put(
        Delivery(
            account_id=1,
            id=nasty,
            event_name=nasty,
            ordering_key=f"1/{nasty}/1",
            event_timestamp=1.0,
            body=json.dumps({"name": nasty}, ensure_ascii=False).encode(),
            state="dead",
            problem=nasty,
        )
    )
    await inbox.close()
    for arguments in (("list",), ("list", "--json"), ("show", nasty), ("stats",)):
        shown = await asyncio.to_thread(run, *arguments, "--inbox", str(path))
        assert shown.exception is None
        assert all(char.isprintable() or char == "\n" for char in shown.output)
    assert len(run("list", "--inbox", str(path)).output.splitlines()) == 1


async def test_show_at_the_end_of_time(tmp_path: Path) -> None:
    late = delivery(
        "a.b", {}, secret=SECRET, occurred_at=datetime(9999, 12, 31, 23, 30, tzinfo=UTC), id="late"
    )
    async with running(WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))) as server:
        await server.post(late)
    assert (
        "occurred: 9999-12-31 23:30:00 UTC"
        in run("show", "late", "--inbox", str(tmp_path / "inbox.db")).output
    )


async def test_replay(inbox: str) -> None:
    assert isinstance(run("replay", "--inbox", inbox).exception, UsageError)
    assert isinstance(run("replay", "--inbox", inbox + "x", "--dead").exception, UsageError)
    assert "1 delivery" in await asyncio.to_thread(lambda: run("replay", "good", "--inbox", inbox).output)
    assert "3 deliveries" in await asyncio.to_thread(lambda: run("replay", "--dead", "--inbox", inbox).output)
    late = ("replay", "--since", "2999-01-01", "--inbox", inbox)
    assert "0 deliveries" in await asyncio.to_thread(lambda: run(*late).output)
    assert {entry.state for entry in entries(inbox)} == {"received"}
    again = WebhookReceiver(SECRET, SqliteInbox(inbox))
    async with running(again):
        await eventually(Path(inbox), lambda entry: entry.id == "bad" and entry.state == "done")
        await eventually(Path(inbox), lambda entry: entry.error is not None and entry.state == "dead")


async def test_replay_while_the_receiver_runs_is_refused(inbox: str) -> None:
    async with running(WebhookReceiver(SECRET, SqliteInbox(inbox))):
        done = await asyncio.to_thread(run, "replay", "--dead", "--inbox", inbox)
        assert isinstance(done.exception, InboxLockedError)
        assert len(run("list", "--inbox", inbox).output.splitlines()) == 4


async def test_purge(inbox: str) -> None:
    nothing = await asyncio.to_thread(run, "purge", "--inbox", inbox)
    assert isinstance(nothing.exception, UsageError)
    kept = await asyncio.to_thread(run, "purge", "--inbox", inbox, "--done-days", "1", "--dead-days", "1")
    assert "0 deliveries" in kept.output
    gone = await asyncio.to_thread(run, "purge", "--inbox", inbox, "--dead-days", "0")
    assert "3 deliveries" in gone.output


def grow_old(inbox: str) -> None:
    """A year passes for what is in the inbox."""
    with closing(sqlite3.connect(inbox)) as connection, connection:
        connection.execute("UPDATE deliveries SET changed_at = changed_at - 365 * 86400")


async def test_nothing_is_deleted_but_what_is_asked_for(inbox: str) -> None:
    await asyncio.to_thread(grow_old, inbox)
    replayed = await asyncio.to_thread(run, "replay", "bad", "--inbox", inbox)
    assert "1 delivery" in replayed.output
    purged = await asyncio.to_thread(run, "purge", "--inbox", inbox, "--dead-days", "0")
    assert "2 deliveries" in purged.output
    assert [(entry.id, entry.state) for entry in entries(inbox)] == [("bad", "received"), ("good", "done")]
    purged = await asyncio.to_thread(run, "purge", "--inbox", inbox, "--done-days", "30")
    assert "1 delivery" in purged.output
    assert [entry.id for entry in entries(inbox)] == ["bad"]


ESCAPES = "\x1b]0;owned\x07\x1b[2J \x9b31m \u202e \nWARNING:all is well"


async def test_no_text_of_a_delivery_controls_a_terminal_or_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "inbox.db"
    hooks = WebhookReceiver(SECRET, SqliteInbox(path), retry_for=0)

    @hooks.on(events.WorkshopOrderUpdated)
    async def fail(event: events.WorkshopOrderUpdated) -> None:
        raise ValueError(event.payload.reference_text)

    order_ = {"workshop_order_id": 1, "reference_text": ESCAPES}
    raw = delivery("a.b", {"text": "TEXT"}, secret=SECRET).body.replace(b"TEXT", "\x9b2J\x7f".encode())
    deliveries = [
        delivery("workshop_order.updated", order_, secret=SECRET, id=f"id{ESCAPES}"),
        delivery(f"new.{ESCAPES}", {}, secret=SECRET, id=f"new{ESCAPES}"),
        delivery("n" * 200_000, {}, secret=SECRET, id="long"),
        SignedDelivery(raw, {"X-CycleSoftware-Signature": sign(raw, SECRET)}),
    ]
    async with hooks:
        for sent in deliveries:
            answer = await hooks.receive(sent.body, {**sent.headers, "X-CycleSoftware-Event": "another"})
            assert answer.status == 200
        await hooks.settled()
    listed = run("list", "--inbox", str(path)).output
    assert len(listed.splitlines()) == 4
    assert "id ]0;owned [2J 31m WARNING:all is well" in listed
    shown = "".join(run("show", "--inbox", str(path), entry.id).output for entry in entries(path))
    assert r"\x9b2J\x7f" in shown
    for text in (listed, shown.replace("\n", ""), *(record.getMessage() for record in caplog.records)):
        assert all(char.isprintable() or char == "\n" for char in text)
        assert "\nWARNING" not in text
    assert max(len(line) for line in caplog.text.splitlines()) < 1000
    assert len(entries(path, state="dead")) == 4


def test_an_entity_needs_its_kind_and_id(tmp_path: Path) -> None:
    done = run("list", "--inbox", str(tmp_path / "inbox.db"), "--entity", "workshop_order")
    assert done.exit_code == 2
    assert "'--entity': must be KIND/ID, e.g. workshop_order/17, got 'workshop_order'" in done.output
