"""Repair objects: search, list, get, create and update.

Vendor page: "Repair objects" (scope `resources`).
"""

from __future__ import annotations

from typing import TypeAlias

from cyclesoft_async._arguments import check_count, check_text, check_type
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import RepairObject, RepairObjectCreate, RepairObjectUpdate
from cyclesoft_async.pagination import PageReader, Paginator
from cyclesoft_async.transport import Recover, under, whole

from .resource import Endpoint, Listing, Resource, with_look

Objects: TypeAlias = list[RepairObject]  # inside the class, `list` is the method

SEARCH = Listing(
    path="/api/v1/workshop/repair-objects/search.json", rows=PageReader(RepairObject), scope="resources"
)
LIST = Listing(path="/api/v1/workshop/repair-objects.json", rows=PageReader(RepairObject), scope="resources")
OF_CUSTOMER = Endpoint(
    path="/api/v1/customers/{customer_id}/objects.json", answer=whole(Objects), scope="resources"
)
GET = Endpoint(
    path="/api/v1/customers/{customer_id}/objects/{object_id}.json",
    answer=whole(RepairObject),
    scope="resources",
)
GET_BY_ID = Endpoint(
    path="/api/v1/workshop/repair-objects/{object_id}.json",
    answer=under("data", RepairObject),
    scope="resources",
)
CREATE = Endpoint(
    method="POST",
    path="/api/v1/customers/{customer_id}/objects.json",
    answer=whole(RepairObject),
    scope="resources",
    how_to_check="look for it in of_customer(customer_id) before you repeat the call",
)
UPDATE = Endpoint(
    method="PUT",
    path="/api/v1/customers/{customer_id}/objects/{object_id}.json",
    answer=whole(RepairObject),
    scope="resources",
    how_to_check="read the object before you repeat the call",
)
LARGEST_PAGE = 1_000


class RepairObjects(Resource):
    """Bikes that customers bring. Every method can raise any `errors.RequestError`."""

    def search(self, query: str | None = None, *, cursor: str | None = None) -> Paginator[RepairObject]:
        """List the objects that match a text.

        Args:
            query: For example a customer's id, a brand, or the number of a frame.
            cursor: `page.cursor` of an earlier page, to resume after it. It holds the query: pass none.

        Raises:
            UsageError: There is no query and no cursor, or both. Raised at once, without a request.
        """
        if query is not None:
            check_text("query", query)
        elif cursor is None:
            raise UsageError("search needs a query, or the cursor of an earlier page")
        return self._pages(SEARCH, query={"query": query}, cursor=cursor)

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Paginator[RepairObject]:
        """List all objects of the account.

        Args:
            limit: Objects per page, 1,000 at most and by default: a request costs quota, a row does not.
            cursor: `page.cursor` of an earlier page, to resume after it. It holds the limit: pass none.

        Raises:
            UsageError: The arguments do not go together. Raised at once, without a request.
        """
        check_count("limit", limit, at_most=LARGEST_PAGE)
        if limit is None and cursor is None:
            limit = LARGEST_PAGE
        return self._pages(LIST, query={"limit": limit}, cursor=cursor)

    async def of_customer(self, customer_id: int) -> Objects:
        """Return the objects of a customer, those that were sold on included: see `is_active`.

        Args:
            customer_id: The customer.
        """
        return await self._fetch(OF_CUSTOMER, customer_id)

    async def get(self, customer_id: int, object_id: int) -> RepairObject:
        """Return one object of a customer.

        Args:
            customer_id: The owner.
            object_id: The object.

        Raises:
            NotFoundError: That customer has no such object.
        """
        return await self._fetch(GET, customer_id, object_id)

    async def get_by_id(self, object_id: int) -> RepairObject:
        """Return one object, whose owner need not be known.

        Args:
            object_id: The object: `repair_object_id` of a workshop order.

        Raises:
            NotFoundError: There is no such object.
        """
        return await self._fetch(GET_BY_ID, object_id)

    async def create(
        self, customer_id: int, repair_object: RepairObjectCreate, *, once: bool = False
    ) -> RepairObject:
        """Create an object and return it as the server made it.

        Args:
            customer_id: The owner.
            repair_object: The object.
            once: If the outcome is ambiguous, look the object up by its `object_barcode`, or else by its
                `frame_id`, among the customer's objects, and create it again only if it is not there. The
                barcode or number must be unique to the object: an older one with the same is taken for it. An
                object that the server creates only after the look-up exists twice.

        Raises:
            UsageError: `once` has neither `object_barcode` nor `frame_id` to look up.
            AmbiguousWriteError: The object may or may not have been created. The customer's objects with the
                same barcode or number are the error's `found` if they could be read.
        """
        check_type("repair_object", repair_object, RepairObjectCreate)
        look = self._look_up(customer_id, repair_object)
        if once and look is None:
            raise UsageError("once=True needs an object_barcode or a frame_id to look up")
        recover = look if once else None
        return await with_look(self._fetch(CREATE, customer_id, json=repair_object, recover=recover), look)

    def _look_up(self, customer_id: int, wanted: RepairObjectCreate) -> Recover[RepairObject] | None:
        name = "object_barcode" if _text(wanted.object_barcode) else "frame_id"
        text = _text(getattr(wanted, name))
        if not text:
            return None

        async def look() -> RepairObject | None:
            objects = await self.of_customer(customer_id)
            same = [item for item in objects if _text(getattr(item, name)) == text]
            return max(same, key=lambda item: item.object_id, default=None)

        return look

    async def update(self, customer_id: int, object_id: int, changes: RepairObjectUpdate) -> RepairObject:
        """Change an object and return its new state.

        Args:
            customer_id: The owner.
            object_id: The object.
            changes: Properties to change. The rest stays.

        Raises:
            UsageError: `changes` is not a `RepairObjectUpdate`. Nothing was sent.
            AmbiguousWriteError: The object may or may not have been changed. The request is never repeated.
                The object is read again, and is the error's `found` if that succeeds.
        """
        check_type("changes", changes, RepairObjectUpdate)
        write = self._fetch(UPDATE, customer_id, object_id, json=changes)
        return await with_look(write, lambda: self.get(customer_id, object_id))


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
