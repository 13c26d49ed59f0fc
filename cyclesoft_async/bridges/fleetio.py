"""Fleetio: work orders of vehicles, version 1 of its API.

Vendor page: "Create Work Order" (developer.fleetio.com/docs/api/2023-03-01/v-1-work-orders-create).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Final, Literal, TypeAlias, Unpack

from msgspec import UNSET, Struct, UnsetType

from cyclesoft_async.errors import (
    AuthenticationError,
    PermissionDeniedError,
    ServerError,
    StatusError,
    UnprocessableError,
)
from cyclesoft_async.transport import Answer, Call, HeaderTokens, error_class, read_body, refusal
from cyclesoft_async.transport.request import JSON

from .base import Bridge, BridgeOptions, what_it_says
from .body import Amount, Id, Moment, Text255, checked_json

BASE_URL: Final = "https://secure.fleetio.com"
CREATE_WORK_ORDER: Final = "/api/v1/work_orders"
MINUTELY_LIMIT: Final = 20
"""What Fleetio's guide to too many requests names; an account's plan can have another one."""

TaxType: TypeAlias = Literal["fixed", "percentage"]
DiscountType: TypeAlias = Literal["percentage", "amount"]


class MeterEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a vehicle's meter shows."""

    value: Amount | UnsetType = UNSET
    """In the vehicle's own unit."""
    void: bool | UnsetType = UNSET
    """Take a value that Fleetio would find too high or too low."""


class WorkOrderCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A work order to create. Amounts are in units of the currency, times are aware.

    Vendor page: the same, "Request Body".
    """

    issued_at: Moment
    work_order_status_id: Id
    vehicle_id: Id
    started_at: Moment | UnsetType = UNSET
    completed_at: Moment | UnsetType = UNSET
    work_order_status_name: str | UnsetType = UNSET
    invoice_number: Text255 | UnsetType = UNSET
    vendor_id: Id | UnsetType = UNSET
    vendor_name: Text255 | UnsetType = UNSET
    vehicle_name: Text255 | UnsetType = UNSET
    discount_type: DiscountType | UnsetType = UNSET
    """The answer has "fixed" where the request has "amount"."""
    discount: Amount | UnsetType = UNSET
    discount_percentage: Amount | UnsetType = UNSET
    """Used if `discount_type` is "percentage"."""
    tax_1_percentage: Amount | UnsetType = UNSET
    """Used if `tax_1_type` is "percentage"."""
    tax_1_type: TaxType | UnsetType = UNSET
    """Fleetio's default is "percentage"."""
    tax_1: Amount | UnsetType = UNSET
    """Used if `tax_1_type` is "fixed", which the page's words call "amount"."""
    tax_2_percentage: Amount | UnsetType = UNSET
    tax_2_type: TaxType | UnsetType = UNSET
    tax_2: Amount | UnsetType = UNSET
    issued_by_id: Id | UnsetType = UNSET
    contact_id: Id | UnsetType = UNSET
    label_list: Text255 | UnsetType = UNSET
    """Labels with commas between them; a list in the answer."""
    purchase_order_number: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    number: int | UnsetType = UNSET
    """Unique in the account: a second work order with it is refused."""
    meter_entry_attributes: MeterEntry | UnsetType = UNSET
    secondary_meter_entry_attributes: MeterEntry | UnsetType = UNSET
    custom_fields: Mapping[str, object] | UnsetType = UNSET
    ending_meter_same_as_start: bool | UnsetType = UNSET
    vmrs_repair_priority_class_id: Id | UnsetType = UNSET


class WorkOrder(Struct, frozen=True, kw_only=True):
    """A work order as Fleetio made it. Here amounts are in cents; times are aware.

    Whatever Fleetio leaves out or sends as null is None. Vendor page: the same, 201.
    """

    id: int
    created_at: datetime | None = None
    updated_at: datetime | None = None
    account_id: int | None = None
    number: int | None = None
    completed_at: datetime | None = None
    expected_completed_at: datetime | None = None
    description: str | None = None
    ending_meter_same_as_start: bool | None = None
    duration_in_seconds: int | None = None
    """From beginning to completing it."""
    invoice_number: str | None = None
    state: str | None = None
    """ "active" or "completed"."""
    issued_at: datetime | None = None
    issued_by_id: int | None = None
    contact_id: int | None = None
    purchase_order_number: str | None = None
    started_at: datetime | None = None
    work_order_type_id: int | None = None
    vehicle_archived_at: datetime | None = None
    send_email_notification_to_assignee: bool | None = None
    scheduled_at: datetime | None = None
    vehicle_id: int | None = None
    vendor_id: int | None = None
    work_order_status_id: int | None = None
    custom_fields: dict[str, object] | None = None
    is_sample: bool | None = None
    created_by_id: int | None = None
    vmrs_repair_priority_class_id: int | None = None
    label_list: list[str] | None = None
    fees_cents: int | None = None
    tax_free_labor: bool | None = None
    currency: str | None = None
    labor_subtotal_cents: int | None = None
    parts_subtotal_cents: int | None = None
    subtotal_cents: int | None = None
    """Before tax."""
    comments_count: int | None = None
    documents_count: int | None = None
    images_count: int | None = None
    watchers_count: int | None = None
    watchable_options: dict[str, object] | None = None
    bulk_watch_record: bool | None = None
    skip_automatic_watchers_callbacks: bool | None = None
    total_amount_cents: int | None = None
    tax_1_type: str | None = None
    """ "fixed" or "percentage"; so are `tax_2_type` and `discount_type`."""
    tax_1_percentage: str | None = None
    """A number as text, here and below."""
    tax_1_cents: int | None = None
    tax_2_type: str | None = None
    tax_2_percentage: str | None = None
    tax_2_cents: int | None = None
    discount_type: str | None = None
    discount_percentage: str | None = None
    discount_cents: int | None = None


