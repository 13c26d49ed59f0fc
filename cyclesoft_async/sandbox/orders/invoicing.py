"""Create-invoices: a form with PHP's booleans, one invoice for each payer, a PDF for each invoice.

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
from .pdf import one_page
from .schema import Line, Order

_INTEGER = re.compile(r"\d{1,9}", re.ASCII)
_FORM = "application/x-www-form-urlencoded"


class Wish(NamedTuple):
    """What the form asks for, with the documented defaults: customers are told unless it says no."""

    employee_id: int | None
    workshop_order_status_id: int | None
    book: bool
    customer_messages: bool
    allow_resend_messages: bool
    split_items_as_text: bool


class SentMessages(TypedDict):
    """Whether the customer was told."""

    phone_message: bool
    email_message: bool


class Document(TypedDict):
    """A file that goes with an invoice."""

    document_mime_type: str
    document_base64: str


class Invoice(TypedDict):
    """An invoice as it is answered."""

    invoice_number: int
    customer_id: int
    sent_messages: SentMessages
    documents: list[Document]


def read_wish(content_type: str, raw: bytes) -> Wish:
    """Read the form; every field is optional, and so is the form.

    Raises:
        RefusedError: The body is no form, or a number is none.
    """
    if raw and content_type != _FORM:
        raise bad_request(f"The body must be {_FORM}")
    form = dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
    return Wish(
        employee_id=_number(form, "employee_id"),
        workshop_order_status_id=_number(form, "workshop_order_status_id"),
        book=_truth(form, "book", default=False),
        customer_messages=_truth(form, "customer_messages", default=True),
        allow_resend_messages=_truth(form, "allow_resend_messages", default=False),
        split_items_as_text=_truth(form, "split_items_as_text_on_default_customer_invoice", default=True),
    )


def invoice(order: Order, wish: Wish, *, told: bool, next_number: Callable[[], int]) -> list[Invoice]:
    """Invoice the order's open lines, one invoice for each payer, the order's own customer first.

    The numbers go onto the order and its lines, those of pro-forma invoices too: what has a number is not
    invoiced again. `told` says whether the customer gets a message.

    Raises:
        RefusedError: The order is deleted, its lines are invoiced or cancelled, or there is no such status.
    """
    if wish.workshop_order_status_id is not None:
        set_status(order, wish.workshop_order_status_id)
    if wish.employee_id is not None:
        order["last_update_employee_id"] = wish.employee_id
    payers = _open_lines(order)
    invoices: list[Invoice] = []
    for payer, lines in payers.items():
        number = next_number()
        for line in lines:
            line["invoice_number"] = number
        order["invoice_number"] = order["invoice_number"] or number
        text = _text(order, number, payer, payers, wish)
        document: Document = {
            "document_mime_type": "application/pdf",
            "document_base64": b64encode(one_page(text)).decode(),
        }
        made: Invoice = {
            "invoice_number": number,
            "customer_id": payer,
            "sent_messages": {
                "phone_message": told and payer == order["customer_id"],
                "email_message": False,
            },
            "documents": [document],
        }
        invoices.append(made)
    return invoices


def _open_lines(order: Order) -> dict[int, list[Line]]:
    """Return the lines to invoice, by payer."""
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


def _text(order: Order, number: int, payer: int, payers: Mapping[int, list[Line]], wish: Wish) -> list[str]:
    shown = [f"{line['quantity']} x {line['description']}   {_euros(line)}" for line in payers[payer]]
    if wish.split_items_as_text and payer == order["customer_id"]:
        others = (lines for other, lines in payers.items() if other != payer)
        shown += [f"{line['description']}   (op andere factuur)" for lines in others for line in lines]
    total = sum(line["price_in_vat_cents"] for line in payers[payer])
    return [
        f"{'Factuur' if wish.book else 'Pro-forma factuur'} {number}",
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
    """Read a boolean as PHP does: every text but "" and "0" is true, "false" included."""
    return form[name] not in {"", "0"} if name in form else default
