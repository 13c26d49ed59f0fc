"""Labels: short texts on sales orders, invoices and other things.

Vendor page: "Labels" (scope `e-commerce`, `common` or `warehouse`).
"""

from __future__ import annotations

from collections.abc import Sequence

from cyclesoft_async._arguments import check_texts
from cyclesoft_async.transport import under

from .resource import Endpoint, Resource

_SCOPE = "e-commerce, common or warehouse"
_LOOK = "read the labels before you repeat the call"

# The vendor's box says GET, its example POST.
GET = Endpoint(
    path="/api/v1/labels/{entity_type_id}/{entity_id}/get.json",
    answer=under("labels", list[str]),
    scope=_SCOPE,
)
ATTACH = Endpoint(
    method="POST",
    path="/api/v1/labels/{entity_type_id}/{entity_id}/attach.json",
    answer=under("labels", list[str]),
    scope=_SCOPE,
    how_to_check=_LOOK,
)
DETACH = Endpoint(
    method="POST",
    path="/api/v1/labels/{entity_type_id}/{entity_id}/detach.json",
    answer=under("labels", list[str]),
    scope=_SCOPE,
    how_to_check=_LOOK,
)


class Labels(Resource):
    """Labels of one thing. Every method can raise any `errors.RequestError`."""

    async def get(self, entity_type_id: int, entity_id: int) -> list[str]:
        """Return the labels.

        Args:
            entity_type_id: Enum `entity_types`: 5 is an invoice, 7 a sales order.
            entity_id: The invoice's number or the order's id.
        """
        return await self._fetch(GET, entity_type_id, entity_id)

    async def attach(self, entity_type_id: int, entity_id: int, labels: Sequence[str]) -> list[str]:
        """Attach labels, and return all that are attached now.

        Args:
            entity_type_id: As for `get`.
            entity_id: As for `get`.
            labels: A list of texts.

        Raises:
            UsageError: `labels` is no list of texts.
            AmbiguousWriteError: The labels may or may not have been attached. The request is never repeated,
                as the vendor does not say whether a second one doubles them: `get` shows them.
        """
        return await self._fetch(ATTACH, entity_type_id, entity_id, json=check_texts("labels", labels))

    async def detach(self, entity_type_id: int, entity_id: int, labels: Sequence[str]) -> list[str]:
        """Detach labels, and return those that are left.

        Args:
            entity_type_id: As for `get`.
            entity_id: As for `get`.
            labels: A list of texts.

        Raises:
            UsageError: `labels` is no list of texts.
            AmbiguousWriteError: The labels may or may not have been detached: `get` shows them.
        """
        return await self._fetch(DETACH, entity_type_id, entity_id, json=check_texts("labels", labels))
