"""Where a sales order goes: another store, another delivery method. Vendor page: "Sales orders"."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model


class NewAddress(Model, frozen=True, kw_only=True):
    """A delivery address for a sales order. Only what you set is sent.

    Vendor page: "Sales orders", `new_delivery_address`.
    """

    is_business_address: bool | UnsetType | None = UNSET
    """Whether it is the address of a business."""
    company_name: str | UnsetType | None = UNSET
    """Name of the company."""
    name: str | UnsetType | None = UNSET
    """Name of the person."""
    street: str | UnsetType | None = UNSET
    """Street, without the house number."""
    house_number: str | UnsetType | None = UNSET
    """House number without its postfix."""
    house_number_postfix: str | UnsetType | None = UNSET
    """The "a" of "12a"."""
    postal_code: str | UnsetType | None = UNSET
    """Postal code."""
    city: str | UnsetType | None = UNSET
    """Town."""
    country_code: str | UnsetType | None = UNSET
    """Country code such as "NL"."""
    phone_number: str | UnsetType | None = UNSET
    """Telephone number at the address."""
    email: str | UnsetType | None = UNSET
    """E-mail address for the delivery."""
    notes: str | UnsetType | None = UNSET
    """Free text. One of the vendor's two examples has it no longer."""


class ItemTransfer(Struct, frozen=True, kw_only=True):
    """How one line of an order moves to another store. Vendor page: "Sales orders", `items[]`."""

    item_id: int
    """`item_id` of the order's line."""
    mode: int | UnsetType | None = UNSET
    """Enum `sales_order_store_transfer_modes`; unset is the transfer's `default_mode`."""


class StoreTransfer(Model, frozen=True, kw_only=True):
    """A move of a sales order to another store. Only what you set is sent.

    Vendor page: "Sales orders", "Update sales order store".
    """

    to_store_id: int
    """The store that takes the order over."""
    default_mode: int | UnsetType | None = UNSET
    """Mode of lines without one of their own: enum `sales_order_store_transfer_modes`."""
    new_delivery_method_id: int | UnsetType | None = UNSET
    """Enum `delivery_methods`; unset or None leaves it."""
    new_delivery_address: NewAddress | UnsetType | None = UNSET
    """Where the order goes now; unset or None leaves it."""
    items: list[ItemTransfer] | UnsetType = UNSET
    """Lines with a mode of their own."""


class StoreTransferred(Struct, frozen=True, kw_only=True, gc=False):
    """What a move to another store changed. Vendor page: "Sales orders", "Update sales order store"."""

    created_store_order_id: int | None = None
    """Store order that brings the goods; None when there is none."""
    affected_supplier_order_ids: NeverNullList[int] = []
    """Supplier orders whose goods now go to the other store."""
    cancelled_store_order_ids: NeverNullList[int] = []
    """Store orders that were cancelled."""
    cancelled_supplier_order_ids: NeverNullList[int] = []
    """Supplier orders that were cancelled."""
    updated_outbound_order_ids: NeverNullList[int] = []
    """Outbound orders of the warehouse that were changed."""

    def __post_init__(self) -> None:
        if self.affected_supplier_order_ids is NULL:
            force_setattr(self, "affected_supplier_order_ids", [])
        if self.cancelled_store_order_ids is NULL:
            force_setattr(self, "cancelled_store_order_ids", [])
        if self.cancelled_supplier_order_ids is NULL:
            force_setattr(self, "cancelled_supplier_order_ids", [])
        if self.updated_outbound_order_ids is NULL:
            force_setattr(self, "updated_outbound_order_ids", [])


class DeliveryChanged(Struct, frozen=True, kw_only=True, gc=False):
    """The result of a change of delivery. Vendor page: "Sales orders", "Update delivery method"."""

    created_delivery_address_id: int | None = None
    """The new address; None when none was given."""
