"""The dashboard by HTTP: what it shows, to whom, and what forms may do."""

from __future__ import annotations

import html
import json
import logging
import re
from collections.abc import AsyncGenerator, Callable
from math import inf
from pathlib import Path
from urllib.parse import quote

import aiohttp
import anyio
import pytest

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import PostgresInbox, SqliteInbox, sign, testing
from cyclesoft_async.webhooks.dashboard import PasswordFile
from cyclesoft_async.webhooks.inbox import Selection
from cyclesoft_async.webhooks.inbox.postgres import migrate
from tests.support.dashboard import HOSTILE, PASSWORD, PERSON, Dashboard, running_dashboard

ANNA, BERT = {"X-User": "anna"}, {"X-User": "bert"}


@pytest.fixture(params=["sqlite", "postgres"])
async def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> SqliteInbox | PostgresInbox:
    """An inbox in a file, then one in PostgreSQL."""
    if request.param == "sqlite":
        return SqliteInbox(tmp_path / "inbox.db")
    url: str = request.getfixturevalue("postgres")
    await migrate(url)
    return PostgresInbox(url)


@pytest.fixture
async def dashboard(inbox: SqliteInbox | PostgresInbox, tmp_path: Path) -> AsyncGenerator[Dashboard]:
    """A dashboard whose operator a header names."""
    async with running_dashboard(inbox, tmp_path, proxy_user=True) as running:
        yield running


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    """A browser without JavaScript: it keeps cookies, also of 127.0.0.1."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers=ANNA) as session:
        yield session


async def get(http: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, str]:
    async with http.get(url, headers=headers or None) as answer:
        return answer.status, await answer.text()


async def post(
    http: aiohttp.ClientSession,
    url: str,
    fields: list[tuple[str, str]],
    headers: dict[str, str] | None = None,
) -> tuple[int, str]:
    async with http.post(url, data=fields, headers=headers) as answer:
        return answer.status, await answer.text()


async def token(http: aiohttp.ClientSession, url: str) -> str:
    _, text = await get(http, f"{url}/")
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found is not None
    return found[1]


def shown_ids(text: str) -> list[int]:
    """The orders of the rows of a list, in its order."""
    return [int(id_) for id_ in re.findall(r"<td><a [^>]*>\d+/workshop_order/(\d+)</a>", text)]


async def finished(http: aiohttp.ClientSession, text: str, url: str) -> str:
    """Reload the page of an action until it is done."""
    with anyio.fail_after(60):
        while "so far" in text:
            found = re.search(r'href="[^"]*(/jobs/[^"/]+)"', text)
            assert found is not None
            await anyio.sleep(0.05)
            _, text = await get(http, url + found[1])
    return text


async def test_a_list_is_newest_first_and_pages_by_key(
    dashboard: Dashboard, http: aiohttp.ClientSession
) -> None:
    """60 deliveries are two pages, also when more arrive in between."""
    for number in range(60):
        await dashboard.send(number)
    await dashboard.receiver.settled()
    _, first = await get(http, f"{dashboard.url}/")
    await dashboard.send(1000)
    found = re.search(r'href="[^"]*(\?before=\d+)" rel="next"', first)
    assert found is not None
    _, second = await get(http, f"{dashboard.url}/{found[1]}")
    assert shown_ids(first) + shown_ids(second) == list(range(59, -1, -1))


async def test_filters_combine(
    dashboard: Dashboard, http: aiohttp.ClientSession, inbox: SqliteInbox | PostgresInbox
) -> None:
    """State, event, account, entity, handler, time and text of the error, alone and together."""
    dashboard.broken.update({3, 5})
    for number in range(8):
        await dashboard.send(number)
    await dashboard.receiver.settled()
    [failed] = (await inbox.stats()).handlers
    handler = quote(failed.handler)
    expected = {
        "?state=dead": [5, 3],
        "?state=done&event=workshop_order.updated": [7, 6, 4, 2, 1, 0],
        "?event=customer.updated": [],
        "?account=1&entity=workshop_order/4": [4],
        "?account=2": [],
        "?error=KAPUTT": [5, 3],
        "?error=kaputt&entity=workshop_order/3": [3],
        f"?handler={handler}": [5, 3],
        "?since=2100-01-01T00:00": [],
        "?until=2100-01-01T00:00&state=dead": [5, 3],
    }
    for query, orders in expected.items():
        status, text = await get(http, f"{dashboard.url}/{query}")
        assert (status, shown_ids(text)) == (200, orders), query


@pytest.mark.parametrize("query", ["?state=deaf", "?account=x", "?account=" + "9" * 30, "?since=yesterday"])
async def test_a_wrong_filter_says_so(dashboard: Dashboard, http: aiohttp.ClientSession, query: str) -> None:
    status, text = await get(http, f"{dashboard.url}/{query}")
    assert status == 400
    assert "must be" in text


async def test_people_are_masked_until_an_operator_asks(
    dashboard: Dashboard, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """Asking is logged with the name of who asked, and without the data. A viewer may not ask."""
    caplog.set_level(logging.INFO)
    await dashboard.send(1)
    _, listed = await get(http, f"{dashboard.url}/")
    found = re.search(r'href="[^"]*(/deliveries/\d+)"', listed)
    assert found is not None
    url = dashboard.url + found[1]
    csrf = await token(http, dashboard.url)
    _, masked = await get(http, url)
    status, open_ = await post(http, f"{url}/unmask", [("csrf", csrf)])
    assert (PERSON in masked, status, PERSON in open_) == (False, 200, True)
    assert "anna looked at the body of delivery" in caplog.text
    assert PERSON not in caplog.text
    _, viewed = await get(http, url, **BERT)
    assert "Viewers may not see it" in viewed
    assert (await post(http, f"{url}/unmask", [("csrf", csrf)], BERT))[0] == 403


async def test_hostile_texts_are_shown_harmlessly(dashboard: Dashboard, http: aiohttp.ClientSession) -> None:
    """In lists, errors, timelines and bodies. No text of a payload becomes a tag or a control character."""
    dashboard.broken.add(1)
    await dashboard.send(1, status_text=HOSTILE)
    await dashboard.receiver.settled()
    csrf = await token(http, dashboard.url)
    _, listed = await get(http, f"{dashboard.url}/")
    found = re.search(r'href="[^"]*(/deliveries/\d+)"', listed)
    assert found is not None
    _, one = await get(http, dashboard.url + found[1])
    _, open_ = await post(http, f"{dashboard.url}{found[1]}/unmask", [("csrf", csrf)])
    _, overview = await get(http, f"{dashboard.url}/overview")
    for text in (listed, one, open_, overview):
        assert "<script>document" not in text
        assert not re.search("[\u202e\x07]", text)
    assert "&lt;script&gt;document" in listed
    assert "kaputt" in one


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe not UTF-8",
        b"[" * 10_000 + b"]" * 10_000,
        json.dumps({"name": "x" * 250_000}).encode(),
        b'{"a":"\\ud800"}',
    ],
    ids=["broken UTF-8", "deep", "large", "lone surrogate"],
)
async def test_bodies_that_are_no_events_are_shown(
    dashboard: Dashboard, http: aiohttp.ClientSession, body: bytes
) -> None:
    """As what they are, in a page of bounded size."""
    headers = {"X-CycleSoftware-Signature": sign(body, testing.SECRET)}
    answer = await dashboard.receiver.receive(body, headers)
    assert answer.status == 200
    csrf = await token(http, dashboard.url)
    _, listed = await get(http, f"{dashboard.url}/")
    found = re.search(r'href="[^"]*(/deliveries/\d+)"', listed)
    assert found is not None
    for status, text in (
        await get(http, dashboard.url + found[1]),
        await post(http, f"{dashboard.url}{found[1]}/unmask", [("csrf", csrf)]),
    ):
        assert status == 200
        assert len(text) < 400_000


async def test_a_quarantined_body_is_shown_as_a_difference(
    dashboard: Dashboard, http: aiohttp.ClientSession
) -> None:
    """Against the first delivery with its id."""
    await dashboard.send(1, delivery_id="same")
    await dashboard.send(1, delivery_id="same", status_id=8)
    _, listed = await get(http, f"{dashboard.url}/?state=quarantined")
    found = re.search(r'href="[^"]*(/deliveries/\d+)"', listed)
    assert found is not None
    _, text = await get(http, dashboard.url + found[1])
    text = html.unescape(text)
    assert re.search(r'class="removed">- .*"status_id": 7', text)
    assert re.search(r'class="added">\+ .*"status_id": 8', text)
    assert PERSON not in text


async def test_all_that_match_are_replayed_with_a_number_to_confirm(
    dashboard: Dashboard, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """The confirmation names the number; the action names who did it."""
    caplog.set_level(logging.INFO)
    dashboard.broken.update(range(30))
    for number in range(40):
        await dashboard.send(number)
    await dashboard.receiver.settled()
    dashboard.broken.clear()
    dashboard.handled.clear()
    csrf = await token(http, dashboard.url)
    fields = [("csrf", csrf), ("state", "dead"), ("action", "replay-all")]
    _, confirm = await post(http, f"{dashboard.url}/confirm", fields)
    assert "Replay 30 deliveries?" in confirm
    _, text = await post(http, f"{dashboard.url}/act", fields)
    assert "30 of 30 deliveries replayed. Done." in await finished(http, text, dashboard.url)
    await dashboard.receiver.settled()
    assert sorted(dashboard.handled) == list(range(30))
    assert "anna replayed 30 deliveries" in caplog.text


async def test_a_selection_is_dismissed(
    dashboard: Dashboard, http: aiohttp.ClientSession, inbox: SqliteInbox | PostgresInbox
) -> None:
    """Only what was selected, and its error names who did it. Nothing is handled."""
    dashboard.broken.update({1, 2})
    for number in (1, 2, 3):
        await dashboard.send(number)
    await dashboard.receiver.settled()
    dashboard.handled.clear()
    with inbox.reader() as reader:
        dead = reader.find(Selection(states=("dead",)), seconds=inf)
    chosen = next(one for one in dead.items if one.entity.endswith("/2"))
    csrf = await token(http, dashboard.url)
    fields = [("csrf", csrf), ("seq", str(chosen.seq)), ("action", "dismiss-selected")]
    _, confirm = await post(http, f"{dashboard.url}/confirm", fields)
    assert "Dismiss 1 delivery?" in confirm
    _, text = await post(http, f"{dashboard.url}/act", fields)
    await finished(http, text, dashboard.url)
    await dashboard.receiver.settled()
    with inbox.reader() as reader:
        found = {
            one.entity.rpartition("/")[2]: (one.state, one.error)
            for one in reader.find(Selection(), seconds=inf).items
        }
    assert found["1"][0] == "dead"
    assert found["2"][0] == "done"
    assert (found["2"][1] or "").endswith("(dismissed by anna)")
    assert dashboard.handled == []


async def test_nothing_selected_changes_nothing(dashboard: Dashboard, http: aiohttp.ClientSession) -> None:
    await dashboard.send(1)
    csrf = await token(http, dashboard.url)
    status, text = await post(
        http, f"{dashboard.url}/confirm", [("csrf", csrf), ("action", "replay-selected")]
    )
    assert (status, "Select deliveries first" in text) == (400, True)


Forge = Callable[[str], tuple[list[tuple[str, str]], dict[str, str]]]

FORGERIES: dict[str, Forge] = {
    "no token": lambda _: ([], {}),
    "another token": lambda csrf: ([("csrf", csrf[::-1])], {}),
    "another origin": lambda csrf: ([("csrf", csrf)], {"Origin": "https://elsewhere.example"}),
    "an opaque origin": lambda csrf: ([("csrf", csrf)], {"Origin": "null"}),
    "no origin, another site": lambda csrf: ([("csrf", csrf)], {"Sec-Fetch-Site": "cross-site"}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("path", ["/confirm", "/act", "/deliveries/1/unmask"])
async def test_forged_forms_are_refused(
    dashboard: Dashboard, http: aiohttp.ClientSession, forgery: str, path: str
) -> None:
    """A form of another site, or without the page's token, changes nothing."""
    dashboard.broken.add(1)
    await dashboard.send(1)
    await dashboard.receiver.settled()
    csrf = await token(http, dashboard.url)
    fields, headers = FORGERIES[forgery](csrf)
    status, _ = await post(http, dashboard.url + path, [*fields, ("action", "replay-all")], headers)
    assert status == 403
    await dashboard.receiver.settled()
    assert dashboard.handled == []


