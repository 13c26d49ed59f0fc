"""Which handlers an event has."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

from cyclesoft_async.errors import UsageError

from .events import Event, UnknownEvent

E = TypeVar("E", bound=Event)

Handler: TypeAlias = Callable[[E], Awaitable[None]]


class Route(NamedTuple):
    """A handler, under the name by which the inbox knows that it succeeded."""

    name: str
    types: tuple[type[Event], ...]
    handle: Handler[Any]


class Routes:
    """Handlers in the order of their registration."""

    def __init__(self) -> None:
        self._routes: list[Route] = []
        self._by_type: dict[type[Event], list[Route]] = {}

    def add(self, types: tuple[type[Event], ...], handler: Handler[Any]) -> None:
        """Register a handler.

        Raises:
            UsageError: It is no async function, or it is for no events.
        """
        call = getattr(handler, "__call__", None)  # noqa: B004 - objects with an async __call__ are handlers too
        if not (inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)):
            raise UsageError("a handler is an async function of one event")
        if not types:
            raise UsageError("say which events the handler is for, or use on_any")
        name = f"{handler.__module__}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"
        namesakes = sum(route.name.partition("#")[0] == name for route in self._routes)
        self._by_type.clear()
        self._routes.append(Route(f"{name}#{namesakes + 1}" if namesakes else name, types, handler))

    def matching(self, event: Event) -> list[Route]:
        """The handlers of this event, those of its families included."""
        found = self._by_type.get(type(event))
        if found is None:
            found = [route for route in self._routes if isinstance(event, route.types)]
            self._by_type[type(event)] = found
        return found


def understood(event: Event, routes: list[Route]) -> bool:
    """Whether the event is known, or one of these handlers asked for unknown ones by that name."""
    return not isinstance(event, UnknownEvent) or any(UnknownEvent in route.types for route in routes)
