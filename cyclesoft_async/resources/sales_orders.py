"""Sales orders: move to another store, change the delivery, cancel, create invoices.

Vendor page: "Sales orders" (scope `e-commerce`). No call reads one order: its events have it whole, and
`cs.salesdata.orders` has a row for each of its lines.
"""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from cyclesoft_async._arguments import check_id, check_type
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import (
    CreatedInvoice,
    DeliveryChanged,
    NewAddress,
    StoreTransfer,
    StoreTransferred,
)
from cyclesoft_async.quota import EndpointLimit
from cyclesoft_async.transport import nothing, under, whole

from .resource import Endpoint, Resource

CREATE_INVOICES_LIMIT = EndpointLimit("sales-create-invoices", 15)
"""A limit of its own until the vendor says that it is shared with the workshop orders' one."""

_LOOK = "wait for the event sales_order.updated, or read salesdata.orders, before you repeat the call"

UPDATE_STORE = Endpoint(
    method="POST",
    path="/api/v1/sales/orders/{sales_order_id}/update-store.json",
    answer=whole(StoreTransferred),
    scope="e-commerce",
    how_to_check=_LOOK,
)
UPDATE_DELIVERY_METHOD = Endpoint(
    method="POST",
    path="/api/v1/sales/orders/{sales_order_id}/update-delivery-method.json",
    answer=whole(DeliveryChanged),
    scope="e-commerce",
    how_to_check=_LOOK,
)
CANCEL = Endpoint(
    method="POST",
    path="/api/v1/sales/orders/{sales_order_id}/cancel.json",
    answer=nothing,
    scope="e-commerce",
    how_to_check=_LOOK,
)
CREATE_INVOICES = Endpoint(
    method="POST",
    path="/api/v1/sales/orders/{sales_order_id}/create-invoices.json",
    answer=under("invoices", list[CreatedInvoice]),
    scope="e-commerce",
    limit=CREATE_INVOICES_LIMIT,
    how_to_check="look for them in salesdata.transactions(sales_order_ids=[...]) before you repeat the call",
)


class SalesOrders(Resource):
    """Sales orders of the account. Every method can raise any `errors.RequestError`."""

    async def update_store(self, sales_order_id: int, transfer: StoreTransfer) -> StoreTransferred:
        """Move an order to another store.

        Args:
            sales_order_id: The order.
            transfer: The store, and how the lines get there.

        Raises:
            UsageError: `transfer` is not a `StoreTransfer`. Nothing was sent.
            AmbiguousWriteError: The order may or may not have been moved. The request is never repeated. The
                event `sales_order.updated` and `salesdata.orders` name the order's store.
        """
        check_type("transfer", transfer, StoreTransfer)
        return await self._fetch(UPDATE_STORE, sales_order_id, json=transfer)

    async def update_delivery_method(
        self,
        sales_order_id: int,
        *,
        new_delivery_method_id: int | UnsetType | None = UNSET,
        new_delivery_address: NewAddress | UnsetType | None = UNSET,
    ) -> DeliveryChanged:
        """Change how an order is delivered, or where to.

        Args:
            sales_order_id: The order.
            new_delivery_method_id: Enum `delivery_methods`. Unset or None leaves it.
            new_delivery_address: The address. Unset or None leaves it.

        Raises:
            UsageError: There is nothing to change.
            AmbiguousWriteError: The delivery may or may not have been changed. The request is never repeated.
                The event `sales_order.updated` has the order's delivery.
        """
        changes = {
            "new_delivery_method_id": new_delivery_method_id,
            "new_delivery_address": new_delivery_address,
        }
        given = {name: value for name, value in changes.items() if value is not UNSET}
        if all(value is None for value in given.values()):
            raise UsageError("update_delivery_method needs a new method or a new address")
        if new_delivery_method_id is not UNSET and new_delivery_method_id is not None:
            check_id("new_delivery_method_id", new_delivery_method_id)
        if new_delivery_address is not UNSET and new_delivery_address is not None:
            check_type("new_delivery_address", new_delivery_address, NewAddress)
        return await self._fetch(UPDATE_DELIVERY_METHOD, sales_order_id, json=given)

    async def cancel(
        self, sales_order_id: int, cancellation_type_id: int, *, delete_exchange: bool = False
    ) -> None:
        """Cancel an order. One with a payment or an invoice can't be cancelled.

        Args:
            sales_order_id: The order.
            cancellation_type_id: The reason: enum `cancellation_types`.
            delete_exchange: Delete the bikes that the customer traded in with the order, too.

        Raises:
            UsageError: An id is not an int >= 0. Nothing was sent.
            AmbiguousWriteError: The order may or may not have been cancelled. The request is never repeated.
                The event `sales_order.deleted` reports it, and `salesdata.orders` with `include_deleted`
                lists the order as cancelled.
        """
        query = {
            "cancellation_type_id": check_id("cancellation_type_id", cancellation_type_id),
            "delete_exchange": delete_exchange or None,  # off by default, and the word "false" is not safe
        }
        return await self._fetch(CANCEL, sales_order_id, query=query)

    async def create_invoices(
        self,
        sales_order_id: int,
        *,
        employee_id: int | None = None,
        order_status_id: int | None = None,
        book: bool = False,
        customer_messages: bool = False,
        allow_resend_messages: bool = False,
        apply_service_vat_correction: bool = True,
        split_items_as_text_on_default_customer_invoice: bool = True,
    ) -> list[CreatedInvoice]:
        """Create the invoices of an order: one, or one for each payer of a split order.

        Invoices are legal documents and the call cannot be undone. The server allows 15 calls a minute. The
        defaults are the vendor's, except that `customer_messages` is off.

        Args:
            sales_order_id: The order.
            employee_id: Employee who creates the invoices. None: the order's own sales employee.
            order_status_id: The order's new status: enum `sales_order_status`. None leaves it unchanged.
            book: Book the invoices in the administration. False makes them pro forma.
            customer_messages: Notify the customer by e-mail or phone, as the account is set up.
            allow_resend_messages: Notify the customer again as well.
            apply_service_vat_correction: Apply it if active in the account's settings.
            split_items_as_text_on_default_customer_invoice: Show lines that other payers pay as text.

        Raises:
            AmbiguousWriteError: The invoices may or may not have been created. The request is never repeated.
                `salesdata.transactions(sales_order_ids=[sales_order_id])` lists them if they were.
        """
        form = {
            "employee_id": employee_id,
            "order_status_id": order_status_id,
            "book": book,
            "customer_messages": customer_messages,
            "allow_resend_messages": allow_resend_messages,
            "apply_service_vat_correction": apply_service_vat_correction,
            "split_items_as_text_on_default_customer_invoice": (
                split_items_as_text_on_default_customer_invoice
            ),
        }
        return await self._fetch(CREATE_INVOICES, sales_order_id, form=form)
