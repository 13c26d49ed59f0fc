"""Stock objects: bikes in stock, one by one, and batches of changes to them. Vendor page: "Stock objects"."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from cyclesoft_async._arguments import check_all, check_type
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import StockFilter, StockObject, StockObjectResult, StockObjectUpdate
from cyclesoft_async.transport import under, whole

from .resource import Endpoint, Resource

MOST_UPDATES = 150
"""Updates that one request may have."""

GET = Endpoint(
    path="/api/v1/stock-objects/{stock_object_id}.json",
    answer=whole(StockObject),
    scope=None,
)
BATCH_UPDATE = Endpoint(
    method="PATCH",
    path="/api/v1/stock-objects/batch/update.json",
    answer=under("results", list[StockObjectResult]),
    scope="resources",
    how_to_check="read the bikes with get(stock_object_id) before you repeat the call",
)


class StockObjects(Resource):
    """Bikes in stock. Every method can raise any `errors.RequestError`."""

    async def get(self, stock_object_id: int) -> StockObject:
        """Return one bike.

        Args:
            stock_object_id: The bike; not the id of a repair object.

        Raises:
            NotFoundError: There is no such bike.
        """
        return await self._fetch(GET, stock_object_id)

    async def batch_update(self, updates: Sequence[StockObjectUpdate]) -> list[StockObjectResult]:
        """Change bikes, and return a result for each bike that an update is about.

        An update that fails is no exception: see `StockObjectResult.is_ok`.

        Args:
            updates: Up to 150 updates. The three article groups are set together: the server skips one alone.

        Raises:
            UsageError: There are no updates, or more than 150, or one does not say which bikes.
            AmbiguousWriteError: The bikes may or may not have been changed. The request is never repeated:
                `get` shows a bike as it is.
        """
        for update in check_all("updates", updates, StockObjectUpdate, at_most=MOST_UPDATES):
            _check_filter(update.filter)
        return await self._fetch(BATCH_UPDATE, json={"updates": updates})


def _check_filter(wanted: object) -> None:
    check_type("filter", wanted, StockFilter)
    if not (_is_given(wanted, "barcode") or _is_given(wanted, "stock_object_ids")):
        raise UsageError("filter must have a barcode or stock_object_ids, else it could mean every bike")


def _is_given(wanted: object, name: str) -> bool:
    value: object = getattr(wanted, name)
    return value is not UNSET and bool(value)
