"""Labels of the sandbox. Vendor page: "Labels"."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from .responses import bad_request, json_response
from .routing import ID, scoped
from .world.entities import check_entity
from .world.world import World

_LABELS: Final = msgspec.json.Decoder(list[str])


class LabelsApi:
    """Endpoints of the vendor page "Labels"."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        entity = f"/api/v1/labels/{{entity_type_id:{ID}}}/{{entity_id:{ID}}}"
        routes = [
            web.get(f"{entity}/get.json", self.get),
            web.post(f"{entity}/attach.json", self.attach),
            web.post(f"{entity}/detach.json", self.detach),
        ]
        return scoped(routes, "e-commerce", "common", "warehouse")

    async def get(self, request: web.Request) -> web.Response:
        """Return the labels of an entity."""
        entity = self._entity(request)
        return _answer(request, entity, self._world.labels.of(*entity))

    async def attach(self, request: web.Request) -> web.Response:
        """Attach labels; return all that the entity has now."""
        entity = self._entity(request)
        return _answer(request, entity, self._world.labels.attach(*entity, await _labels(request)))

    async def detach(self, request: web.Request) -> web.Response:
        """Detach labels; return those that are left."""
        entity = self._entity(request)
        return _answer(request, entity, self._world.labels.detach(*entity, await _labels(request)))

    def _entity(self, request: web.Request) -> tuple[int, int]:
        entity = int(request.match_info["entity_type_id"]), int(request.match_info["entity_id"])
        check_entity(self._world, *entity)
        return entity


async def _labels(request: web.Request) -> list[str]:
    try:
        return _LABELS.decode(await request.read())
    except msgspec.DecodeError as error:
        raise bad_request("Bad request") from error


def _answer(request: web.Request, entity: tuple[int, int], labels: list[str]) -> web.Response:
    payload = {
        "error": False,
        "error_message": None,
        "entity_type_id": entity[0],
        "entity_id": entity[1],
        "labels": labels,
    }
    return json_response(request, payload)
