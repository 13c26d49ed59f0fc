"""Service items: planned services of a bike.

Vendor page: "Service items" (scopes `resources`, `sales-export` for the list, `service-data`).
"""

from __future__ import annotations

from datetime import date
from typing import TypeAlias

from cyclesoft_async._arguments import check_days, check_id
from cyclesoft_async.models import ServiceItem
from cyclesoft_async.pagination import PageReader, Paginator, next_offset
from cyclesoft_async.transport import under, whole

from .resource import Endpoint, Listing, Resource

Items: TypeAlias = list[ServiceItem]  # inside the class, `list` is the method

OF_CUSTOMER = Endpoint(
    path="/api/v1/customers/{customer_id}/service-items.json", answer=whole(Items), scope="resources"
)
GET = Endpoint(
    path="/api/v1/customers/{customer_id}/service-items/{service_id}.json",
    answer=whole(Items),
    scope="resources",
)
LIST = Listing(
    path="/api/v1/workshop/repair-objects/service-items.json",
    rows=PageReader(ServiceItem, follow=next_offset),
    scope="sales-export",
)
CLOSE = Endpoint(
    method="PUT",
    path="/api/v1/workshop/service-items/{service_barcode}/close.json",
    answer=under("data", Items),
    scope="resources or service-data",
    how_to_check="read the service's items before you repeat the call",
)


class ServiceItems(Resource):
    """Planned services of bikes. Every method can raise any `errors.RequestError`."""

    async def of_customer(self, customer_id: int) -> Items:
        """Return the service items of a customer's bikes.

        Args:
            customer_id: The customer.
        """
        return await self._fetch(OF_CUSTOMER, customer_id)

    async def get(self, customer_id: int, service_id: int) -> Items:
        """Return the items of one service.

        Args:
            customer_id: The customer.
            service_id: The service; not the id of an item.
        """
        return await self._fetch(GET, customer_id, service_id)

    def list(
        self,
        *,
        modified_start: date | None = None,
        modified_end: date | None = None,
        cursor: str | None = None,
    ) -> Paginator[ServiceItem]:
        """List the service items of the account. The account needs the scope `sales-export`.

        Args:
            modified_start: First day of the last change.
            modified_end: Last day of the last change.
            cursor: `page.cursor` of an earlier page, to resume after it. It holds the filters: pass none.

        Raises:
            UsageError: The arguments do not go together. Raised at once, without a request.
        """
        query = check_days("modified_start", modified_start, "modified_end", modified_end)
        return self._pages(LIST, query=query, cursor=cursor)

    async def close(
        self, service_barcode: str, *, service_status_id: int = 4, reference: str | None = None
    ) -> Items:
        """Close a service, with all of its items, and return them.

        Args:
            service_barcode: `service_barcode` of any item of the service.
            service_status_id: 4 is closed; the vendor also allows 5 and does not say what it means.
            reference: Your own reference.

        Raises:
            UsageError: An argument has a wrong type or value.
            AmbiguousWriteError: The service may or may not have been closed. The request is never repeated.
        """
        body: dict[str, object] = {"service_status_id": check_id("service_status_id", service_status_id)}
        if reference is not None:
            body["reference"] = reference
        return await self._fetch(CLOSE, service_barcode, json=body)
