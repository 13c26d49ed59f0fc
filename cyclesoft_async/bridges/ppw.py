"""Property Pres Wizard: an invoice for a work order.

Vendor pages: "/invoice/create", "PPW API Services" (docs.propertypreswizard.com/api-services).
"""

from __future__ import annotations

import warnings
from typing import ClassVar, Final, Unpack

from msgspec import UNSET, Struct, UnsetType

from cyclesoft_async.errors import (
    AuthenticationError,
    BadRequestError,
    PermissionDeniedError,
    StatusError,
    UsageError,
)
from cyclesoft_async.transport import (
    JSON,
    BearerToken,
    Call,
    Response,
    read_body,
    status_error,
    status_error_class,
)

from .base import Bridge, BridgeOptions, as_text, read_or_default
from .body import Amount, encode_request

CREATE_INVOICE = "/invoice/create"


class _Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    qty: Amount
    """Quantity."""
    price: Amount
    """In units of the currency, not cents."""
    invoice_item_id: int | UnsetType = UNSET
    """Id from `/bid/invoice/items`. Set either this or `invoice_item_other`."""
    invoice_item_other: str | UnsetType = UNSET
    """Text of a custom item."""
    uom_id: int | UnsetType = UNSET
    """Id of the unit of measure, from `/bid/uom`."""
    flat_fee: bool | UnsetType = UNSET
    """`price` is for the whole line, not per unit."""

    def __post_init__(self) -> None:
        if (self.invoice_item_id is UNSET) == (self.invoice_item_other is UNSET):
            raise UsageError("an item must have either invoice_item_id or invoice_item_other; set one")


class ClientItem(_Item, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line that the client pays.

    Raises:
        UsageError: It has neither an `invoice_item_id` nor an `invoice_item_other`, or both.
    """


class ContractorItem(_Item, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line that the contractor gets.

    Raises:
        UsageError: As for `ClientItem`.
    """

    price_sub_adj: Amount | UnsetType = UNSET
    """Adjustment of the line."""
    adj_comment: str | UnsetType = UNSET
    """Reason of the adjustment."""


class InvoiceCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The invoice of a work order. A work order has only one."""

    report_id: int
    """Id of the work order."""
    contractor_items: list[ContractorItem] | UnsetType = UNSET
    """Lines that the contractor gets."""
    client_items: list[ClientItem] | UnsetType = UNSET
    """Lines that the client pays."""


class CreatedInvoice(Struct, frozen=True, kw_only=True):
    """A created invoice."""

    invoice_id: int
    """Id of the invoice."""


class PpwError(StatusError):
    """A documented error of PPW.

    Attributes:
        error_type: PPW's name of the error.
    """

    error_type: ClassVar[str]


class AccessDeniedError(PpwError, AuthenticationError):
    """401: the access token is invalid or expired."""

    error_type = "access_denied"


class ScopeInvalidError(PpwError, PermissionDeniedError):
    """403: the client app does not have the OAuth scope that is required."""

    error_type = "scope_invalid"


class WorkOrderInvalidError(PpwError, BadRequestError):
    """400: the work order is invalid."""

    error_type = "wo_invalid"


class InvoiceExistsError(PpwError, BadRequestError):
    """400: the work order has its invoice already."""

    error_type = "invoice_exists"


class InvoiceItemIdNotAllowedError(PpwError, BadRequestError):
    """400: `invoice_item_id` can't be set."""

    error_type = "invoice_item_id_not_allowed"


class InvoiceItemIdRequiredError(PpwError, BadRequestError):
    """400: `invoice_item_id` is required."""

    error_type = "invoice_item_id_required"


class InvoiceItemIdInvalidError(PpwError, BadRequestError):
    """400: the invoice item is invalid."""

    error_type = "invoice_item_id_invalid"


class QtyRequiredError(PpwError, BadRequestError):
    """400: an item has no quantity."""

    error_type = "qty_required"


class QtyInvalidError(PpwError, BadRequestError):
    """400: a quantity is invalid."""

    error_type = "qty_invalid"


class UomInvalidError(PpwError, BadRequestError):
    """400: the unit of measure is invalid."""

    error_type = "uom_invalid"


class UomNotAllowedError(PpwError, BadRequestError):
    """400: the unit of measure can't be set."""

    error_type = "uom_not_allowed"


class PriceRequiredError(PpwError, BadRequestError):
    """400: an item has no price."""

    error_type = "price_required"


class PriceInvalidError(PpwError, BadRequestError):
    """400: a price is invalid."""

    error_type = "price_invalid"


class FlatFeeInvalidError(PpwError, BadRequestError):
    """400: a flat fee is invalid."""

    error_type = "flat_fee_invalid"


class InvalidFieldsError(PpwError, BadRequestError):
    """400: some fields of the request are invalid."""

    error_type = "invalid_fields"


_ERRORS: Final[dict[str, type[StatusError]]] = {
    error.error_type: error for error in PpwError.__subclasses__()
}


class Ppw(Bridge):
    """Invoices of work orders in Property Pres Wizard.

    ::

        async with Ppw(access_token, base_url="https://ppw.example/svc") as ppw:
            made = await ppw.create_invoice(InvoiceCreate(report_id=3850, client_items=[...]))

    Args:
        access_token: Token from `/auth/token`. It expires.
        base_url: URL that PPW gave your client app, `/svc` included.
        options: See `BridgeOptions`. PPW documents no limit.
    """

    def __init__(self, access_token: str, *, base_url: str, **options: Unpack[BridgeOptions]) -> None:
        try:
            super().__init__(base_url, BearerToken(access_token), **options)
        finally:
            del access_token, base_url  # a traceback can show them

    async def create_invoice(self, invoice: InvoiceCreate) -> CreatedInvoice:
        """Create the invoice of a work order. Deprecated by PPW, which now creates one for every work order.

        Args:
            invoice: The invoice: the work order, and its lines for client and contractor.

        Raises:
            UsageError: A field of the invoice is invalid. Nothing was sent.
            PpwError: An error type of the page. Each has a subclass.
            AmbiguousWriteError: The invoice may have been created. It is safe to send it again: a duplicate
                is rejected by `InvoiceExistsError`.
        """
        warnings.warn(
            "PPW deprecates /invoice/create: every work order has an invoice now; use /invoice/update",
            DeprecationWarning,
            stacklevel=2,
        )
        call = Call(
            method="POST",
            path=CREATE_INVOICE,
            template=CREATE_INVOICE,
            body=encode_request(invoice),
            content_type=JSON,
            how_to_check="look up the work order's invoice at /invoice/id; a second one is rejected",
        )
        del invoice  # tracebacks can show it
        return await self._execute(call, _read)


class _ErrorBody(Struct):
    error: object = None
    error_description: object = None
    message: object = None


def _read(response: Response) -> CreatedInvoice:
    body = read_or_default(response, _ErrorBody)
    if response.is_success and not body.error:
        return read_body(response, CreatedInvoice)
    texts = (body.error, body.error_description, body.message)
    message = ": ".join(as_text(text) for text in texts if text and text is not True)
    by_status = BadRequestError if response.is_success else status_error_class(response.status)
    raise status_error(response, _ERRORS.get(str(body.error), by_status), message or None)
