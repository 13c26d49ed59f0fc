"""Pages of the dashboard as HTML. htpy escapes every text and attribute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, get_args
from urllib.parse import urlencode

import htpy as h
from msgspec import Struct

from cyclesoft_async.errors import printable_line
from cyclesoft_async.webhooks.events import EVENT_TYPES
from cyclesoft_async.webhooks.inbox import Entry, FailedAttempt, State

from .access import Operator
from .charts import bars
from .figures import Figures
from .jobs import ReplayJob

MOST_COUNTED: Final = 10_000
_FILTERS: Final = ("state", "event", "account", "entity", "handler", "error", "since", "until")
_HINTS: Final = {
    "account": "number",
    "entity": "workshop_order/17",
    "handler": "module.function",
    "error": "text of the error",
}


class View(Struct, frozen=True, kw_only=True):
    """What every page needs to know of its request."""

    prefix: str
    operator: Operator
    csrf_secret: str
    """The cookie's value."""
    csrf: str
    """The token for forms that belongs to it and to the session."""
    can_sign_out: bool

    @property
    def may_act(self) -> bool:
        """Whether forms that change something are shown."""
        return self.operator.may_act

    def url(self, path: str, **query: object) -> str:
        """Return the URL of a page of the dashboard."""
        given = urlencode({name: value for name, value in query.items() if value not in {None, ""}})
        return f"{self.prefix}{path}" + (f"?{given}" if given else "")


def page(view: View | None, title: str, *content: h.Node, prefix: str = "") -> h.Element:
    """Return a whole page; without a view, one for a visitor who has not signed in."""
    root = view.prefix if view is not None else prefix
    return h.html(lang="en")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.meta(name="color-scheme", content="light dark"),
            h.meta(name="htmx-config", content='{"includeIndicatorStyles":false,"allowEval":false}'),
            h.title[f"{title} · Webhooks"],
            h.link(rel="stylesheet", href=f"{root}/static/style.css"),
            h.script(src=f"{root}/static/htmx.min.js", defer=True),
        ],
        h.body[
            h.a(".skip", href="#main")["Skip to the content"],
            _header(view) if view is not None else None,
            h.main("#main", tabindex="-1")[h.h1[title], content],
        ],
    ]


def _header(view: View) -> h.Element:
    return h.header[
        h.nav(aria_label="Pages")[
            h.a(href=view.url("/"))["Deliveries"], h.a(href=view.url("/overview"))["Overview"]
        ],
        h.div(".who")[
            view.operator.name,
            None if view.operator.may_act else " (viewer)",
            _form(view, "/sign-out", h.button["Sign out"]) if view.can_sign_out else None,
        ],
    ]


def sign_in_page(prefix: str, csrf: str, *, failed: bool) -> h.Element:
    """Return the page that asks for name and password."""
    return page(
        None,
        "Sign in",
        h.p(".problem", role="alert")["The name or the password is wrong."] if failed else None,
        h.form(".stack", method="post", action=f"{prefix}/sign-in")[
            h.input(type="hidden", name="csrf", value=csrf),
            h.label["Name", h.input(name="name", required=True, autocomplete="username")],
            h.label[
                "Password",
                h.input(name="password", type="password", required=True, autocomplete="current-password"),
            ],
            h.button["Sign in"],
        ],
        prefix=prefix,
    )


def message_page(view: View, title: str, text: str) -> h.Element:
    """Return a page that says one thing."""
    return page(view, title, h.p[text])


def list_page(
    view: View, given: Mapping[str, str], found: Sequence[Entry], *, next_before: int | None, is_partial: bool
) -> h.Element:
    """Return the page of deliveries.

    Args:
        view: The request.
        given: Its filters.
        found: The deliveries, newest first.
        next_before: Where the next page begins; None on the last one.
        is_partial: Whether the search stopped before the page was full, as it took long.
    """
    older = "Search further back" if is_partial else "Older deliveries"
    return page(
        view,
        "Deliveries",
        _filter_form(view, given),
        h.form("#deliveries", method="post", action=view.url("/confirm"))[
            h.input(type="hidden", name="csrf", value=view.csrf),
            [h.input(type="hidden", name=name, value=value) for name, value in given.items()],
            _table(view, found, selectable=view.may_act),
            h.p(role="status")[_found_text(found, is_partial)],
            _actions(given) if view.may_act and (found or given) else None,
        ],
        h.nav(aria_label="Further pages")[
            h.a(href=view.url("/", **given, before=next_before), rel="next")[older]
        ]
        if next_before is not None
        else None,
    )


def _found_text(found: Sequence[Entry], is_partial: bool) -> str | None:
    if is_partial:
        return f"{len(found)} found so far. The search goes back further with the link below."
    return None if found else "No delivery matches."


