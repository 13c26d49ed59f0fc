"""Workshop orders: list, get, create, update, create invoices.

Vendor page: "Workshop orders" (scope `resources`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import partial
from typing import TypeAlias

from msgspec import UNSET, Struct

from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import CreatedInvoice, WorkshopOrder, WorkshopOrderCreate, WorkshopOrderUpdate
from cyclesoft_async.models.body import form_body, json_body, query_string
from cyclesoft_async.paging import Page, Paginator
from cyclesoft_async.quota import EndpointLimit
from cyclesoft_async.transport import Call, CallOptions, Exchange, read_answer, read_page
from cyclesoft_async.transport.call import FORM, JSON

LIST_PATH = "/api/v1/workshop/orders.json"
CREATE_INVOICES_LIMIT = EndpointLimit("create-invoices", 15)


CreatedInvoices: TypeAlias = list[CreatedInvoice]  # inside the class, `list` is the method


class _Invoices(Struct, frozen=True):
    invoices: CreatedInvoices | None  # required: an answer without it must not pass for "made none"


class WorkshopOrders:
    """The workshop orders of the account. Every method can raise any `errors.RequestError`."""

    def __init__(self, exchange: Exchange, options: CallOptions) -> None:
        self._exchange = exchange
        self._options = options

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
        """Workshop orders, filtered; a `Paginator` to await, or to iterate over.

        Args:
            date_from: First day of the scheduled start, in Amsterdam, inclusive.
            date_until: Last day of the scheduled start, inclusive.
            store_id: Store within the account.
            status_ids: Any of these, see enum `workshop_order_status`.
            customer_id: Not together with `object_query`.
            repair_object_id: Not together with `object_query`.
            object_query: Text to find repair objects by; the server looks at the first 1,000 that match only.
            cursor: `page.cursor` of an earlier page, to go on after it; it holds the filters, so give none.

        Raises:
            UsageError: At once, and without a request, when the arguments do not go together.
        """
        filters = {
            "object_query": object_query,
            "store_id": store_id,
            "status_ids": status_ids,
            "customer_id": customer_id,
            "repair_object_id": repair_object_id,
            "date_from": _day("date_from", date_from),
            "date_until": _day("date_until", date_until),
        }
        if object_query is not None and (customer_id is not None or repair_object_id is not None):
            raise UsageError("object_query can't be combined with customer_id or repair_object_id")
        if status_ids is not None and not status_ids:
            raise UsageError("status_ids is empty: the server would take that for every status")
        if date_from and date_until and date_from > date_until:
            raise UsageError("date_from lies after date_until")
        if cursor is not None and any(value is not None for value in filters.values()):
            raise UsageError("a cursor holds the filters of its list: give no others")
        if cursor is not None and cursor.partition("?")[0] != LIST_PATH:
            raise UsageError("this is not a cursor of workshop orders")
        return Paginator(partial(self._page, query_string(filters)), path=LIST_PATH, cursor=cursor)

    async def _page(self, query: str, cursor: str | None) -> Page[WorkshopOrder]:
        if cursor is not None:
            query = cursor.partition("?")[2]
        call = Call(method="GET", path=LIST_PATH, query=query)
        return await self._exchange.fetch(call, partial(read_page, row_type=WorkshopOrder), self._options)

    async def get(self, customer_id: int, workshop_order_id: int) -> WorkshopOrder:
        """One workshop order; the vendor wants its customer as well.

        Raises:
            NotFoundError: There is no such order of that customer.
        """
        return await self._order(Call(method="GET", path=_order_path(customer_id, workshop_order_id)))

    async def create(self, customer_id: int, order: WorkshopOrderCreate) -> WorkshopOrder:
        """Create a workshop order and give it as the server made it.

        Raises:
            UsageError: A datetime is naive, or `order.customer_id` is another customer.
            AmbiguousWriteError: The connection broke; the order may or may not exist. Nothing is sent twice.
        """
        if order.customer_id not in {UNSET, customer_id}:
            raise UsageError("order.customer_id is another customer than customer_id")
        path = f"/api/v1/customers/{_id('customer_id', customer_id)}/workshop-order.json"
        return await self._order(Call(method="POST", path=path, body=json_body(order), content_type=JSON))

    async def update(
        self,
        customer_id: int,
        workshop_order_id: int,
        changes: WorkshopOrderUpdate,
        *,
        send_customer_messages: bool = False,
    ) -> WorkshopOrder:
        """Change a workshop order and give it as it is now.

        Args:
            customer_id: The order's customer.
            workshop_order_id: The order.
            changes: What to change; the rest stays. Lines are found by `item_id`.
            send_customer_messages: Tell the customer by e-mail and phone when `status_id` changes.

        Raises:
            UsageError: A datetime is naive.
            AmbiguousWriteError: The connection broke; read the order to see. Nothing is sent twice.
        """
        call = Call(
            method="PUT",
            path=_order_path(customer_id, workshop_order_id),
            query=query_string({"send_customer_messages": send_customer_messages}),
            body=json_body(changes),
            content_type=JSON,
        )
        return await self._order(call)

    async def _order(self, call: Call) -> WorkshopOrder:
        return await self._exchange.fetch(call, partial(read_answer, type_=WorkshopOrder), self._options)

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
    ) -> CreatedInvoices:
        """Make the invoices of an order: one, or one for each payer of a split order.

        These are legal documents and the call can't be undone. The server allows 15 of them a minute.
        All defaults are the vendor's, but for `customer_messages`: nobody is sent a message unasked.

        Args:
            workshop_order_id: The order.
            employee_id: Who makes the invoices; the order's own sales employee if None.
            workshop_order_status_id: The order's new status; unchanged if None.
            book: Book them in the administration; pro-forma otherwise.
            customer_messages: Tell the customer by e-mail or phone, as the account is set up.
            allow_resend_messages: Also when the customer was told before.
            apply_service_vat_correction: If active in the account's settings.
            split_items_as_text_on_default_customer_invoice: Show lines that others pay as text.

        Raises:
            AmbiguousWriteError: The connection broke; read the order's `invoice_number` to see. Nothing is
                sent twice.
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
        order_id = _id("workshop_order_id", workshop_order_id)
        call = Call(
            method="POST",
            path=f"/api/v1/workshop/orders/{order_id}/create-invoices.json",
            body=form_body(form),
            content_type=FORM,
            limit=CREATE_INVOICES_LIMIT,
        )
        made = await self._exchange.fetch(call, partial(read_answer, type_=_Invoices), self._options)
        return made.invoices or []


def _order_path(customer_id: int, workshop_order_id: int) -> str:
    customer, order = _id("customer_id", customer_id), _id("workshop_order_id", workshop_order_id)
    return f"/api/v1/customers/{customer}/workshop-order/{order}.json"


def _id(name: str, value: int) -> int:
    """An id that may stand in a path; text there could name another endpoint."""
    if type(value) is not int or value < 0:
        raise UsageError(f"{name} must be a whole number, not {type(value).__name__}")
    return value


def _day(name: str, value: date | None) -> date | None:
    if isinstance(value, datetime):
        raise UsageError(f"{name} is a day: give a date, not a datetime, whose day depends on its zone")
    return value
