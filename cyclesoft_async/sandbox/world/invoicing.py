"""Invoicing of workshop and counter orders: one invoice per payer.

Vendor pages: "Workshop orders", "Sales orders" (Create invoices).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclesoft_async.sandbox.orders.invoicing import InvoiceAnswer, InvoiceRequest, document, open_lines
from cyclesoft_async.sandbox.orders.mutations import set_status, with_modification_time
from cyclesoft_async.sandbox.orders.schema import Line, Order
from cyclesoft_async.sandbox.responses import bad_request

from .counter import CANCELLED, DONE, STATUSES
from .invoices import Invoice
from .overlay import Record
from .people import full_name
from .references import check_employee

if TYPE_CHECKING:
    from .world import World


class Invoicing:
    """Invoices orders.

    Attributes:
        messages_sent: Messages that real customers would have received.
    """

    def __init__(self, world: World) -> None:
        self.messages_sent: int = 0
        self._world = world
        self._messaged: set[int] = set()

    def invoice_workshop(self, order: Order, options: InvoiceRequest) -> list[InvoiceAnswer]:
        """Invoice the open lines of a workshop order. Invoice numbers are written to the order and its lines.

        Raises:
            ApiError: The order is deleted or has no open lines, or the status or the employee does not exist.
        """
        order_id = order["workshop_order_id"]
        if options.status_id is not None:
            set_status(order, options.status_id)
        if options.employee_id is not None:
            check_employee(options.employee_id)
            order["last_update_employee_id"] = options.employee_id
        if not order["is_active"]:
            raise bad_request(f"Workshop order {order_id} is deleted")
        payers = open_lines(
            order["order_items"], customer_id=order["customer_id"], name=f"Workshop order {order_id}"
        )
        answers, made = self._invoice(self._world.sales_orders.of_workshop(order), payers, options)
        order["invoice_number"] = order["invoice_number"] or made[0].number
        self._world.orders.save(with_modification_time(order, self._world.now()))
        self._world.notices.invoices_created(made)
        return answers

    def invoice_sales(self, sales_order_id: int, options: InvoiceRequest) -> list[InvoiceAnswer]:
        """Invoice the open lines of a sales order.

        Raises:
            ApiError: There is no such order, it is cancelled or has no open lines, or the status or the
                employee does not exist.
        """
        workshop = self._world.orders.find(sales_order_id)
        if workshop is not None:
            return self.invoice_workshop(workshop, options._replace(status_id=None))
        order = self._world.sales_order(sales_order_id)
        if order["status_id"] == CANCELLED:
            raise bad_request(f"Sales order {sales_order_id} is cancelled")
        if options.employee_id is not None:
            check_employee(options.employee_id)
            order["last_update_employee_id"] = options.employee_id
        status = DONE if options.status_id is None else options.status_id
        if status not in STATUSES:
            raise bad_request(f"Unknown sales order status: {status}")
        payers = open_lines(
            order["order_items"], customer_id=order["customer_id"], name=f"Sales order {sales_order_id}"
        )
        answers, made = self._invoice(order, payers, options)
        order |= {"status_id": status, "status_text": STATUSES[status], "has_invoice": True}
        order["invoice_number"] = order["invoice_number"] or made[0].number
        self._world.save_at_counter(order, name="sales_order.invoiced")
        self._world.notices.invoices_created(made)
        return answers

    def message_customer(self, sales_order_id: int) -> None:
        """Send the customer a message about an order."""
        self.messages_sent += 1
        self._messaged.add(sales_order_id)

    def _invoice(
        self, order: Record, payers: dict[int, list[Line]], options: InvoiceRequest
    ) -> tuple[list[InvoiceAnswer], list[Invoice]]:
        order_id, owner = order["sales_order_id"], order["customer_id"]
        may_message = options.allow_resend_messages or order_id not in self._messaged
        answers: list[InvoiceAnswer] = []
        made: list[Invoice] = []
        for payer, lines in payers.items():
            number = self._world.invoices.next_number()
            for line in lines:
                line["invoice_number"] = number
            is_messaged = options.customer_messages and may_message and payer == owner
            answers.append(
                {
                    "invoice_number": number,
                    "customer_id": payer,
                    "sent_messages": {"phone_message": is_messaged, "email_message": False},
                    "documents": [
                        document(
                            number,
                            payer,
                            payers,
                            about=self._about(order_id, payer),
                            book=options.book,
                            others=options.split_items_as_text and payer == owner,
                        )
                    ],
                }
            )
            made.append(self._made(order, number, payer, lines, is_final=options.book))
            if is_messaged:
                self.message_customer(order_id)
        for invoice in made:
            self._world.invoices.add(invoice)
        return answers, made

    def _about(self, order_id: int, payer: int) -> list[str]:
        customer = self._world.customer(payer)
        lines = [f"Klant {payer}   {customer['company_name'] or full_name(customer)}"]
        workshop = self._world.orders.find(order_id)
        if workshop is None:
            return [*lines, f"Order {order_id}"]
        bike = self._world.objects.find(workshop["repair_object_id"])
        shown = [] if bike is None else [f"Fiets {bike['brand']} {bike['model']}   {bike['frame_id']}"]
        return [*lines, f"Werkorder {order_id}", *shown]

    def _made(self, order: Record, number: int, payer: int, lines: list[Line], *, is_final: bool) -> Invoice:
        return Invoice(
            number=number,
            sales_order_id=order["sales_order_id"],
            customer_id=payer,
            store_id=order["store_id"],
            employee_id=order["last_update_employee_id"],
            created_at=self._world.now(),
            is_final=is_final,
            lines=[line.copy() for line in lines],
            is_seeded=False,
        )
