"""Handlers by event type."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from cyclesoft_async.errors import UsageError

from .events import Event, UnknownEvent

E = TypeVar("E", bound=Event)

Handler: TypeAlias = Callable[[E], Awaitable[None]]
DeadLetterHandler: TypeAlias = Callable[[Event, str], Awaitable[None]]


class Route(NamedTuple):
    """A handler, under the name by which the inbox records its success."""

    name: str
    types: tuple[type[Event], ...]
    handle: Handler[Any]


class Routes:
    """Handlers in the order of their registration.

    Attributes:
        on_dead: Handlers of dead letters.
    """

    def __init__(self) -> None:
        self._routes: list[Route] = []
        self._by_type: dict[type[Event], list[Route]] = {}
        self.on_dead: list[DeadLetterHandler] = []

    def add(self, types: tuple[type[Event], ...], handler: Handler[Any]) -> None:
        """Register a handler.

        Raises:
            UsageError: It is not an async function.
        """
        check_handler(handler)
        name = f"{handler.__module__}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"
        namesakes = sum(route.name.partition("#")[0] == name for route in self._routes)
        self._by_type.clear()
        self._routes.append(Route(f"{name}#{namesakes + 1}" if namesakes else name, types, handler))

    def matching(self, event: Event) -> list[Route]:
        """Return the handlers of this event, those of its base classes included."""
        found = self._by_type.get(type(event))
        if found is None:
            found = [route for route in self._routes if isinstance(event, route.types)]
            self._by_type[type(event)] = found
        return found


def understood(event: Event, routes: Sequence[Route]) -> bool:
    """Return whether the event is known, or one of these handlers is registered for `UnknownEvent` itself."""
    return not isinstance(event, UnknownEvent) or any(UnknownEvent in route.types for route in routes)


def check_handler(handler: object) -> None:
    """Check a handler when it is registered.

    Raises:
        UsageError: It is not an async function.
    """
    call = getattr(handler, "__call__", None)  # noqa: B004 - objects with an async __call__ are handlers too
    if not (inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)):
        raise UsageError(f"a handler must be an async function, got {described(handler)}; write async def")


def check_types(types: Sequence[object]) -> None:
    """Check the arguments of `WebhookReceiver.on`.

    Raises:
        UsageError: There is none, or one is not an event class.
    """
    if not types:
        raise UsageError("on() must name event classes, got none; use on_any for every event")
    for given in types:
        if not (inspect.isclass(given) and issubclass(given, Event)):
            raise UsageError(
                f"on() must be given event classes, got {described(given)};"
                " write @receiver.on(events.WorkshopOrderUpdated)"
            )


def described(value: object) -> str:
    """Name a wrong argument in an error, without its contents unless it is a class or a function."""
    name = getattr(value, "__qualname__", None)
    return f"{type(value).__name__} {name}" if isinstance(name, str) else type(value).__name__
