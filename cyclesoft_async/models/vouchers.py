"""Vouchers. Vendor page: "Vouchers"."""

from __future__ import annotations

from ._base import Model


class Voucher(Model, frozen=True, kw_only=True, gc=False):
    """A voucher. Amounts are in cents.

    The code is as good as money, so `repr()` does not show it. Vendor page: "Vouchers", "Voucher info".
    """

    code: str
    """What is printed on it."""
    type_id: int | None = None
    """Enum `voucher_types`."""
    type_description: str | None = None
    """Text of the type, in Dutch."""
    is_active: bool | None = None
    """Whether it can be spent."""
    amount_initial_cents: int | None = None
    """What it was sold for."""
    amount_spent_cents: int | None = None
    """What has been spent of it."""
    amount_balance_cents: int | None = None
    """What is left."""
