"""`cyclesoft check` against servers that make the mistakes of a first contact."""

import base64
import json
import stat
from collections.abc import Callable, Mapping
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

import anyio
import click.testing
import pytest
from aiohttp import web

from cyclesoft_async.cli.main import cyclesoft
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.webhooks import events, testing
from tests.support.http_server import ORDERS, page
from tests.support.loopback import served

CREDENTIALS = {"CYCLESOFT_USERNAME": "winkel", "CYCLESOFT_PASSWORD": "canary-zX9"}
QUOTA = {
    "X-RateLimit-Minutely-Limit": "360",
    "X-RateLimit-Minutely-Remaining": "359",
    "X-RateLimit-Daily-Limit": "15000",
    "X-RateLimit-Daily-Remaining": "14000",
}
Answer = Callable[[web.Request], web.Response]


async def check(base_url: str, *options: str, **environment: str) -> click.testing.Result:
    """Run the command in a thread, beside the server in this loop."""
    env = CREDENTIALS | {"CYCLESOFT_BASE_URL": base_url} | environment
    runner = click.testing.CliRunner()
    return await anyio.to_thread.run_sync(lambda: runner.invoke(cyclesoft, ["check", *options], env=env))


async def check_server(answer: Answer, *options: str) -> tuple[click.testing.Result, list[str]]:
    """Run the command against a server that answers so. Returns the paths that it asked for, too."""
    paths: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        paths.append(request.path)
        return answer(request)

    async with served(handle) as url:
        return await check(url, *options), paths


def orders_page(headers: Mapping[str, str] = QUOTA, next_url: str | None = None) -> Answer:
    return lambda _: web.Response(
        body=page(next_url=next_url), content_type="application/json", headers=headers
    )


def refusal(status: int, headers: Mapping[str, str] | None = None, text: str = "") -> Answer:
    return lambda _: web.json_response({"error": True, "error_message": text}, status=status, headers=headers)


async def test_all_is_well() -> None:
    """One request; each finding is a line."""
    result, paths = await check_server(orders_page())
    assert (result.exit_code, paths) == (0, [ORDERS])
    assert "ok    credentials: accepted, by HTTP Basic" in result.output
    assert "ok    minutely quota: 359 of 360 left" in result.output
    assert "ok    daily quota: 14,000 of 15,000 left" in result.output
    assert "ok    clock: within a minute of the server's" in result.output
    assert "ok    pages: the first page of orders is the only one" in result.output


MISTAKES: dict[str, tuple[Answer, int, str]] = {
    "another header": (
        refusal(401, {"WWW-Authenticate": 'ApiKey realm="x"'}),
        3,
        "the server asks for ApiKey and this API for Basic credentials; check the host of base_url",
    ),
    "Bearer": (
        refusal(401, {"WWW-Authenticate": "Bearer"}),
        3,
        "the server asks for Bearer and this API for Basic credentials; check the host of base_url",
    ),
    "the web server's host": (
        lambda _: web.Response(status=302, headers={"Location": "https://s01.cyclesoftware.nl/app/"}),
        6,
        "redirects to https://s01.cyclesoftware.nl/app/; check base_url",
    ),
    "next_url on another host": (
        orders_page(next_url=f"https://s01.cyclesoftware.nl{ORDERS}?offset=100"),
        0,
        "pages: next_url names s01.cyclesoftware.nl; the library sends its path to CYCLESOFT_BASE_URL",
    ),
    "error under 200": (
        refusal(200, text="Module not active"),
        6,
        "error: true: Module not active; the API reports errors under a status of success",
    ),
    "a missing scope": (
        refusal(403, text="Forbidden"),
        3,
        "this call requires the scope `resources`; ask CycleSoftware to add it to the account",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_each_mistake_is_one_line_that_says_what_to_do(mistake: str) -> None:
    """At most two requests, and the exit code of the failed one."""
    answer, exit_code, text = MISTAKES[mistake]
    result, paths = await check_server(answer)
    assert result.exit_code == exit_code, result.output
    assert len(paths) <= 2
    assert any(text in line for line in result.output.splitlines()), result.output


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        (
            {"CYCLESOFT_PASSWORD": "Bearer canary-zX9"},
            "CYCLESOFT_PASSWORD must not begin with Basic or Bearer",
        ),
        ({"CYCLESOFT_PASSWORD": "Authorization: Basic canary-zX9"}, "must not be a whole header"),
        ({"CYCLESOFT_PASSWORD": "winkel:canary-zX9"}, "CYCLESOFT_PASSWORD must not repeat the username"),
        ({"CYCLESOFT_PASSWORD": "canary-zX9\n"}, "CYCLESOFT_PASSWORD must not begin or end with white space"),
        ({"CYCLESOFT_BASE_URL": "https://s01.cyclesoftware.invalid"}, "is a web server that answers name"),
    ],
)
async def test_settings_that_cannot_work_are_named(environment: dict[str, str], text: str) -> None:
    """Also when no request reaches a server. No credential is shown."""
    result = await check("http://127.0.0.1:1", **environment)
    assert result.exit_code == 4, result.output
    assert text in result.output
    assert "canary" not in result.output


