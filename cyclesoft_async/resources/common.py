"""Common lists: enums, employees, suppliers and brands.

Vendor page: "Common" (scope `common`). They rarely change: read each once a day. Nothing is cached.
"""

from __future__ import annotations

import re

from cyclesoft_async._arguments import check_text
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import Employee, EnumEntry, Supplier
from cyclesoft_async.transport import under

from .resource import Endpoint, Resource

ENUMS = Endpoint(
    path="/api/v1/common/enum.json", answer=under("data", dict[str, list[EnumEntry]]), scope="common"
)
ENUM = Endpoint(
    path="/api/v1/common/enum/{subject}.json", answer=under("data", list[EnumEntry]), scope="common"
)
EMPLOYEES = Endpoint(
    path="/api/v1/common/employees.json", answer=under("data", list[Employee]), scope="common"
)
SUPPLIERS = Endpoint(
    path="/api/v1/common/suppliers.json", answer=under("data", list[Supplier]), scope="common"
)
BIKE_BRANDS = Endpoint(
    path="/api/v1/common/bike-brands.json", answer=under("data", list[Supplier]), scope="common"
)
MOPED_BRANDS = Endpoint(
    path="/api/v1/common/moped-brands.json", answer=under("data", list[Supplier]), scope="common"
)

_SUBJECT = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


class Common(Resource):
    """Lists that all sections refer to. Every method can raise any `errors.RequestError`."""

    async def enums(self) -> dict[str, list[EnumEntry]]:
        """Return all enums of the account by subject, such as "workshop_order_status".

        Enums are open: an account can have ids that no document names.
        """
        return await self._fetch(ENUMS)

    async def enum(self, subject: str) -> list[EnumEntry]:
        """Return one enum.

        Args:
            subject: For example "workshop_order_status"; hyphens are fine, too.

        Raises:
            UsageError: `subject` is not a word of that form.
            NotFoundError: There is no such enum.
        """
        if not _SUBJECT.fullmatch(check_text("subject", subject)):
            raise UsageError("subject must be a name like 'workshop_order_status'")
        return await self._fetch(ENUM, subject.replace("_", "-"))

    async def employees(self) -> list[Employee]:
        """Return the employees, former ones included."""
        return await self._fetch(EMPLOYEES)

    async def suppliers(self) -> list[Supplier]:
        """Return the suppliers, and the brands with the supplier that they belong to."""
        return await self._fetch(SUPPLIERS)

    async def bike_brands(self) -> list[Supplier]:
        """Return the brands of bikes."""
        return await self._fetch(BIKE_BRANDS)

    async def moped_brands(self) -> list[Supplier]:
        """Return the brands of mopeds."""
        return await self._fetch(MOPED_BRANDS)
