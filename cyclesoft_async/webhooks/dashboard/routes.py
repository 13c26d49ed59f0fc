"""Requests of the dashboard: who may do what, and which page answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal, cast, get_args

import htpy
from aiohttp import hdrs, web
from msgspec.structs import replace
from multidict import MultiDictProxy

from cyclesoft_async.errors import InboxError, UsageError
from cyclesoft_async.snapshots import QuotaSnapshot
from cyclesoft_async.webhooks.inbox import (
    Action,
    BaseInbox,
    Entry,
    FailedAttempt,
    Selection,
    State,
)

from . import pages
from .access import CSRF_COOKIE, SESSION_COOKIE, Authorize, PasswordFile, check_csrf, csrf_secret, csrf_token
from .figures import FiguresCache
from .jobs import Jobs, ReplayJob
from .masking import difference, pretty
from .pages import View

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks.dashboard")

Answer = Callable[[web.Request, View], Awaitable[web.StreamResponse]]

_STATIC: Final = Path(__file__).with_name("static")
_CONTENT_TYPES: Final = {"style.css": "text/css", "htmx.min.js": "text/javascript"}
_PAGE: Final = 50
_OTHERS: Final = 20
_COUNT_SECONDS: Final = 0.3
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def add_dashboard(
    app: web.Application,
    prefix: str,
    inbox: BaseInbox,
    access: Authorize | PasswordFile,
    *,
    quota: Callable[[], QuotaSnapshot] | None = None,
) -> None:
    """Serve the dashboard of an inbox in an aiohttp application that has not started.

    Args:
        app: The application.
        prefix: For example "/inbox".
        inbox: The inbox. It need not be open.
        access: Tells who may see it.
        quota: Returns the quota to show, such as `lambda: cs.quota`.

    Raises:
        UsageError: The prefix does not begin with a slash.
    """
    if not prefix.startswith("/"):
        raise UsageError(f"prefix must begin with a slash, got {prefix!r}")
    _Dashboard(app, prefix.rstrip("/"), inbox, access, quota=quota)


class _Dashboard:
    def __init__(
        self,
        app: web.Application,
        prefix: str,
        inbox: BaseInbox,
        access: Authorize | PasswordFile,
        *,
        quota: Callable[[], QuotaSnapshot] | None,
    ) -> None:
        self._prefix = prefix
        self._inbox = inbox
        self._passwords = access if isinstance(access, PasswordFile) else None
        self._authorize = access.authorize if isinstance(access, PasswordFile) else access
        self._quota = quota
        self._reader = inbox.reader()
        self._figures = FiguresCache(self._reader)
        self._jobs = Jobs()
        gets: dict[str, Answer] = {
            "/": self._list,
            "/overview": self._overview,
            "/overview/figures": partial(self._overview, is_part=True),
            r"/deliveries/{seq:\d{1,18}}": self._delivery,
            "/jobs/{id}": self._job,
            "/jobs/{id}/status": partial(self._job, is_part=True),
        }
        posts: dict[str, Answer] = {
            "/confirm": self._confirm,
            "/act": self._act,
            r"/deliveries/{seq:\d{1,18}}/unmask": partial(self._delivery, is_masked=False),
        }
        for path, answer in gets.items():
            app.router.add_get(prefix + path, partial(self._answer, answer))
        for path, answer in posts.items():
            app.router.add_post(prefix + path, partial(self._answer, answer))
        app.router.add_get(f"{prefix}/static/{{name}}", self._static)
        if self._passwords is not None:
            app.router.add_post(f"{prefix}/sign-in", self._sign_in)
            app.router.add_post(f"{prefix}/sign-out", self._sign_out)
        app.on_cleanup.append(self._stop)

    async def _stop(self, _: web.Application) -> None:
        await self._jobs.stop()
        self._figures.stop()
        self._reader.close()

    async def _answer(self, answer: Answer, request: web.Request) -> web.StreamResponse:
        operator = await self._authorize(request)
        if operator is None:
            if self._passwords is None:
                return web.Response(status=401, headers=_HEADERS, text="Not signed in.")
            return self._sign_in_page(request, failed=False)
        secret = csrf_secret(request)
        view = View(
            prefix=self._prefix,
            operator=operator,
            csrf_secret=secret,
            csrf=csrf_token(request, secret),
            can_sign_out=self._passwords is not None,
        )
        if request.method == hdrs.METH_POST:
            check_csrf(request, await _form(request))
            if not operator.may_act:
                raise web.HTTPForbidden(text="A viewer may only look.")
        try:
            return await answer(request, view)
        except UsageError as error:
            return self._page(
                request, view, pages.message_page(view, "That does not work", str(error)), status=400
            )
        except InboxError as error:
            shown = pages.message_page(view, "The inbox cannot be used", str(error))
            return self._page(request, view, shown, status=503)

    def _page(
        self, request: web.Request, view: View, element: htpy.Element, *, status: int = 200
    ) -> web.Response:
        response = web.Response(status=status, headers=_HEADERS, text=str(element), content_type="text/html")
        self._set_cookie(request, response, CSRF_COOKIE, view.csrf_secret)
        return response

    def _set_cookie(self, request: web.Request, response: web.Response, name: str, value: str) -> None:
        response.set_cookie(
            name,
            value,
            path=self._prefix or "/",
            httponly=True,
            samesite="Strict",
            secure=_is_secure(request),
        )

    async def _static(self, request: web.Request) -> web.StreamResponse:
        content_type = _CONTENT_TYPES.get(request.match_info["name"])
        if content_type is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}
        body = (_STATIC / request.match_info["name"]).read_bytes()
        return web.Response(body=body, content_type=content_type, headers=headers)

    def _sign_in_page(self, request: web.Request, *, failed: bool) -> web.Response:
        secret = csrf_secret(request)
        shown = str(pages.sign_in_page(self._prefix, csrf_token(request, secret), failed=failed))
        response = web.Response(status=401, headers=_HEADERS, text=shown, content_type="text/html")
        self._set_cookie(request, response, CSRF_COOKIE, secret)
        return response

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        check_csrf(request, form)
        name = str(form.get("name", ""))
        session = (
            None if self._passwords is None else self._passwords.sign_in(name, str(form.get("password", "")))
        )
        if session is None:
            logger.warning("a sign-in to the dashboard failed")
            await asyncio.sleep(_FAILED_SIGN_IN_SECONDS)
            return self._sign_in_page(request, failed=True)
        logger.info("%s signed in to the dashboard", name, extra={"operator": name})
        response = web.Response(status=303, headers={**_HEADERS, "Location": f"{self._prefix}/"})
        self._set_cookie(request, response, SESSION_COOKIE, session)
        return response

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        check_csrf(request, await _form(request))
        response = web.Response(status=303, headers={**_HEADERS, "Location": f"{self._prefix}/"})
        if self._passwords is not None:
            self._passwords.sign_out(request)
        response.del_cookie(SESSION_COOKIE, path=self._prefix or "/")
        return response

    async def _list(self, request: web.Request, view: View) -> web.StreamResponse:
        given = _given(request.query)
        before = request.query.get("before", "")
        found = await asyncio.to_thread(
            self._reader.find,
            _selection(given),
            before=int(before) if before.isdecimal() else None,
            limit=_PAGE,
        )
        shown = pages.list_page(
            view, given, found.items, next_before=found.next_before, is_partial=found.is_partial
        )
        return self._page(request, view, shown)

    async def _overview(
        self, request: web.Request, view: View, *, is_part: bool = False
    ) -> web.StreamResponse:
        figures = await self._figures.get()
        quota = None if self._quota is None else _quota_text(self._quota())
        make = pages.overview_figures if is_part else pages.overview_page
        return self._page(request, view, make(view, figures, quota))

    async def _delivery(
        self, request: web.Request, view: View, *, is_masked: bool = True
    ) -> web.StreamResponse:
        seq = int(request.match_info["seq"])
        found = await asyncio.to_thread(self._read_delivery, seq)
        if found is None:
            text = "There is no such delivery. It may have been purged."
            return self._page(request, view, pages.message_page(view, "Not found", text), status=404)
        entry, attempts, original, others = found
        if not is_masked:
            logger.info(
                "%s looked at the body of delivery %d", view.operator.name, seq,
                extra={"operator": view.operator.name, "event_id": entry.id},
            )  # fmt: skip
        shown = pages.delivery_page(
            view,
            entry,
            attempts,
            pretty(entry.body, mask=is_masked),
            is_masked=is_masked,
            difference=None
            if original is None
            else list(difference(original.body, entry.body, mask=is_masked)),
            others=others,
        )
        return self._page(request, view, shown)

    def _read_delivery(self, seq: int) -> _Delivery | None:
        find = self._reader.find
        newest = find(Selection(seqs=(seq,)), before=seq + 1, limit=1, with_bodies=True).items
        if not newest or newest[0].seq != seq:
            return None
        entry = newest[0]
        original: Entry | None = None
        if entry.state == "quarantined":
            same_id = Selection(delivery_id=entry.id, account_id=entry.account_id)
            earlier = find(same_id, before=seq, limit=-1, with_bodies=True).items
            original = earlier[-1] if earlier else None
        others = find(Selection(entity=entry.entity), limit=_OTHERS).items
        return entry, self._reader.failed_attempts(seq), original, others

    async def _confirm(self, request: web.Request, view: View) -> web.StreamResponse:
        form = cast("Mapping[str, str]", await _form(request))
        action, given, seqs = _action(form), _given(form), await _seqs(request)
        selection = _selection(given) if seqs is None else Selection(seqs=seqs)
        if seqs == ():
            shown = pages.message_page(view, "Nothing selected", "Select deliveries first.")
            return self._page(request, view, shown, status=400)
        found = await asyncio.to_thread(
            self._reader.actionable,
            action,
            selection,
            limit=pages.MOST_COUNTED + 1,
            seconds=_COUNT_SECONDS,
        )
        count = pages.MOST_COUNTED + 1 if found.is_partial else len(found.items)
        fields = [*given.items(), *(("seq", str(seq)) for seq in seqs or ())]
        return self._page(request, view, pages.confirm_page(view, form["action"], count, fields))

    async def _act(self, request: web.Request, view: View) -> web.StreamResponse:
        form = cast("Mapping[str, str]", await _form(request))
        action, seqs = _action(form), await _seqs(request)
        selection = _selection(_given(form)) if seqs is None else Selection(seqs=seqs)
        found = await asyncio.to_thread(self._reader.actionable, action, selection)
        job = ReplayJob(self._inbox, action, found.items, view.operator.name)
        self._jobs.start(job)
        return web.Response(status=303, headers={**_HEADERS, "Location": view.url(f"/jobs/{job.id}")})

    async def _job(self, request: web.Request, view: View, *, is_part: bool = False) -> web.StreamResponse:
        job = self._jobs.get(request.match_info["id"])
        if job is None:
            text = "There is no such action in this process."
            return self._page(request, view, pages.message_page(view, "Not found", text), status=404)
        return self._page(request, view, (pages.job_status if is_part else pages.job_page)(view, job))


_Delivery = tuple[Entry, Sequence[FailedAttempt], Entry | None, Sequence[Entry]]
_FAILED_SIGN_IN_SECONDS: Final = 0.5
_FILTERS: Final = ("state", "event", "account", "entity", "handler", "error", "since", "until")


def _is_secure(request: web.Request) -> bool:
    # Behind a proxy that ends TLS the request itself is plain.
    return request.secure or request.headers.get("X-Forwarded-Proto") == "https"


async def _form(request: web.Request) -> MultiDictProxy[str | bytes | bytearray | web.FileField]:
    """Return the fields of a form.

    Raises:
        HTTPBadRequest: They cannot be read.
    """
    try:
        return await request.post()
    except (LookupError, ValueError):  # of the charset that the request names
        raise web.HTTPBadRequest(text="The form cannot be read.") from None


def _given(form: Mapping[str, object]) -> dict[str, str]:
    """Return the filters that a query or a form names."""
    return {name: str(form[name]) for name in _FILTERS if form.get(name)}


def _selection(given: Mapping[str, str]) -> Selection:
    """Return the deliveries that filters select.

    Raises:
        UsageError: A value makes no sense.
    """
    state, account = given.get("state"), given.get("account")
    if state is not None and state not in get_args(State):
        raise UsageError(f"state must be one of {', '.join(get_args(State))}")
    if account is not None and not (account.isdecimal() and len(account) < 19):  # noqa: PLR2004 - of a bigint
        raise UsageError("account must be a number")
    selection = Selection(
        states=() if state is None else (cast("State", state),),
        event_name=given.get("event"),
        account_id=None if account is None else int(account),
        entity=given.get("entity"),
        handler=given.get("handler"),
        error=given.get("error"),
    )
    return replace(selection, since=_moment(given, "since"), until=_moment(given, "until"))


def _moment(given: Mapping[str, str], name: str) -> datetime | None:
    if name not in given:
        return None
    try:
        moment = datetime.fromisoformat(given[name])
    except ValueError:
        raise UsageError(f"{name} must be a time like 2026-01-31T12:00") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _action(form: Mapping[str, str]) -> Action:
    """Return the action that a form asks for.

    Raises:
        UsageError: There is none.
    """
    action, _, _ = form.get("action", "").partition("-")
    if action not in get_args(Action):
        raise UsageError("action must be replay or dismiss")
    return cast("Literal['replay', 'dismiss']", action)


async def _seqs(request: web.Request) -> tuple[int, ...] | None:
    """Return the selected deliveries, or None if the form is about all that match."""
    form = await _form(request)
    if not str(form.get("action", "")).endswith("-selected"):
        return None
    values = [str(value) for value in form.getall("seq", [])]
    return tuple(int(value) for value in values if value.isdecimal() and len(value) < 19)  # noqa: PLR2004


def _quota_text(quota: QuotaSnapshot) -> str:
    return (
        f"{quota.minutely.remaining:,} of {quota.minutely.limit:,} left this minute,"
        f" {quota.daily.remaining:,} of {quota.daily.limit:,} today"
    )