async def test_a_clock_that_is_wrong_is_named() -> None:
    """By how much, and what to do."""
    result, _ = await check_server(orders_page({"Date": formatdate(1_700_000_000, usegmt=True)}))
    assert result.exit_code == 1
    assert "seconds ahead of the server's; set it by NTP" in result.output
    assert "minutely quota: no header of the server: 360 is assumed" in result.output


async def test_scopes_are_tried_one_by_one() -> None:
    """It says before how many requests that costs, and then which scopes are there."""

    def answer(request: web.Request) -> web.Response:
        if "rental" in request.path:
            return refusal(403)(request)
        if "customers" in request.path or "warehouse" in request.path:
            return refusal(404)(request)
        return orders_page()(request)

    result, paths = await check_server(answer, "--scopes")
    assert (result.exit_code, len(paths)) == (0, 10)
    assert "trying 9 scopes, a request each" in result.stderr
    assert "note  scope rental: missing; ask CycleSoftware for it if you need it" in result.stdout
    assert "ok    scope crm: granted (no customer has the id 0)" in result.stdout
    assert "note  scope warehouse: not known: status 404" in result.stdout
    assert "ok    scope resources: granted" in result.stdout


async def test_the_bundle_holds_no_credentials(tmp_path: Path) -> None:
    """It is readable by its owner only."""
    bundle = tmp_path / "bundle.json"
    async with Sandbox(orders=5, username="winkel", password="canary-zX9") as sandbox:
        result = await check(sandbox.url, "--bundle", str(bundle))
    assert result.exit_code == 0, result.output
    text = bundle.read_text()
    report = json.loads(text)
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    assert report["requests"][0]["headers"]["X-RateLimit-Minutely-Limit"] == "360"
    assert "canary" not in text
    assert "winkel" not in text
    assert "Authorization" not in text


async def test_a_captured_delivery_shows_how_it_was_signed(tmp_path: Path) -> None:
    """The settings are named, or that no secret matches."""
    signed = testing.delivery(events.CustomerUpdated, {"customer": {"customer_id": 1}}, secret="a" * 20)
    body = tmp_path / "body.json"
    body.write_bytes(signed.body)
    signature = signed.headers["X-CycleSoftware-Signature"]
    options = ["--delivery", str(body), "--signature", signature]
    async with Sandbox(orders=5, username="winkel", password="canary-zX9") as sandbox:
        right = await check(sandbox.url, *options, CYCLESOFT_WEBHOOK_SECRETS="a" * 20)
        wrong = await check(sandbox.url, *options, CYCLESOFT_WEBHOOK_SECRETS="b" * 20)
    assert right.exit_code == 0, right.output
    assert "ok    signature: sha256, hex; the default algorithm, and the secret as it is" in right.output
    assert wrong.exit_code == 1
    assert "fail  signature: no secret matches" in wrong.output


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--signature", "ab"], "--delivery and --signature must be used together"),
        (["--bundle", f"/{quote('no such folder')}/b.json"], "--bundle must be in an existing folder"),
    ],
)
async def test_slips_are_named_before_any_request(options: list[str], text: str) -> None:
    """Exit code 2."""
    result = await check("http://127.0.0.1:1", *options)
    assert (result.exit_code, text in result.output) == (2, True)


async def test_credentials_that_the_server_repeats_are_nowhere(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.json"
    password = CREDENTIALS["CYCLESOFT_PASSWORD"]

    def echo(request: web.Request) -> web.Response:
        text = f"{request.headers['Authorization']} = winkel:{password}"
        return web.json_response({"error": True, "error_message": text}, status=401)

    def echo_in_headers(request: web.Request) -> web.Response:
        seen = {"X-RateLimit-Seen": f"{request.headers['Authorization']} = {password}"}
        return web.Response(body=page(), content_type="application/json", headers=QUOTA | seen)

    encoded = base64.b64encode(f"winkel:{password}".encode()).decode()
    for answer in (echo, echo_in_headers):
        result, _ = await check_server(answer, "--bundle", str(bundle))
        shown = result.output + bundle.read_text()
        assert "[redacted]" in shown
        assert password not in shown
        assert encoded not in shown
