"""Invoicing: one invoice per payer, each with a PDF.

Vendor page: "Workshop orders", Create invoice(s).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict
from urllib.parse import parse_qsl

from cyclesoft_async.sandbox.responses import bad_request

from .catalogue import CANCELLED_LINE
from .pdf import render_page
from .schema import Line

_INTEGER = re.compile(r"\d{1,9}", re.ASCII)
_FORM = "application/x-www-form-urlencoded"


class InvoiceRequest(NamedTuple):
    """The form of create-invoices with its documented defaults. Customer messages are on by default."""

    employee_id: int | None
    status_id: int | None
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


class InvoiceAnswer(TypedDict):
    """An invoice in the response."""

    invoice_number: int
    customer_id: int
    sent_messages: SentMessages
    documents: list[Document]


def read_invoice_request(
    content_type: str, raw: bytes, status_field: str = "workshop_order_status_id"
) -> InvoiceRequest:
    """Read the form. Every field is optional, and so is the body.

    Raises:
        ApiError: The body is not a form, or a field is not a number.
    """
    if raw and content_type != _FORM:
        raise bad_request(f"The body must be {_FORM}")
    form = dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
    return InvoiceRequest(
        employee_id=_number(form, "employee_id"),
        status_id=_number(form, status_field),
        book=_truth(form, "book", default=False),
        customer_messages=_truth(form, "customer_messages", default=True),
        allow_resend_messages=_truth(form, "allow_resend_messages", default=False),
        split_items_as_text=_truth(form, "split_items_as_text_on_default_customer_invoice", default=True),
    )


def open_lines(lines: list[Line], *, customer_id: int, name: str) -> dict[int, list[Line]]:
    """Return the lines to invoice by payer, the order's own customer first.

    Raises:
        ApiError: There are none.
    """
    found = [line for line in lines if line["item_status_id"] != CANCELLED_LINE]
    if not found:
        raise bad_request(f"{name} has no items to invoice")
    found = [line for line in found if "invoice_number" not in line]
    if not found:
        raise bad_request(f"{name} is already invoiced")
    payers: dict[int, list[Line]] = {}
    for line in sorted(found, key=lambda line: line.get("assigned_to_customer_id") != customer_id):
        payers.setdefault(line.get("assigned_to_customer_id", customer_id), []).append(line)
    return payers


def document(
    number: int,
    payer: int,
    payers: Mapping[int, list[Line]],
    *,
    about: Sequence[str],
    book: bool,
    others: bool,
) -> Document:
    """Return the PDF of an invoice.

    Args:
        number: Number of the invoice.
        payer: Its customer.
        payers: The lines of all invoices of the order, by payer.
        about: Lines about customer, order and bike.
        book: The invoice is final.
        others: Name the items on the other invoices, too.
    """
    shown = [f"{line['quantity']} x {line['description']}   {_euros(line)}" for line in payers[payer]]
    if others:
        elsewhere = (lines for other, lines in payers.items() if other != payer)
        shown += [f"{line['description']}   (op andere factuur)" for lines in elsewhere for line in lines]
    total = sum(line["price_in_vat_cents"] for line in payers[payer])
    text = [
        f"{'Factuur' if book else 'Pro-forma factuur'} {number}",
        *about,
        "",
        *shown,
        "",
        f"Totaal incl. btw   EUR {total / 100:.2f}",
    ]
    return {
        "document_mime_type": "application/pdf",
        "document_base64": b64encode(render_page(text)).decode(),
    }


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
