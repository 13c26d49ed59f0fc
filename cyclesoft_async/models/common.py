"""Lists that an account rarely changes: enums, employees, suppliers and brands. Vendor page: "Common"."""

from __future__ import annotations

import hashlib
import hmac

from msgspec import Struct
from msgspec.structs import force_setattr

from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model


class EnumEntry(Struct, frozen=True, kw_only=True, gc=False):
    """A value of an enum. Enums are open: an account can have values of its own."""

    id: int
    """The id, as other objects have it."""
    description: str | None = None
    """Text in Dutch."""
    description_en: str | None = None
    """Text in English."""


class Employee(Model, frozen=True, kw_only=True, gc=False):
    """An employee of the shop. Vendor page: "Common", "Employees"."""

    employee_id: int
    """Id of the employee."""
    employee_name: str | None = None
    """Name to show."""
    sso_username: str | None = None
    """Name for single sign-on."""
    verification_hash: str | None = None
    """HMAC of the employee's code, which is short enough to guess from it: a secret. See `has_code`."""
    roles: NeverNullList[str] = []
    """For example "employee" or "mechanic"."""
    is_active: bool | None = None
    """False for a former employee."""
    is_default: bool | None = None
    """Whether it is the account's default employee."""
    is_administrator: bool | None = None
    """Whether the employee may administer the account."""
    avatar: str | None = None
    """Address of an image, on another host: fetch it without the API's credentials."""
    authorizations: NeverNullList[str] = []
    """What the employee may do, such as "MAY_ACCEPT_SALES_LEADS"."""
    authorizations_warehouse: NeverNullList[str] = []
    """What the employee may do in the warehouse."""

    def __post_init__(self) -> None:
        if self.roles is NULL:
            force_setattr(self, "roles", [])
        if self.authorizations is NULL:
            force_setattr(self, "authorizations", [])
        if self.authorizations_warehouse is NULL:
            force_setattr(self, "authorizations_warehouse", [])

    def has_code(self, code: str, api_key: str) -> bool:
        """Whether a code that was entered is the employee's. Compared in constant time.

        Args:
            code: The code that was entered.
            api_key: The account's API key.
        """
        expected = hmac.new(api_key.encode(), code.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), (self.verification_hash or "").lower().encode())


class Supplier(Struct, frozen=True, kw_only=True, gc=False):
    """A supplier or a brand. Vendor page: "Common", "Supplier list"."""

    supplier_id: int
    """Id of the supplier."""
    type: str | None = None
    """ "supplier", "bike-brand" or "moped-brand"."""
    supplier_name: str | None = None
    """Name of the supplier or brand."""
    parent_supplier_id: int | None = None
    """The supplier of a brand."""
