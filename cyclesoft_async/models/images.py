"""Images of bikes. Vendor page: "Repair objects", `images[]`."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam


class Image(Struct, frozen=True, kw_only=True, gc=False):
    """An image. Its addresses are on other hosts: fetch them without the API's credentials."""

    date_modified: datetime | None = None
    """When the image was last changed, aware, in Amsterdam time."""
    url_thumb: str | None = None
    """Address of the small version."""
    url_large: str | None = None
    """Address of the large version."""

    def __post_init__(self) -> None:
        if (moment := self.date_modified) is not None:
            force_setattr(self, "date_modified", in_amsterdam(moment))