def _filter_form(view: View, given: Mapping[str, str]) -> h.Element:
    states = [("", "any state"), *((state, state) for state in get_args(State))]
    return h.form(
        ".filters", method="get", action=view.url("/"), role="search", aria_label="Filter deliveries"
    )[
        h.label[
            "State",
            h.select(name="state")[
                (
                    h.option(value=value, selected=given.get("state", "") == value)[text]
                    for value, text in states
                )
            ],
        ],
        h.label["Event", h.input(name="event", list="events", value=given.get("event", ""))],
        h.datalist("#events")[(h.option(value=name) for name in EVENT_TYPES)],
        (
            h.label[
                name.capitalize(),
                h.input(name=name, value=given.get(name, ""), placeholder=hint, inputmode=_inputmode(name)),
            ]
            for name, hint in _HINTS.items()
        ),
        (
            h.label[
                name.capitalize(),
                h.input(name=name, type="datetime-local", value=given.get(name, ""), title="UTC"),
            ]
            for name in ("since", "until")
        ),
        h.div[h.button["Filter"], h.a(href=view.url("/"))["Clear"]],
    ]


def _inputmode(name: str) -> str:
    return "numeric" if name == "account" else "text"


def _table(view: View, found: Sequence[Entry], *, selectable: bool) -> h.Element:
    columns = ["State", "Event", "Entity", "Received (UTC)", "Attempts", "Error"]
    return h.div(".wide", tabindex="0", role="region", aria_label="Deliveries")[
        h.table[
            h.thead[
                h.tr[
                    h.th[h.span(".hidden")["Select"]] if selectable else None,
                    (h.th(scope="col")[column] for column in columns),
                ]
            ],
            h.tbody[(_row(view, entry, selectable=selectable) for entry in found)],
        ]
    ]


def _row(view: View, entry: Entry, *, selectable: bool) -> h.Element:
    name = shown(entry.event_name or "no event")
    return h.tr[
        h.td[
            h.input(
                type="checkbox", name="seq", value=str(entry.seq), aria_label=f"Select {name} {entry.seq}"
            )
        ]
        if selectable
        else None,
        h.td[state_badge(entry.state)],
        h.td[h.a(href=view.url(f"/deliveries/{entry.seq}"))[name]],
        h.td[h.a(href=view.url("/", entity=entry.entity))[shown(entry.entity)]],
        h.td[moment(entry.received_at)],
        h.td(".number")[str(entry.attempts)],
        h.td(".error")[shown(entry.error or "")],
    ]


def _actions(given: Mapping[str, str]) -> h.Element:
    what = "all that match" if given else "all"
    return h.fieldset[
        h.legend["Actions"],
        h.button(name="action", value="replay-selected")["Replay selected"],
        h.button(name="action", value="dismiss-selected")["Dismiss selected"],
        h.button(name="action", value="replay-all")[f"Replay {what}…"],
        h.button(name="action", value="dismiss-all")[f"Dismiss {what}…"],
    ]


def confirm_page(view: View, action: str, count: int, fields: Iterable[tuple[str, str]]) -> h.Element:
    """Return the page that names how many deliveries an action concerns, and asks once more."""
    verb = "Replay" if action.startswith("replay") else "Dismiss"
    text = (
        "Their handlers will run once more. Only done and dead deliveries can be replayed."
        if verb == "Replay"
        else "They become done; no handler runs. Only dead and quarantined deliveries can be dismissed."
    )
    if not count:
        return page(view, f"{verb} deliveries", h.p["None of them can be. ", text], _back(view))
    return page(
        view,
        f"{verb} {counted(count)}?",
        h.p[text],
        _form(
            view,
            "/act",
            [h.input(type="hidden", name=name, value=value) for name, value in fields],
            h.button(name="action", value=action)[f"{verb} {counted(count)}"],
        ),
        _back(view),
    )


def _back(view: View) -> h.Element:
    return h.p[h.a(href=view.url("/"))["Back to the deliveries"]]


def job_page(view: View, job: ReplayJob) -> h.Element:
    """Return the page of a running action. It refreshes itself, with and without JavaScript."""
    return page(view, "Action", job_status(view, job), _back(view))


def job_status(view: View, job: ReplayJob) -> h.Element:
    """Return the part of the page that is refreshed."""
    refresh = {"hx-get": view.url(f"/jobs/{job.id}/status"), "hx-trigger": "every 1s", "hx-swap": "outerHTML"}
    text = f"{job.done:,} of {job.total:,} deliveries {job.verb}"
    return h.div("#job", {} if job.is_finished else refresh)[
        h.progress(max=str(max(job.total, 1)), value=str(job.done), aria_label="Progress"),
        h.p(role="status")[f"{text}. {job.problem or 'Done.'}" if job.is_finished else f"{text} so far."],
        None if job.is_finished else h.a(href=view.url(f"/jobs/{job.id}"))["Refresh"],
    ]


