"""Invoices that the server made of an order.

Vendor page: "Workshop orders", "Create invoice(s)".
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import force_setattr

from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base64 import from_base64


class SentMessages(Struct, frozen=True, kw_only=True, gc=False):
    """Which messages went to the customer."""

    phone_message: bool | None = None
    """Whether a text message was sent."""
    email_message: bool | None = None
    """Whether an e-mail was sent."""


class InvoiceDocument(Struct, frozen=True, kw_only=True, gc=False):
    """A document of an invoice, most often a PDF."""

    document_mime_type: str | None = None
    """Media type, such as "application/pdf"."""
    document_base64: str | None = None
    """The document as base64; see `content`."""

    @property
    def content(self) -> bytes:
        """The document itself.

        Raises:
            ResponseDecodeError: The server sent no base64.
        """
        return from_base64("the document", self.document_base64)

    def __repr__(self) -> str:
        return f"InvoiceDocument({self.document_mime_type!r}, {len(self.document_base64 or '')} characters)"


class CreatedInvoice(Struct, frozen=True, kw_only=True, gc=False):
    """One invoice; a split order gives one for each payer."""

    # Optional too: the call that made the invoice can't be repeated, so its answer must be readable.
    invoice_number: int | None = None
    """Number of the invoice."""
    customer_id: int | None = None
    """The customer who pays it."""
    sent_messages: SentMessages | None = None
    """Which messages went to the customer."""
    documents: NeverNullList[InvoiceDocument] = []
    """The generated documents."""

    def __post_init__(self) -> None:
        if self.documents is NULL:
            force_setattr(self, "documents", [])
