"""Fleetio: work orders of vehicles, version 1 of its API.

Vendor page: "Create Work Order" (developer.fleetio.com/docs/api/2023-03-01/v-1-work-orders-create).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, Unpack, cast

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from cyclesoft_async.codec.never_null import NULL, NeverNullList
from cyclesoft_async.errors import (
    AuthenticationError,
    PermissionDeniedError,
    ServerError,
    StatusError,
    UnprocessableError,
)
from cyclesoft_async.transport import (
    JSON,
    Call,
    HeaderTokens,
    Response,
    read_body,
    status_error,
    status_error_class,
)

from .base import Bridge, BridgeOptions, as_text, read_or_default
from .body import Amount, Id, Moment, Text255, encode_request

BASE_URL: Final = "https://secure.fleetio.com"
CREATE_WORK_ORDER: Final = "/api/v1/work_orders"
MINUTELY_LIMIT: Final = 20
"""The limit in Fleetio's guide to rate limiting. An account's plan may have another one."""

TaxType: TypeAlias = Literal["fixed", "percentage"]
DiscountType: TypeAlias = Literal["percentage", "amount"]


class MeterEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reading of a vehicle's meter."""

    value: Amount | UnsetType = UNSET
    """In the vehicle's own unit."""
    void: bool | UnsetType = UNSET
    """Accept a value that Fleetio considers too high or too low."""


class WorkOrderCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A work order to create. Amounts are in units of the currency, times are aware.

    Vendor page: the same, "Request Body".
    """

    issued_at: Moment
    """When the work order was issued."""
    work_order_status_id: Id
    """Status of the work order."""
    vehicle_id: Id
    """The vehicle."""
    started_at: Moment | UnsetType = UNSET
    """When the work began."""
    completed_at: Moment | UnsetType = UNSET
    """When the work was completed."""
    work_order_status_name: str | UnsetType = UNSET
    """Status of the work order, by its name."""
    invoice_number: Text255 | UnsetType = UNSET
    """Number of the vendor's invoice."""
    vendor_id: Id | UnsetType = UNSET
    """The vendor who does the work."""
    vendor_name: Text255 | UnsetType = UNSET
    """The vendor, by name."""
    vehicle_name: Text255 | UnsetType = UNSET
    """The vehicle, by name."""
    discount_type: DiscountType | UnsetType = UNSET
    """The response has "fixed" where the request has "amount"."""
    discount: Amount | UnsetType = UNSET
    """Amount of the discount; used if `discount_type` is "amount"."""
    discount_percentage: Amount | UnsetType = UNSET
    """Used if `discount_type` is "percentage"."""
    tax_1_percentage: Amount | UnsetType = UNSET
    """Used if `tax_1_type` is "percentage"."""
    tax_1_type: TaxType | UnsetType = UNSET
    """Fleetio's default is "percentage"."""
    tax_1: Amount | UnsetType = UNSET
    """Used if `tax_1_type` is "fixed". The page's text calls it "amount"."""
    tax_2_percentage: Amount | UnsetType = UNSET
    """Used if `tax_2_type` is "percentage"."""
    tax_2_type: TaxType | UnsetType = UNSET
    """Fleetio's default is "percentage"."""
    tax_2: Amount | UnsetType = UNSET
    """Used if `tax_2_type` is "fixed"."""
    issued_by_id: Id | UnsetType = UNSET
    """The contact who issued the work order."""
    contact_id: Id | UnsetType = UNSET
    """The contact to whom the work order is assigned."""
    label_list: Text255 | UnsetType = UNSET
    """Labels separated by commas. The response has a list."""
    purchase_order_number: str | UnsetType = UNSET
    """Number of the purchase order."""
    description: str | UnsetType = UNSET
    """What is to be done."""
    number: int | UnsetType = UNSET
    """Unique in the account: a second work order with the same number is rejected."""
    meter_entry_attributes: MeterEntry | UnsetType = UNSET
    """What the vehicle's meter shows at the start."""
    secondary_meter_entry_attributes: MeterEntry | UnsetType = UNSET
    """What the vehicle's second meter shows at the start."""
    custom_fields: Mapping[str, object] | UnsetType = UNSET
    """Custom fields of the account, by name."""
    ending_meter_same_as_start: bool | UnsetType = UNSET
    """Whether the meter shows the same at the end."""
    vmrs_repair_priority_class_id: Id | UnsetType = UNSET
    """Priority class of the repair, by the VMRS standard."""


