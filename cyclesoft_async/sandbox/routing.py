"""Routes that want a scope.

Vendor page: "Scopes" (Introduction).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import wraps
from typing import Final, cast

from aiohttp import web
from aiohttp.typedefs import Handler

from .responses import ApiError

ID: Final = "[0-9]{1,18}"
"""Pattern of a number in a path."""
SCOPES: Final = web.AppKey("scopes", frozenset[str])
"""Scopes of the account; absent if it has all of them."""


def scoped(routes: Iterable[web.RouteDef], *scopes: str) -> list[web.RouteDef]:
    """Return the routes, answering 403 to an account that has none of the scopes."""
    return [
        web.RouteDef(route.method, route.path, _checked(cast("Handler", route.handler), scopes), route.kwargs)
        for route in routes
    ]


def _checked(handler: Handler, scopes: tuple[str, ...]) -> Handler:
    @wraps(handler)
    async def check(request: web.Request) -> web.StreamResponse:
        granted = request.app.get(SCOPES)
        if granted is not None and granted.isdisjoint(scopes):
            raise ApiError(403, "Forbidden")
        return await handler(request)

    return check
