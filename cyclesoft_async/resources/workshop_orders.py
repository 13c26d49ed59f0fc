"""Workshop orders: list, get, create, update, create invoices.

Vendor page: "Workshop orders" (scope `resources`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from typing import TypeAlias

from msgspec import UNSET, Struct, UnsetType

from cyclesoft_async.codec.encode import form_body, json_body, query_string
from cyclesoft_async.errors import AmbiguousWriteError, CycleSoftError, UsageError
from cyclesoft_async.models import CreatedInvoice, WorkshopOrder, WorkshopOrderCreate, WorkshopOrderUpdate
from cyclesoft_async.pagination import Page, Paginator
from cyclesoft_async.quota import EndpointLimit
from cyclesoft_async.transport import (
    Call,
    CallOptions,
    Exchange,
    Find,
    read_answer,
    read_page,
    read_whole_page,
)
from cyclesoft_async.transport.request import FORM, JSON

LIST_PATH = "/api/v1/workshop/orders.json"
CREATE_INVOICES_LIMIT = EndpointLimit("create-invoices", 15)


CreatedInvoices: TypeAlias = list[CreatedInvoice]  # inside the class, `list` is the method


_read_page = partial(read_page, row_type=WorkshopOrder)
_read_whole_page = partial(read_whole_page, row_type=WorkshopOrder)


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
        first = Call(method="GET", path=LIST_PATH, query=query_string(filters))
        if cursor is not None:
            first = first.at(cursor)
        if first.path != LIST_PATH:
            raise UsageError("this is not a cursor of workshop orders")
        return Paginator(self._page, first)

    def _page(self, call: Call, whole: bool) -> Awaitable[Page[WorkshopOrder]]:
        return self._exchange.fetch(call, _read_whole_page if whole else _read_page, self._options)

    async def get(self, customer_id: int, workshop_order_id: int) -> WorkshopOrder:
        """One workshop order; the vendor wants its customer as well.

        Raises:
            NotFoundError: There is no such order of that customer.
        """
        return await self._order(Call(method="GET", path=_order_path(customer_id, workshop_order_id)))

    async def create(
        self, customer_id: int, order: WorkshopOrderCreate, *, once: bool = False
    ) -> WorkshopOrder:
        """Create a workshop order and give it as the server made it.

        Args:
            customer_id: Whose order it is.
            order: The order.
            once: When it is in doubt whether the order was made, look for it by its `reference_text` among
                the customer's orders, and make it again only if it is not there. The reference must be the
                order's own: an older order with the same one is taken for it. The vendor can't tell that a
                request is a repetition: an order that the server makes only after the look is there twice.

        Raises:
            UsageError: A datetime is naive, `order.customer_id` is another customer, or `once` has no
                `reference_text` to look for.
            AmbiguousWriteError: The order may or may not have been made. With `once`: also looking for it
                failed, or it was not there and there were no attempts left.
        """
        path = f"/api/v1/customers/{_id('customer_id', customer_id)}/workshop-order.json"
        if order.customer_id not in {UNSET, customer_id}:
            raise UsageError("order.customer_id is another customer than customer_id")
        call = Call(
            method="POST",
            path=path,
            body=json_body(order),
            content_type=JSON,
            how_to_check="look for it in list(customer_id=...) before you repeat the call",
        )
        find = self._finder(customer_id, order.reference_text) if once else None
        del order  # tracebacks can show it, and it holds a person's data
        return await self._order(call, find)

    def _finder(self, customer_id: int, reference_text: str | UnsetType | None) -> Find[WorkshopOrder]:
        reference = (reference_text or "").strip()
        if not reference:
            raise UsageError("once=True needs a reference_text to look for")

        async def find() -> WorkshopOrder | None:
            orders = self.list(customer_id=customer_id)
            same = [order async for order in orders if (order.reference_text or "").strip() == reference]
            return max(same, key=lambda order: order.workshop_order_id, default=None)

        return find

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
            AmbiguousWriteError: The order may or may not have been changed; it is never sent twice. The order
                is read again, and is the error's `order` if that works.
        """
        call = Call(
            method="PUT",
            path=_order_path(customer_id, workshop_order_id),
            query=query_string({"send_customer_messages": send_customer_messages}),
            body=json_body(changes),
            content_type=JSON,
            how_to_check="read the order before you repeat the call",
        )
        del changes  # tracebacks can show them, and they hold a person's data
        try:
            return await self._order(call)
        except AmbiguousWriteError as error:
            doubt = error
        raise await self._with_order(doubt, customer_id, workshop_order_id)

    async def _order(self, call: Call, find: Find[WorkshopOrder] | None = None) -> WorkshopOrder:
        read = partial(read_answer, type_=WorkshopOrder)
        return await self._exchange.fetch(call, read, self._options, find)

    async def _with_order(
        self, doubt: AmbiguousWriteError, customer_id: int, workshop_order_id: int
    ) -> AmbiguousWriteError:
        with suppress(CycleSoftError):  # whatever goes wrong here, the doubt matters more
            doubt.order = await self.get(customer_id, workshop_order_id)
        return doubt.with_traceback(None)

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
            customer_id: The order's customer, who is not sent along: with it the order can be read again when
                it is in doubt whether the invoices were made.

        Raises:
            AmbiguousWriteError: The invoices may or may not have been made; the request is never sent twice.
                If `customer_id` is given the order is read again, and is the error's `order` if that works:
                its `is_invoiced` tells.
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
            how_to_check="read the order's invoice_number before you repeat the call",
        )
        try:
            made = await self._exchange.fetch(call, partial(read_answer, type_=_Invoices), self._options)
        except AmbiguousWriteError as error:
            doubt = error
        else:
            return made.invoices or []
        if customer_id is not None:
            await self._with_order(doubt, customer_id, workshop_order_id)
        raise doubt


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
