"""First contact with an account: what a few requests show about host, credentials, quota, clock and pages."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct, field
from yarl import URL

from cyclesoft_async import BELGIUM, FRANCE, NETHERLANDS, CycleSoftSession
from cyclesoft_async.errors import (
    BadRequestError,
    ConnectError,
    CycleSoftError,
    NotFoundError,
    PermissionDeniedError,
    ResponseDecodeError,
    StatusError,
    printable_line,
)
from cyclesoft_async.transport import Response
from cyclesoft_async.webhooks.diagnosis import diagnose
from cyclesoft_async.webhooks.signature import secret_bytes

Read: TypeAlias = Callable[[CycleSoftSession], Awaitable[object]]

_COUNTRIES: Final = {
    URL(NETHERLANDS).host: "Netherlands",
    URL(BELGIUM).host: "Belgium",
    URL(FRANCE).host: "France",
}
_WEB_SERVER: Final = re.compile(r"s\d+\.cyclesoftware\.\w+")
_TOLERATED_SKEW: Final = 60.0
_PUBLIC_HEADERS: Final = {"Content-Type", "Date", "Server"}
_EMPTY_DAY: Final = "01-01-1970"
_SUCCESS: Final = range(200, 300)


class Finding(Struct, frozen=True):
    """One line of a report."""

    level: Literal["ok", "note", "fail"]
    subject: str
    text: str


class Exchange(Struct, frozen=True):
    """One request and its answer, without anything that a report for others must not show."""

    request: str
    outcome: str
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Report(Struct):
    """Findings, and the requests that they rest on."""

    findings: list[Finding] = field(default_factory=list[Finding])
    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    failure: CycleSoftError | None = None
    """The first failed request."""

    def add(self, level: Literal["ok", "note", "fail"], subject: str, text: str) -> None:
        """Append a finding."""
        self.findings.append(Finding(level, subject, text))


class _Pagination(Struct):
    next_url: str | None = None


class _Page(Struct):
    pagination: _Pagination = field(default_factory=_Pagination)


def check_settings(report: Report, base_url: str, username: str, password: str) -> None:
    """Look at the settings, without a request. The report shows neither username nor password."""
    host = URL(base_url).host or ""
    if host in _COUNTRIES:
        report.add("ok", "host", f"{host} ({_COUNTRIES[host]})")
    elif _WEB_SERVER.fullmatch(host):
        text = f"{host} is a web server that answers name, not the API; set CYCLESOFT_BASE_URL={NETHERLANDS}"
        report.add("fail", "host", text)
    else:
        report.add("note", "host", f"{host} is not a host that the vendor documents, such as {NETHERLANDS}")
    for problem in _credential_problems(username, password):
        report.add("fail", "credentials", problem)


def _credential_problems(username: str, password: str) -> Iterator[str]:
    for name, value in (("CYCLESOFT_USERNAME", username), ("CYCLESOFT_PASSWORD", password)):
        if re.match(r"(?i)authorization\s*:", value):
            yield f"{name} must not be a whole header; set the bare {name.rpartition('_')[2].lower()}"
        elif re.match(r"(?i)(bearer|basic)\s", value):
            yield f"{name} must not begin with Basic or Bearer; the library makes the header itself"
        elif value != value.strip():
            yield f"{name} must not begin or end with white space"
    if password.startswith(f"{username}:"):
        yield "CYCLESOFT_PASSWORD must not repeat the username; set the part behind the colon"


async def check_account(report: Report, cs: CycleSoftSession) -> None:
    """Make one request, or two if the scope of the first is missing, and add what they show."""
    response = await _request(report, cs, "orders", lambda cs: cs.workshop_orders.list())
    if response is None:
        if isinstance(report.failure, PermissionDeniedError):
            # A read of another scope tells whether the credentials are right.
            await _request(report, cs, "enums", lambda cs: cs.common.enums())
        return
    report.add("ok", "credentials", "accepted, by HTTP Basic")
    _check_quota(report, cs)
    _check_clock(report, response)
    _check_pages(report, cs, response)


async def check_scopes(report: Report, cs: CycleSoftSession) -> None:
    """Make one request for each of `SCOPE_READS`, and add which scopes the account has."""
    for scope, (path, params) in SCOPE_READS.items():
        try:
            await cs.request("GET", path, params=params, type=msgspec.Raw)
        except PermissionDeniedError:
            report.add("note", f"scope {scope}", "missing; ask CycleSoftware for it if you need it")
        except StatusError as error:
            if scope == "crm" and isinstance(error, NotFoundError):
                report.add("ok", "scope crm", "granted (no customer has the id 0)")
            else:
                report.add("note", f"scope {scope}", f"not known: status {error.status}")
        else:
            report.add("ok", f"scope {scope}", "granted")


def check_signature(report: Report, body: bytes, signature: str, secrets: Sequence[str]) -> None:
    """Find out how a captured delivery was signed, and add it."""
    matches = diagnose(body, signature, secret_bytes(secrets))
    for match in matches:
        level: Literal["ok", "fail"] = "ok" if match.is_accepted else "fail"
        report.add(level, "signature", f"{match.algorithm}, {match.encoding}; {match.settings}")
    if not matches:
        report.add("fail", "signature", "no secret matches; check the secret, and that the body is unchanged")


async def _request(report: Report, cs: CycleSoftSession, name: str, call: Read) -> Response | None:
    try:
        _, response = await cs.with_raw_response(call)
    except CycleSoftError as error:
        report.failure = report.failure or error
        report.exchanges.append(Exchange(name, str(error)))
        report.add("fail", name, f"{error}{_remedy(error)}")
        return None
    headers = {key: response.redact(value) for key, value in response.headers.items() if _is_public(key)}
    report.exchanges.append(Exchange(name, repr(response), headers))
    report.add("ok", name, f"status {response.status}, {response.description}")
    return response


def _remedy(error: CycleSoftError) -> str:
    match error:
        case ConnectError():
            return "; check CYCLESOFT_BASE_URL and the network"
        case NotFoundError() | ResponseDecodeError():
            return f"; this is not the API: check CYCLESOFT_BASE_URL, such as {NETHERLANDS}"
        case BadRequestError() if error.status in _SUCCESS:
            return "; the API reports errors under a status of success, so a client must read `error` first"
        case PermissionDeniedError():
            return "; ask CycleSoftware to add it to the account"
        case _:
            return ""


def _is_public(header: str) -> bool:
    return header in _PUBLIC_HEADERS or header.startswith("X-RateLimit-")


def _check_quota(report: Report, cs: CycleSoftSession) -> None:
    for name, window in (("minutely", cs.quota.minutely), ("daily", cs.quota.daily)):
        if window.source == "header":
            report.add("ok", f"{name} quota", f"{window.remaining:,} of {window.limit:,} left")
        else:
            text = f"no header of the server: {window.limit:,} is assumed; does a proxy remove X-RateLimit-*?"
            report.add("note", f"{name} quota", text)


def _check_clock(report: Report, response: Response) -> None:
    try:
        server = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        report.add("note", "clock", "the server sends no Date")
        return
    ahead = (datetime.now(UTC) - server.replace(tzinfo=server.tzinfo or UTC)).total_seconds()
    if abs(ahead) <= _TOLERATED_SKEW:
        report.add("ok", "clock", "within a minute of the server's")
    else:
        direction = "ahead of" if ahead > 0 else "behind"
        report.add("fail", "clock", f"{abs(ahead):,.0f} seconds {direction} the server's; set it by NTP")


def _check_pages(report: Report, cs: CycleSoftSession, response: Response) -> None:
    next_url = msgspec.json.decode(response.body, type=_Page).pagination.next_url
    if not next_url:
        report.add("ok", "pages", "the first page of orders is the only one")
    elif URL(next_url).host in {None, URL(cs.base_url).host}:
        report.add("ok", "pages", "next_url stays on the host")
    else:
        host = printable_line(URL(next_url).host or "")
        text = (
            f"next_url names {host}; the library sends its path to CYCLESOFT_BASE_URL, as other clients must"
        )
        report.add("note", "pages", text)


SCOPE_READS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "common": ("/api/v1/common/bike-brands.json", {}),
    "crm": ("/api/v1/customers/0/comments.json", {}),
    "e-commerce": ("/api/v4/articledata/properties.json", {}),
    "platform": ("/api/v1/platform/authentication/keys.json", {}),
    "rental": ("/api/v1/rental/objects.json", {}),
    "resources": ("/api/v1/workshop/repair-codes.json", {}),
    "sales-export": ("/api/v1/salesdata/payments.json", {"start_date": _EMPTY_DAY, "end_date": _EMPTY_DAY}),
    "stock-export": ("/api/v1/stock/pos-items.json", {}),
    "warehouse": ("/api/v1/warehouse/availability.json", {}),
}
"""A read for each scope that has one, the smallest that the vendor documents."""
