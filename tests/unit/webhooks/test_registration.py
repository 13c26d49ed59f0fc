"""Registration of handlers: types that checkers accept, and slips that are errors at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_type

import pytest

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import Handler, SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.events import (
    CustomerEvent,
    CustomerUpdated,
    Event,
    SalesOrderUpdated,
    StoreOrderEvent,
    WorkshopOrderUpdated,
)


@pytest.fixture
def receiver() -> WebhookReceiver:
    return WebhookReceiver("secret", SqliteInbox("never-opened.db"))


async def workshop_or_customer(event: WorkshopOrderUpdated | CustomerUpdated) -> None:
    assert event.payload


async def any_of_four(
    event: WorkshopOrderUpdated | CustomerEvent | SalesOrderUpdated | StoreOrderEvent,
) -> None:
    assert event.payload


async def every(event: Event) -> None:
    assert event.id


def test_the_types_of_a_handler_follow_from_those_it_is_registered_for(receiver: WebhookReceiver) -> None:
    one = receiver.on(WorkshopOrderUpdated)
    assert_type(one, Callable[[Handler[WorkshopOrderUpdated]], Handler[WorkshopOrderUpdated]])
    two = receiver.on(WorkshopOrderUpdated, CustomerUpdated)
    assert_type(two(workshop_or_customer), Handler[WorkshopOrderUpdated | CustomerUpdated])
    receiver.on(WorkshopOrderUpdated, CustomerUpdated, SalesOrderUpdated)(every)
    four = receiver.on(WorkshopOrderUpdated, CustomerEvent, SalesOrderUpdated, StoreOrderEvent)
    assert four(any_of_four) is any_of_four
    assert receiver.on_any(every) is every


async def handler(_: Event) -> None: ...


def no_coroutine(_: Event) -> None: ...


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((handler,), "event classes, got function handler"),
        (("workshop_order.updated",), "event classes, got str"),
        ((dict,), "event classes, got type dict"),
        ((WorkshopOrderUpdated, 5), "event classes, got int"),
        ((events,), "event classes, got module"),
        ((), "on_any"),
    ],
    ids=["without parentheses", "a name", "another class", "a number", "the module", "nothing"],
)
def test_what_is_no_event_class_is_an_error_at_once(
    receiver: WebhookReceiver, given: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        receiver.on(*given)


@pytest.mark.parametrize(
    "given", [no_coroutine, print, None, "handle"], ids=["def", "print", "None", "a name"]
)
def test_a_handler_that_is_no_async_function_is_an_error_at_once(
    receiver: WebhookReceiver, given: Any
) -> None:
    for register in (receiver.on_any, receiver.on_dead, receiver.on(Event)):
        with pytest.raises(UsageError, match="async"):
            register(given)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_bytes": 0}, "max_bytes must be >= 1, got 0"),
        ({"concurrency": 0}, "concurrency must be >= 1"),
        ({"retry_for": -1.0}, "retry_for must be >= 0"),
        ({"retry_for": float("nan")}, "retry_for must be >= 0"),
        ({"retry_after": -0.1}, "retry_after must be >= 0"),
        ({"stop_timeout": -1}, "stop_timeout must be >= 0"),
        ({"handler_timeout": 0}, "handler_timeout must be > 0 seconds or None"),
        ({"max_age": 0.0}, "max_age must be > 0 seconds or None"),
    ],
    ids=range(8),
)
def test_numbers_out_of_range_are_errors(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        WebhookReceiver("secret", SqliteInbox("never-opened.db"), **settings)


def test_a_path_is_no_inbox() -> None:
    message = r"inbox must be an inbox, got str; write SqliteInbox\(\"inbox.db\"\)"
    untyped: Any = "inbox.db"
    with pytest.raises(UsageError, match=message):
        WebhookReceiver("secret", untyped)


def test_max_attempts_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="use retry_for"):
        WebhookReceiver("secret", SqliteInbox("never-opened.db"), max_attempts=3)