def delivery_page(
    view: View,
    entry: Entry,
    attempts: Sequence[FailedAttempt],
    body: str,
    *,
    is_masked: bool,
    difference: Sequence[str] | None,
    others: Sequence[Entry],
) -> h.Element:
    """Return the page of one delivery: facts, failed attempts, body, the entity's other deliveries."""
    facts: dict[str, h.Node] = {
        "State": state_badge(entry.state),
        "Id": shown(entry.id),
        "Account": str(entry.account_id),
        "Entity": h.a(href=view.url("/", entity=entry.entity))[shown(entry.entity)],
        "Received": moment(entry.received_at),
        "Happened": moment(entry.occurred_at) if entry.occurred_at else "unknown",
        "Attempts": str(entry.attempts),
        "Replays": str(entry.replays),
        "Error": shown(entry.error or "none"),
    }
    return page(
        view,
        shown(entry.event_name or "No event"),
        h.dl[((h.dt[name], h.dd[value]) for name, value in facts.items())],
        _one_delivery_actions(view, entry) if view.may_act else None,
        h.h2["Failed attempts"],
        h.ol(".timeline")[(_attempt(one) for one in attempts)] if attempts else h.p["None is recorded."],
        h.h2["Body"],
        h.p[
            "People's data is masked. ",
            _form(view, f"/deliveries/{entry.seq}/unmask", h.button["Show it"])
            if view.operator.may_act
            else "Viewers may not see it.",
        ]
        if is_masked
        else None,
        h.pre(tabindex="0")[h.code[body]],
        _difference(difference) if difference is not None else None,
        h.h2["Deliveries of the same entity"],
        _table(view, others, selectable=False),
    )


def _one_delivery_actions(view: View, entry: Entry) -> h.Element:
    return h.form(".actions", method="post", action=view.url("/confirm"))[
        h.input(type="hidden", name="csrf", value=view.csrf),
        h.input(type="hidden", name="seq", value=str(entry.seq)),
        h.button(name="action", value="replay-selected")["Replay"],
        h.button(name="action", value="dismiss-selected")["Dismiss"],
    ]


def _attempt(one: FailedAttempt) -> h.Element:
    return h.li[
        moment(one.failed_at),
        f" attempt {one.attempt}: {shown(one.handler)} failed after {one.seconds:.3f} s. ",
        h.span(".error")[shown(one.error)],
    ]


def _difference(lines: Sequence[str]) -> h.Node:
    return [
        h.h2["Difference from the first delivery with this id"],
        h.pre(".diff", tabindex="0")[(h.span(class_=_SIGNS[line[0]])[f"{line}\n"] for line in lines)],
    ]


_SIGNS: Final = {"+": "added", "-": "removed", " ": "same"}


def overview_page(view: View, figures: Figures, quota: str | None) -> h.Element:
    """Return the page of figures. It refreshes itself every 10 seconds where JavaScript runs."""
    return page(view, "Overview", overview_figures(view, figures, quota))


def overview_figures(view: View, figures: Figures, quota: str | None) -> h.Element:
    """Return the part of the overview that is refreshed."""
    stats = figures.stats
    age = None if stats.oldest_due_at is None else (datetime.now(UTC) - stats.oldest_due_at).total_seconds()
    by_state: dict[State, int] = {}
    for one in stats.counts:
        by_state[one.state] = by_state.get(one.state, 0) + one.count
    running = [one for receiver in stats.receivers for one in receiver.running]
    refresh = {"hx-get": view.url("/overview/figures"), "hx-trigger": "every 10s", "hx-swap": "outerHTML"}
    return h.div("#figures", refresh)[
        h.dl(".figures")[
            (
                (h.dt[h.a(href=view.url("/", state=state))[state]], h.dd[counted(count, "")])
                for state, count in by_state.items()
            ),
            h.dt["oldest due"],
            h.dd["none" if age is None else f"{age:,.0f} s"],
            (h.dt["quota"], h.dd[quota]) if quota else None,
        ],
        (h.figure[h.figcaption[chart.title], bars(chart)] for chart in figures.charts),
        h.h2["Failures by handler"],
        h.ul[
            (
                h.li[
                    h.a(href=view.url("/", handler=one.handler))[shown(one.handler)],
                    f": {one.failures:,} failed attempts, worst {one.worst_seconds:.3f} s",
                ]
                for one in stats.handlers
            )
        ]
        if stats.handlers
        else h.p["No attempt has failed."],
        h.h2["Running handlers"],
        h.ul[(h.li[f"{shown(one.handler)} for {one.seconds:,.0f} s"] for one in running)]
        if running
        else h.p["None."],
        h.p["Counted at ", moment(figures.counted_at), " UTC."],
    ]


def _form(view: View, path: str, *content: h.Node) -> h.Element:
    return h.form(".inline", method="post", action=view.url(path))[
        h.input(type="hidden", name="csrf", value=view.csrf), content
    ]


def state_badge(state: State) -> h.Element:
    """Return a state as a badge, which does not depend on its color alone."""
    return h.span(class_=f"badge {state}")[state]


def moment(time: datetime) -> h.Element:
    """Return a time in UTC."""
    text = f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return h.time(datetime=f"{text.replace(' ', 'T')}Z")[text]


def counted(count: int, noun: str = "delivery|deliveries") -> str:
    """Return a number with its noun; above 10,000 it is not counted to the end."""
    one, _, many = noun.partition("|")
    number = f"more than {MOST_COUNTED:,}" if count > MOST_COUNTED else f"{count:,}"
    return f"{number} {one if count == 1 else many}".strip()


def shown(text: str) -> str:
    """Return a text of a payload as one printable line of bounded length."""
    return printable_line(text)