async def test_a_viewer_changes_nothing(dashboard: Dashboard, http: aiohttp.ClientSession) -> None:
    """It sees no forms, and its own are refused."""
    await dashboard.send(1)
    csrf = await token(http, dashboard.url)
    _, text = await get(http, f"{dashboard.url}/", **BERT)
    assert "Replay" not in text
    status, _ = await post(http, f"{dashboard.url}/act", [("csrf", csrf), ("action", "replay-all")], BERT)
    assert status == 403


async def test_a_stranger_sees_nothing(dashboard: Dashboard) -> None:
    """Without a name of an operator every page is refused, and none tells what is there."""
    await dashboard.send(1)
    async with aiohttp.ClientSession() as stranger:
        for path in ("/", "/overview", "/overview/figures", "/deliveries/1", "/jobs/x"):
            status, text = await get(stranger, dashboard.url + path)
            assert (status, text) == (401, "Not signed in.")
        for path in ("/confirm", "/act", "/deliveries/1/unmask"):
            assert (await post(stranger, dashboard.url + path, []))[0] == 401


async def test_every_page_has_a_strict_policy(dashboard: Dashboard, http: aiohttp.ClientSession) -> None:
    """No inline script or style, no other host, no frame, nothing cached."""
    for path in ("/", "/overview", "/deliveries/999"):
        async with http.get(dashboard.url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            text = await answer.text()
            assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"\son\w+=|style=|<script>|https?://", text)


