"""Comments on orders, invoices and customers. Vendor page: "Comments"."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, UnsetType
from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam

from ._base import Model


class Comment(Model, frozen=True, kw_only=True, gc=False):
    """A comment. Every datetime is aware, in Amsterdam time.

    Vendor page: "Comments", "Comment (object)".
    """

    comment_id: int
    """Id of the comment."""
    comment_type_id: int | None = None
    """Enum `comment_types`, which the list of enums may lack; 1 is a note."""
    comment_type_name: str | None = None
    """Name of the type."""
    comment_type_label: str | None = None
    """Kind of the type, such as "info"."""
    employee_id: int | None = None
    """Employee who wrote it."""
    entity_id: int | None = None
    """Id of the order, invoice or other thing that it is about."""
    entity_type_id: int | None = None
    """Enum `entity_types`: 5 is an invoice, 7 a sales order."""
    entity_type_name: str | None = None
    """Name of the entity's type."""
    customer_id: int | None = None
    """Customer whom it concerns."""
    comment: str | None = None
    """The text."""
    created_at: datetime | None = None
    """When it was written."""
    modified_at: datetime | None = None
    """When it was last changed."""

    def __post_init__(self) -> None:
        if (moment := self.created_at) is not None:
            force_setattr(self, "created_at", in_amsterdam(moment))
        if (moment := self.modified_at) is not None:
            force_setattr(self, "modified_at", in_amsterdam(moment))


class CommentCreate(Model, frozen=True, kw_only=True):
    """A comment to create. Vendor page: "Comments", properties marked POST."""

    comment_type_id: int
    """Enum `comment_types`; 1 is a note."""
    employee_id: int
    """Employee who writes."""
    entity_type_id: int
    """What it is about: 1, 3, 4, 5 (invoice), 6 or 7 (sales order) of enum `entity_types`."""
    entity_id: int
    """Id of the order, invoice or other thing."""
    comment: str
    """The text."""
    customer_id: int | UnsetType | None = UNSET
    """Customer whom it concerns."""


class CommentUpdate(Model, frozen=True, kw_only=True):
    """What to change of a comment. Only what you set is sent.

    The vendor does not say whether an update is partial. Vendor page: "Comments", properties marked PUT.
    """

    comment_type_id: int | UnsetType | None = UNSET
    """Enum `comment_types`; 1 is a note."""
    employee_id: int | UnsetType | None = UNSET
    """Employee who writes."""
    comment: str | UnsetType | None = UNSET
    """The text."""