class WorkOrder(Struct, frozen=True, kw_only=True):
    """A created work order. Amounts are in cents.

    Times are aware, with the offset that Fleetio sent; one without an offset is UTC. Missing and null
    fields are None, or an empty list. Vendor page: the same, 201.
    """

    id: int
    """Id of the work order."""
    created_at: datetime | None = None
    """When the work order was created."""
    updated_at: datetime | None = None
    """When the work order was last changed."""
    account_id: int | None = None
    """Account of the work order."""
    number: int | None = None
    """Number of the work order within the account."""
    completed_at: datetime | None = None
    """When the work was completed."""
    expected_completed_at: datetime | None = None
    """When the work is expected to be completed."""
    description: str | None = None
    """What is to be done."""
    ending_meter_same_as_start: bool | None = None
    """Whether the meter shows the same at the end."""
    duration_in_seconds: int | None = None
    """From start to completion."""
    invoice_number: str | None = None
    """Number of the vendor's invoice."""
    state: str | None = None
    """ "active" or "completed"."""
    issued_at: datetime | None = None
    """When the work order was issued."""
    issued_by_id: int | None = None
    """The contact who issued the work order."""
    contact_id: int | None = None
    """The contact to whom the work order is assigned."""
    purchase_order_number: str | None = None
    """Number of the purchase order."""
    started_at: datetime | None = None
    """When the work began."""
    work_order_type_id: int | None = None
    """Type of the work order."""
    vehicle_archived_at: datetime | None = None
    """When the vehicle was archived."""
    send_email_notification_to_assignee: bool | None = None
    """Whether the assigned contact is notified by e-mail."""
    scheduled_at: datetime | None = None
    """When the work is scheduled."""
    vehicle_id: int | None = None
    """The vehicle."""
    vendor_id: int | None = None
    """The vendor who does the work."""
    work_order_status_id: int | None = None
    """Status of the work order."""
    custom_fields: dict[str, object] | None = None
    """Custom fields of the account, by name."""
    is_sample: bool | None = None
    """Whether it is one of Fleetio's sample records."""
    created_by_id: int | None = None
    """The user who created the work order."""
    vmrs_repair_priority_class_id: int | None = None
    """Priority class of the repair, by the VMRS standard."""
    label_list: NeverNullList[str] = []
    """Labels."""
    fees_cents: int | None = None
    """Fees."""
    tax_free_labor: bool | None = None
    """Whether labor is free of tax."""
    currency: str | None = None
    """Currency of the amounts."""
    labor_subtotal_cents: int | None = None
    """Labor."""
    parts_subtotal_cents: int | None = None
    """Parts."""
    subtotal_cents: int | None = None
    """Before tax."""
    comments_count: int | None = None
    """Number of comments."""
    documents_count: int | None = None
    """Number of documents."""
    images_count: int | None = None
    """Number of images."""
    watchers_count: int | None = None
    """Number of watchers."""
    watchable_options: dict[str, object] | None = None
    """Options of the user who watches the work order."""
    bulk_watch_record: bool | None = None
    """Whether it is watched through a bulk action."""
    skip_automatic_watchers_callbacks: bool | None = None
    """Whether contacts are made watchers automatically."""
    total_amount_cents: int | None = None
    """Total, with tax."""
    tax_1_type: str | None = None
    """ "fixed" or "percentage"; so are `tax_2_type` and `discount_type`."""
    tax_1_percentage: str | None = None
    """A number as text, here and below."""
    tax_1_cents: int | None = None
    """Amount of the first tax."""
    tax_2_type: str | None = None
    """ "fixed" or "percentage"."""
    tax_2_percentage: str | None = None
    """A number as text."""
    tax_2_cents: int | None = None
    """Amount of the second tax."""
    discount_type: str | None = None
    """ "fixed" or "percentage"."""
    discount_percentage: str | None = None
    """A number as text."""
    discount_cents: int | None = None
    """Amount of the discount."""

    def __post_init__(self) -> None:
        for name in _TIMES:
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                force_setattr(self, name, moment.replace(tzinfo=UTC))
        if self.label_list is NULL:
            force_setattr(self, "label_list", [])


_TIMES: Final = (
    "created_at",
    "updated_at",
    "completed_at",
    "expected_completed_at",
    "issued_at",
    "started_at",
    "vehicle_archived_at",
    "scheduled_at",
)


class Problem(Struct, frozen=True, kw_only=True):
    """Fleetio's description of an error (problem details). All fields may be missing."""

    status: int | None = None
    """Status of the response."""
    title: str | None = None
    """Summary, the same for all occurrences."""
    detail: str | None = None
    """Explanation of this occurrence."""
    instance: str | None = None
    """URI of this occurrence."""


class ProblemError(StatusError):
    """An error with problem details.

    Attributes:
        problem: Fleetio's description.
    """

    problem: Problem = Problem()


