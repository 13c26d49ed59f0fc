"""Workshop orders: list, get, create, update, create invoices.

Vendor page: "Workshop orders" (scope `resources`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import TypeAlias

from msgspec import UNSET

from cyclesoft_async._arguments import check_day, check_id, check_ids, check_type
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import CreatedInvoice, WorkshopOrder, WorkshopOrderCreate, WorkshopOrderUpdate
from cyclesoft_async.pagination import PageReader, Paginator
from cyclesoft_async.quota import EndpointLimit
from cyclesoft_async.transport import Recover, under, whole

from .resource import Endpoint, Listing, Resource, flag, with_look

CREATE_INVOICES_LIMIT = EndpointLimit("create-invoices", 15)

CreatedInvoices: TypeAlias = list[CreatedInvoice]  # inside the class, `list` is the method

LIST = Listing(path="/api/v1/workshop/orders.json", rows=PageReader(WorkshopOrder), scope="resources")
GET = Endpoint(
    path="/api/v1/customers/{customer_id}/workshop-order/{workshop_order_id}.json",
    answer=whole(WorkshopOrder),
    scope="resources",
)
CREATE = Endpoint(
    method="POST",
    path="/api/v1/customers/{customer_id}/workshop-order.json",
    answer=whole(WorkshopOrder),
    scope="resources",
    how_to_check="look for it in list(customer_id=...) before you repeat the call",
)
UPDATE = Endpoint(
    method="PUT",
    path=GET.path,
    answer=whole(WorkshopOrder),
    scope="resources",
    how_to_check="read the order before you repeat the call",
)
CREATE_INVOICES = Endpoint(
    method="POST",
    path="/api/v1/workshop/orders/{workshop_order_id}/create-invoices.json",
    answer=under("invoices", CreatedInvoices),
    scope="resources",
    limit=CREATE_INVOICES_LIMIT,
    how_to_check="read the order's invoice_number before you repeat the call",
)


class WorkshopOrders(Resource):
    """Workshop orders of the account. Every method can raise any `errors.RequestError`."""

    def list(
        self,
        *,
        date_from: date | None = None,
        date_until: date | None = None,
        store_id: int | None = None,
        status_ids: Sequence[int] | None = None,
        customer_id: int | None = None,
        repair_object_id: int | None = None,
        object_query: str | None = None,
        cursor: str | None = None,
    ) -> Paginator[WorkshopOrder]:
        """List workshop orders. The `Paginator` can be awaited or iterated over.

        Args:
            date_from: First day of the scheduled start, in Amsterdam, inclusive.
            date_until: Last day of the scheduled start, inclusive.
            store_id: Store within the account.
            status_ids: Any of these, see enum `workshop_order_status`.
            customer_id: Not together with `object_query`.
            repair_object_id: Not together with `object_query`.
            object_query: Text to find repair objects by. The server looks at the first 1,000 matches only.
            cursor: `page.cursor` of an earlier page, to resume after it. It holds the filters: pass none.

        Raises:
            UsageError: The arguments do not go together. Raised at once, without a request.
        """
        filters = {
            "object_query": object_query,
            "store_id": store_id,
            "status_ids": status_ids if status_ids is None else check_ids("status_ids", status_ids),
            "customer_id": customer_id,
            "repair_object_id": repair_object_id,
            "date_from": date_from if date_from is None else check_day("date_from", date_from),
            "date_until": date_until if date_until is None else check_day("date_until", date_until),
        }
        if object_query is not None and (customer_id is not None or repair_object_id is not None):
            raise UsageError("object_query cannot be combined with customer_id or repair_object_id")
        if date_from and date_until and date_from > date_until:
            raise UsageError(f"date_from must not be after date_until, got {date_from} and {date_until}")
        return self._pages(LIST, query=filters, cursor=cursor)

    async def get(self, customer_id: int, workshop_order_id: int) -> WorkshopOrder:
        """Return one workshop order. The vendor requires its customer as well.

        Args:
            customer_id: The order's customer.
            workshop_order_id: The order.

        Raises:
            NotFoundError: That customer has no such order.
        """
        return await self._fetch(GET, customer_id, workshop_order_id)

    async def create(
        self, customer_id: int, order: WorkshopOrderCreate, *, once: bool = False
    ) -> WorkshopOrder:
        """Create a workshop order and return it as the server made it.

        Args:
            customer_id: The order's customer.
            order: The order.
            once: If the outcome is ambiguous, look the order up by its `reference_text` among the customer's
                orders, and create it again only if it is not there. The reference must be unique to the
                order: an older order with the same one is taken for it. The vendor has no idempotency key.
                An order that the server creates only after the look-up exists twice.

        Raises:
            UsageError: A datetime is naive, `order.customer_id` is another customer, or `once` has no
                `reference_text` to look up.
            AmbiguousWriteError: The order may or may not have been created. With `once`: the look-up failed
                as well, or the order was not found and no attempts were left.
        """
        check_type("order", order, WorkshopOrderCreate)
        if order.customer_id is not UNSET and order.customer_id != check_id("customer_id", customer_id):
            raise UsageError("order.customer_id must be customer_id, got another customer")
        recover = self._recovery(customer_id, order.reference_text) if once else None
        return await self._fetch(CREATE, customer_id, json=order, recover=recover)

    def _recovery(self, customer_id: int, reference_text: object) -> Recover[WorkshopOrder]:
        reference = reference_text.strip() if isinstance(reference_text, str) else ""
        if not reference:
            raise UsageError("once=True needs a reference_text to look up")

        async def recover() -> WorkshopOrder | None:
            orders = self.list(customer_id=customer_id)
            same = [order async for order in orders if (order.reference_text or "").strip() == reference]
            return max(same, key=lambda order: order.workshop_order_id, default=None)

        return recover

    async def update(
        self,
        customer_id: int,
        workshop_order_id: int,
        changes: WorkshopOrderUpdate,
        *,
        send_customer_messages: bool = False,
    ) -> WorkshopOrder:
        """Change a workshop order and return its new state.

        Args:
            customer_id: The order's customer.
            workshop_order_id: The order.
            changes: Properties to change. Lines are matched by `item_id`.
            send_customer_messages: Notify the customer by e-mail and phone when `status_id` changes.

        Raises:
            UsageError: A datetime is naive.
            AmbiguousWriteError: The order may or may not have been changed. The request is never repeated.
                The order is read again, and is the error's `order` if that succeeds.
        """
        check_type("changes", changes, WorkshopOrderUpdate)
        query = {"send_customer_messages": flag(send_customer_messages)}
        write = self._fetch(UPDATE, customer_id, workshop_order_id, query=query, json=changes)
        return await with_look(write, lambda: self.get(customer_id, workshop_order_id))

    async def create_invoices(
        self,
        workshop_order_id: int,
        *,
        employee_id: int | None = None,
        workshop_order_status_id: int | None = None,
        book: bool = False,
        customer_messages: bool = False,
        allow_resend_messages: bool = False,
        apply_service_vat_correction: bool = True,
        split_items_as_text_on_default_customer_invoice: bool = True,
        customer_id: int | None = None,
    ) -> CreatedInvoices:
        """Create the invoices of an order: one, or one for each payer of a split order.

        Invoices are legal documents and the call cannot be undone. The server allows 15 calls a minute. The
        defaults are the vendor's, except that `customer_messages` is off.

        Args:
            workshop_order_id: The order.
            employee_id: Employee who creates the invoices. None: the order's own sales employee.
            workshop_order_status_id: The order's new status. None leaves it unchanged.
            book: Book the invoices in the administration. False makes them pro forma.
            customer_messages: Notify the customer by e-mail or phone, as the account is set up.
            allow_resend_messages: Notify the customer again as well.
            apply_service_vat_correction: Apply it if active in the account's settings.
            split_items_as_text_on_default_customer_invoice: Show lines that other payers pay as text.
            customer_id: The order's customer. It is not sent: with it, the order can be read again when the
                outcome is ambiguous.

        Raises:
            AmbiguousWriteError: The invoices may or may not have been created. The request is never repeated.
                With `customer_id` the order is read again, and is the error's `order` if that succeeds. Its
                `is_invoiced` tells the outcome.
        """
        form = {
            "employee_id": employee_id,
            "workshop_order_status_id": workshop_order_status_id,
            "book": book,
            "customer_messages": customer_messages,
            "allow_resend_messages": allow_resend_messages,
            "apply_service_vat_correction": apply_service_vat_correction,
            "split_items_as_text_on_default_customer_invoice": (
                split_items_as_text_on_default_customer_invoice
            ),
        }
        look = None if customer_id is None else partial(self.get, customer_id, workshop_order_id)
        return await with_look(self._fetch(CREATE_INVOICES, workshop_order_id, form=form), look)
