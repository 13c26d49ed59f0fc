"""Invoicing: one invoice per payer, each with a PDF.

Vendor page: "Workshop orders", Create invoice(s).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypedDict
from urllib.parse import parse_qsl

from cyclesoft_async.sandbox.responses import bad_request

from .catalogue import CANCELLED_LINE
from .mutations import set_status
from .pdf import render_page
from .schema import Line, Order

_INTEGER = re.compile(r"\d{1,9}", re.ASCII)
_FORM = "application/x-www-form-urlencoded"


class InvoiceRequest(NamedTuple):
    """The form of create-invoices with its documented defaults. Customer messages are on by default."""

    employee_id: int | None
    workshop_order_status_id: int | None
    book: bool
    customer_messages: bool
    allow_resend_messages: bool
    split_items_as_text: bool


class SentMessages(TypedDict):
    """Messages sent to the customer."""

    phone_message: bool
    email_message: bool


class Document(TypedDict):
    """A file that belongs to an invoice."""

    document_mime_type: str
    document_base64: str


class Invoice(TypedDict):
    """An invoice in the response."""

    invoice_number: int
    customer_id: int
    sent_messages: SentMessages
    documents: list[Document]


def read_invoice_request(content_type: str, raw: bytes) -> InvoiceRequest:
    """Read the form. Every field is optional, and so is the body.

    Raises:
        ApiError: The body is not a form, or a field is not a number.
    """
    if raw and content_type != _FORM:
        raise bad_request(f"The body must be {_FORM}")
    form = dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
    return InvoiceRequest(
        employee_id=_number(form, "employee_id"),
        workshop_order_status_id=_number(form, "workshop_order_status_id"),
        book=_truth(form, "book", default=False),
        customer_messages=_truth(form, "customer_messages", default=True),
        allow_resend_messages=_truth(form, "allow_resend_messages", default=False),
        split_items_as_text=_truth(form, "split_items_as_text_on_default_customer_invoice", default=True),
    )


def invoice(
    order: Order, options: InvoiceRequest, *, is_messaged: bool, next_number: Callable[[], int]
) -> list[Invoice]:
    """Invoice the order's open lines, one invoice per payer, the order's own customer first.

    Invoice numbers, pro-forma ones included, are written to the order and its lines. A line with a number is
    not invoiced again.

    Args:
        order: The order, changed in place.
        options: The form of the request.
        is_messaged: Report a message to the customer.
        next_number: Returns an unused invoice number.

    Raises:
        ApiError: The order is deleted, it has no open lines, or the status does not exist.
    """
    if options.workshop_order_status_id is not None:
        set_status(order, options.workshop_order_status_id)
    if options.employee_id is not None:
        order["last_update_employee_id"] = options.employee_id
    payers = _open_lines(order)
    invoices: list[Invoice] = []
    for payer, lines in payers.items():
        number = next_number()
        for line in lines:
            line["invoice_number"] = number
        order["invoice_number"] = order["invoice_number"] or number
        text = _text(order, number, payer, payers, options)
        document: Document = {
            "document_mime_type": "application/pdf",
            "document_base64": b64encode(render_page(text)).decode(),
        }
        made: Invoice = {
            "invoice_number": number,
            "customer_id": payer,
            "sent_messages": {
                "phone_message": is_messaged and payer == order["customer_id"],
                "email_message": False,
            },
            "documents": [document],
        }
        invoices.append(made)
    return invoices


def _open_lines(order: Order) -> dict[int, list[Line]]:
    """Return the lines to invoice by payer."""
    order_id, customer = order["workshop_order_id"], order["customer_id"]
    if not order["is_active"]:
        raise bad_request(f"Workshop order {order_id} is deleted")
    lines = [line for line in order["order_items"] if line["item_status_id"] != CANCELLED_LINE]
    if not lines:
        raise bad_request(f"Workshop order {order_id} has no items to invoice")
    lines = [line for line in lines if "invoice_number" not in line]
    if not lines:
        raise bad_request(f"Workshop order {order_id} is already invoiced")
    payers: dict[int, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line.get("assigned_to_customer_id") != customer):
        payers.setdefault(line.get("assigned_to_customer_id", customer), []).append(line)
    return payers


def _text(
    order: Order, number: int, payer: int, payers: Mapping[int, list[Line]], options: InvoiceRequest
) -> list[str]:
    shown = [f"{line['quantity']} x {line['description']}   {_euros(line)}" for line in payers[payer]]
    if options.split_items_as_text and payer == order["customer_id"]:
        others = (lines for other, lines in payers.items() if other != payer)
        shown += [f"{line['description']}   (op andere factuur)" for lines in others for line in lines]
    total = sum(line["price_in_vat_cents"] for line in payers[payer])
    return [
        f"{'Factuur' if options.book else 'Pro-forma factuur'} {number}",
        f"Klant {payer}   Werkorder {order['workshop_order_id']}",
        "",
        *shown,
        "",
        f"Totaal incl. btw   EUR {total / 100:.2f}",
    ]


def _euros(line: Line) -> str:
    return f"EUR {line['price_in_vat_cents'] / 100:.2f}"


def _number(form: Mapping[str, str], name: str) -> int | None:
    value = form.get(name, "")
    if value and not _INTEGER.fullmatch(value):
        raise bad_request(f"{name} is invalid: {value}")
    return int(value) if value else None


def _truth(form: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Read a boolean as PHP's cast does: every text but "" and "0" is true, "false" included."""
    return form[name] not in {"", "0"} if name in form else default
