"""Comments of the sandbox. Vendor page: "Comments"."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from .offset_pages import page, read_object
from .responses import bad_request, json_response, not_found
from .routing import ID, scoped
from .world.entities import check_entity
from .world.overlay import Record
from .world.world import World


class CommentsApi:
    """Endpoints of the vendor page "Comments". Their paths are singular and plural, as documented."""

    def __init__(self, world: World, *, page_size: int) -> None:
        self._world = world
        self._page_size = page_size

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        one = f"{{comment_id:{ID}}}.json"
        routes = [
            web.get(f"/api/v1/comments/{one}", self.get),
            web.get(f"/api/v1/comments/{{entity_type_id:{ID}}}/{{entity_id:{ID}}}.json", self.of_entity),
            web.get(f"/api/v1/customers/{{customer_id:{ID}}}/comments.json", self.of_customer),
            web.post("/api/v1/comment/create.json", self.create),
            web.put(f"/api/v1/comment/{one}", self.update),
            web.delete(f"/api/v1/comments/{one}", self.delete),
        ]
        return scoped(routes, "resources", "crm")

    async def get(self, request: web.Request) -> web.Response:
        """Get one comment."""
        payload = {"error": False, "error_message": None, "comment": self._comment(request)}
        return json_response(request, payload)

    async def of_entity(self, request: web.Request) -> web.Response:
        """List the comments on an entity."""
        entity = int(request.match_info["entity_type_id"]), int(request.match_info["entity_id"])
        check_entity(self._world, *entity)
        return self._page(request, self._world.comments.of_entity(*entity))

    async def of_customer(self, request: web.Request) -> web.Response:
        """List the comments about a customer."""
        customer_id = int(request.match_info["customer_id"])
        self._world.customer(customer_id)
        return self._page(request, self._world.comments.of_customer(customer_id))

    async def create(self, request: web.Request) -> web.Response:
        """Create a comment. The answer does not have its id."""
        given = await read_object(request)
        entity = given.get("entity_type_id"), given.get("entity_id")
        if not all(type(part) is int for part in entity):
            raise bad_request("entity_type_id and entity_id must be integers")
        owner = check_entity(self._world, given["entity_type_id"], given["entity_id"])
        customer_id = given.get("customer_id") or owner
        if customer_id is not None and customer_id not in self._world.customers:
            raise bad_request(f"Unknown customer: {customer_id}")
        self._world.comments.create(given, customer_id=customer_id)
        return _done(request)

    async def update(self, request: web.Request) -> web.Response:
        """Change type, employee or text of a comment."""
        self._world.comments.update(self._comment(request), await read_object(request))
        return _done(request)

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a comment."""
        self._world.comments.delete(self._comment(request)["comment_id"])
        return _done(request)

    def _comment(self, request: web.Request) -> Record:
        found = self._world.comments.find(int(request.match_info["comment_id"]))
        if found is None:
            raise not_found("Comment not found")
        return found

    def _page(self, request: web.Request, comments: Iterable[Record]) -> web.Response:
        """Return a page. The last one that has rows names another one, which is empty."""
        rows, _ = page(request, comments, self._page_size)
        offset = int(request.query.get("offset") or 0) + len(rows)
        payload = {
            "error": False,
            "error_message": None,
            "results": len(rows),
            "next_resultset": f"{request.path}?offset={offset}" if rows else None,
            "comments": rows,
        }
        return json_response(request, payload)


def _done(request: web.Request) -> web.Response:
    return json_response(request, {"error": False, "error_message": None})