async def test_signing_in_with_a_password(tmp_path: Path) -> None:
    """A wrong one is refused, a right one lasts for a session, which signing out ends."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        running_dashboard(SqliteInbox(tmp_path / "inbox.db"), tmp_path) as dashboard,
        aiohttp.ClientSession(cookie_jar=jar) as http,
    ):
        status, text = await get(http, f"{dashboard.url}/")
        assert (status, "Sign in" in text) == (401, True)
        csrf = await token(http, dashboard.url)
        wrong = [("csrf", csrf), ("name", "anna"), ("password", "wrong")]
        status, text = await post(http, f"{dashboard.url}/sign-in", wrong)
        assert (status, "The name or the password is wrong" in text) == (401, True)
        forged = [("name", "anna"), ("password", PASSWORD)]
        assert (await post(http, f"{dashboard.url}/sign-in", forged))[0] == 403
        right = [("csrf", csrf), ("name", "anna"), ("password", PASSWORD)]
        status, text = await post(http, f"{dashboard.url}/sign-in", right)
        assert (status, "Deliveries" in text) == (200, True)
        cookies = {cookie.key: cookie for cookie in jar}
        assert all(cookie["httponly"] and cookie["samesite"] == "Strict" for cookie in cookies.values())
        assert PASSWORD not in cookies["cyclesoft_session"].value
        session = cookies["cyclesoft_session"].value
        sign_out = f"{dashboard.url}/sign-out"
        assert (await post(http, sign_out, [("csrf", csrf)]))[0] == 403, "the token of before the session"
        known = cookies["cyclesoft_csrf"].value  # as another site under the same domain may have set it
        assert (await post(http, sign_out, [("csrf", known)]))[0] == 403, "a token of no session"
        await post(http, sign_out, [("csrf", await token(http, dashboard.url))])
        assert (await get(http, f"{dashboard.url}/"))[0] == 401
        async with aiohttp.ClientSession(cookies={"cyclesoft_session": session}) as thief:
            assert (await get(thief, f"{dashboard.url}/"))[0] == 401, "the copied cookie of an ended session"


@pytest.mark.parametrize("change", ["x", "", "anna"])
async def test_a_changed_session_is_none(tmp_path: Path, change: str) -> None:
    """A cookie that this server did not sign signs nobody in."""
    async with running_dashboard(SqliteInbox(tmp_path / "inbox.db"), tmp_path) as dashboard:
        cookies = {"cyclesoft_session": f"9999999999:anna.{change}"}
        async with aiohttp.ClientSession(cookies=cookies) as http:
            assert (await get(http, f"{dashboard.url}/"))[0] == 401


def test_guessing_passwords_is_slowed_down(tmp_path: Path) -> None:
    """After ten wrong ones within a minute also the right one is refused."""
    file = tmp_path / "passwords"
    file.write_text(f"anna:operator:{PASSWORD}\n")
    passwords = PasswordFile(file)
    assert passwords.sign_in("anna", PASSWORD) is not None
    assert all(passwords.sign_in("anna", f"guess {number}") is None for number in range(10))
    assert passwords.sign_in("anna", PASSWORD) is None
    assert PASSWORD not in repr(passwords)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must have a line NAME:operator:PASSWORD"),
        ("anna:correct horse battery\n", "line 1, must be NAME:operator:PASSWORD"),
        ("anna:admin:correct horse battery\n", "line 1, must be NAME:operator:PASSWORD"),
        ("anna:operator:short\n", "line 1: the password must have at least 12 characters"),
        (f"anna:operator:{PASSWORD}\nanna:viewer:{PASSWORD}\n", "must name each operator once"),
    ],
)
def test_a_password_file_is_checked(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "passwords"
    file.write_text(content)
    with pytest.raises(UsageError, match=message):
        PasswordFile(file)


async def test_a_form_that_cannot_be_read_is_a_bad_request(
    dashboard: Dashboard, http: aiohttp.ClientSession
) -> None:
    """Also before anyone is signed in: a charset that is no charset is not an error of the server."""
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=zip"}
    async with http.post(f"{dashboard.url}/act", data=b"csrf=x", headers=headers) as answer:
        assert answer.status == 400


async def test_all_texts_are_masked_but_harmless_ones(
    dashboard: Dashboard, http: aiohttp.ClientSession
) -> None:
    """Also under names that no list foresees, below other names, and JSON within a text."""
    await dashboard.send(
        1,
        status_text="Klaar",
        Naam="canary",
        initials="canary",
        delivery_address={"postcode": "canary"},
        employee={"name": {"first": "canary"}},
        data=json.dumps({"name": "canary"}),
        phone_number=31612345678,
    )
    _, listed = await get(http, f"{dashboard.url}/")
    found = re.search(r'href="[^"]*(/deliveries/\d+)"', listed)
    assert found is not None
    _, text = await get(http, dashboard.url + found[1], **BERT)
    assert "canary" not in text
    assert "31612345678" not in text
    assert "Klaar" in text
    assert "workshop_order.updated" in text
