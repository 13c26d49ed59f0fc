"""Invoices that the server made of an order.

Vendor page: "Workshop orders", "Create invoice(s)".
"""

from __future__ import annotations

import base64
import binascii

from msgspec import Struct, field

from cyclesoft_async.errors import ResponseDecodeError


class SentMessages(Struct, frozen=True, kw_only=True, gc=False):
    """Which messages went to the customer."""

    phone_message: bool | None = None
    email_message: bool | None = None


class InvoiceDocument(Struct, frozen=True, kw_only=True, gc=False):
    """A document of an invoice, most often a PDF."""

    document_mime_type: str | None = None
    document_base64: str | None = None

    @property
    def content(self) -> bytes:
        """The document itself.

        Raises:
            ResponseDecodeError: The server sent no base64.
        """
        try:
            # Without the white space that PHP's chunk_split puts in; anything else that is odd is damage.
            return base64.b64decode("".join((self.document_base64 or "").split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ResponseDecodeError(f"the document is not base64: {error}", status=200) from None

    def __repr__(self) -> str:
        return f"InvoiceDocument({self.document_mime_type!r}, {len(self.document_base64 or '')} characters)"


class CreatedInvoice(Struct, frozen=True, kw_only=True, gc=False):
    """One invoice; a split order gives one for each payer."""

    # Optional too: the call that made the invoice can't be repeated, so its answer must be readable.
    invoice_number: int | None = None
    customer_id: int | None = None
    sent_messages: SentMessages | None = None
    _documents: list[InvoiceDocument] | None = field(default=None, name="documents")

    @property
    def documents(self) -> list[InvoiceDocument]:
        """The generated documents; empty when the server sends null or leaves them out."""
        return self._documents or []