class Problem(Struct, frozen=True, kw_only=True):
    """What Fleetio says of a refusal, as far as it does."""

    status: int | None = None
    title: str | None = None
    """A summary that stays the same from one occurrence to the next."""
    detail: str | None = None
    """Of this occurrence."""
    instance: str | None = None
    """A URI that identifies this occurrence."""


class ProblemError(StatusError):
    """Fleetio says no.

    Attributes:
        problem: Its own description.
    """

    problem: Problem = Problem()


class NotAuthenticatedError(ProblemError, AuthenticationError):
    """401: the request could not be authenticated."""


class NotPermittedError(ProblemError, PermissionDeniedError):
    """403: the key has no permission to do this."""


class UnexpectedError(ProblemError, ServerError):
    """500: something unexpected happened; what is left of the request is not documented."""


class InvalidFieldsError(UnprocessableError):
    """422: fields that Fleetio does not take.

    Attributes:
        fields: What is wrong, by the name of the field.
    """

    fields: Mapping[str, list[str]] = {}


class Fleetio(Bridge):
    """Work orders of vehicles in Fleetio.

    ::

        async with Fleetio(api_key, account_token) as fleetio:
            order = await fleetio.create_work_order(WorkOrderCreate(...))

    Args:
        api_key: Of a user of the account.
        account_token: Which of the user's accounts is meant.
        base_url: Where Fleetio is.
        options: See `BridgeOptions`; the limit is `MINUTELY_LIMIT` by default.

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
        tokens = {"Authorization": f"Token {api_key}", "Account-Token": account_token}
        super().__init__(base_url, HeaderTokens(tokens), **options)

    async def create_work_order(self, order: WorkOrderCreate) -> WorkOrder:
        """Create a work order and give it as Fleetio made it. Deprecated by Fleetio: there is a version 2.

        Raises:
            UsageError: The order is not what the page says; nothing was sent.
            InvalidFieldsError: Fleetio does not take some fields, for example a `number` that is taken.
            ProblemError: Fleetio says no: `NotAuthenticatedError`, `NotPermittedError`, `UnexpectedError`.
            RateLimitedError: Too many requests; `retry_after` says for how long.
            AmbiguousWriteError: The order may or may not have been made. With a `number` of yours it is safe
                to send it again: a second one is refused.
        """
        warnings.warn(
            "Fleetio deprecates version 1 of work orders and will remove it: use POST /api/v2/work_orders",
            DeprecationWarning,
            stacklevel=2,
        )
        call = Call(
            method="POST",
            path=CREATE_WORK_ORDER,
            body=checked_json(order),
            content_type=JSON,
            how_to_check="look for the work order's number; a second one with the same number is refused",
        )
        del order  # tracebacks can show it
        return await self._fetch(call, _read)


_PROBLEMS: Final[dict[int, type[ProblemError]]] = {
    401: NotAuthenticatedError,
    403: NotPermittedError,
    500: UnexpectedError,
}


class _FieldErrors(Struct):
    errors: dict[str, list[str]] = {}


class _TooMany(Struct):
    error: str | None = None


def _read(answer: Answer) -> WorkOrder:
    if answer.is_success:
        return read_body(answer, WorkOrder)
    if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        raise _invalid_fields(answer)
    if answer.status in _PROBLEMS:
        problem = what_it_says(answer, Problem)
        error = refusal(answer, _PROBLEMS[answer.status], problem.detail or problem.title)
        error.problem = problem
        raise error
    raise refusal(answer, error_class(answer.status), what_it_says(answer, _TooMany).error)


def _invalid_fields(answer: Answer) -> InvalidFieldsError:
    fields = what_it_says(answer, _FieldErrors).errors
    words = "; ".join(f"{field}: {', '.join(messages)}" for field, messages in fields.items())
    error = refusal(answer, InvalidFieldsError, words or None)
    error.fields = fields
    return error