class NotAuthenticatedError(ProblemError, AuthenticationError):
    """401: the request could not be authenticated."""


class NotPermittedError(ProblemError, PermissionDeniedError):
    """403: the key has no permission to do this."""


class UnexpectedError(ProblemError, ServerError):
    """500: an unexpected error. Whether the request had an effect is not documented."""


class InvalidFieldsError(UnprocessableError):
    """422: Fleetio rejects fields of the request.

    Attributes:
        fields: Messages by field. Those that concern no field are at "base".
    """

    fields: Mapping[str, list[str]] = {}


class Fleetio(Bridge):
    """Work orders of vehicles in Fleetio.

    ::

        async with Fleetio(api_key, account_token) as fleetio:
            order = await fleetio.create_work_order(WorkOrderCreate(...))

    Args:
        api_key: API key of a user.
        account_token: Token of one of the user's accounts.
        base_url: URL of Fleetio's API.
        options: See `BridgeOptions`. The default limit is `MINUTELY_LIMIT`.

    Vendor pages: "Quick Start", "Rate Limiting".
    """

    def __init__(
        self,
        api_key: str,
        account_token: str,
        *,
        base_url: str = BASE_URL,
        **options: Unpack[BridgeOptions],
    ) -> None:
        options.setdefault("minutely_limit", MINUTELY_LIMIT)
        try:
            auth = HeaderTokens({"Authorization": f"Token {api_key}", "Account-Token": account_token})
            super().__init__(base_url, auth, **options)
        finally:
            del api_key, account_token, base_url  # a traceback can show them

    async def create_work_order(self, order: WorkOrderCreate) -> WorkOrder:
        """Create a work order. Deprecated by Fleetio in favour of its version 2.

        Args:
            order: The work order. A `number` of your own makes it safe to send it again.

        Raises:
            UsageError: A field of the order is invalid. Nothing was sent.
            InvalidFieldsError: Fleetio rejects fields, for example a `number` in use.
            ProblemError: `NotAuthenticatedError`, `NotPermittedError` or `UnexpectedError`.
            RateLimitedError: Too many requests. `retry_after` is in seconds.
            AmbiguousWriteError: The order may have been created. With a `number` of your own it is safe to
                send it again: a duplicate is rejected.
        """
        warnings.warn(
            "Fleetio deprecates version 1 of work orders and will remove it: use POST /api/v2/work_orders",
            DeprecationWarning,
            stacklevel=2,
        )
        call = Call(
            method="POST",
            path=CREATE_WORK_ORDER,
            template=CREATE_WORK_ORDER,
            body=encode_request(order),
            content_type=JSON,
            how_to_check="look for the work order's number; a second one with the same number is rejected",
        )
        del order  # tracebacks can show it
        return await self._execute(call, _read)


_CLASSES: Final[dict[int, type[StatusError]]] = {
    401: NotAuthenticatedError,
    403: NotPermittedError,
    422: InvalidFieldsError,
    500: UnexpectedError,
}


class _ErrorBody(Struct):
    error: object = None
    errors: object = None


def _read(response: Response) -> WorkOrder:
    if response.is_success:
        return read_body(response, WorkOrder)
    problem = _redacted(read_or_default(response, Problem), response)
    body = read_or_default(response, _ErrorBody)
    fields = {
        response.redact(field): [response.redact(message) for message in messages]
        for field, messages in _by_field(body.errors).items()
    }
    message = "; ".join(f"{field}: {', '.join(messages)}" for field, messages in fields.items())
    class_ = _CLASSES.get(response.status) or status_error_class(response.status)
    fallback = problem.detail or problem.title or (as_text(body.error) if body.error else None)
    error = status_error(response, class_, message or fallback)
    if isinstance(error, ProblemError):
        error.problem = problem
    if isinstance(error, InvalidFieldsError):
        error.fields = fields
    raise error


def _redacted(problem: Problem, response: Response) -> Problem:
    return Problem(
        status=problem.status,
        title=response.redact(problem.title or "") or None,
        detail=response.redact(problem.detail or "") or None,
        instance=response.redact(problem.instance or "") or None,
    )


def _by_field(errors: object) -> dict[str, list[str]]:
    """Return the messages by field. Documented are lists by field; a text or a list concerns no field."""
    if not errors:
        return {}
    by_field = cast("dict[str, object]", errors) if isinstance(errors, dict) else {"base": errors}
    return {field: _messages(found) for field, found in by_field.items()}


def _messages(found: object) -> list[str]:
    return [as_text(each) for each in (cast("list[object]", found) if isinstance(found, list) else [found])]
