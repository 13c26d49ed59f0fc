"""The workshop: trading hours and the price list of repairs.

Vendor page: "Workshop" (scope `resources`).
"""

from __future__ import annotations

from datetime import date

from cyclesoft_async._arguments import check_count, check_day
from cyclesoft_async.models import RepairCode, StoreTradingDays, TradingDay
from cyclesoft_async.pagination import PageReader, Paginator
from cyclesoft_async.transport import under, whole

from .resource import Endpoint, Listing, Resource

TRADING_HOURS = Endpoint(
    path="/api/v2/workshop/trading-hours.json", answer=under("data", list[TradingDay]), scope="resources"
)
TRADING_HOURS_PER_STORE = Listing(
    path="/api/v2/workshop/trading-hours-per-store.json",
    rows=PageReader(StoreTradingDays),
    scope="resources",
)
REPAIR_CODES = Endpoint(
    path="/api/v1/workshop/repair-codes.json", answer=whole(list[RepairCode]), scope="resources"
)


class Workshop(Resource):
    """Room and prices of the workshop. Every method can raise any `errors.RequestError`."""

    async def trading_hours(
        self, store_id: int | None = None, *, day_count: int | None = None, start_date: date | None = None
    ) -> list[TradingDay]:
        """Return the workshop's room day by day. Plan by `available_minutes`, not by the slots.

        Args:
            store_id: Store within the account. None leaves the choice to the server.
            day_count: Number of days. None leaves it to the server.
            start_date: First day. None is today.

        Raises:
            UsageError: An argument has a wrong type or value.
        """
        query = {"store_id": store_id, **_days(day_count, start_date)}
        return await self._fetch(TRADING_HOURS, query=query)

    def trading_hours_per_store(
        self, *, day_count: int | None = None, start_date: date | None = None, cursor: str | None = None
    ) -> Paginator[StoreTradingDays]:
        """List the workshop's room for every store.

        Args:
            day_count: Number of days. None leaves it to the server.
            start_date: First day. None is today.
            cursor: `page.cursor` of an earlier page, to resume after it. It holds the filters: pass none.

        Raises:
            UsageError: The arguments do not go together. Raised at once, without a request.
        """
        return self._pages(TRADING_HOURS_PER_STORE, query=_days(day_count, start_date), cursor=cursor)

    async def repair_codes(self) -> list[RepairCode]:
        """Return the price list: what `WorkshopOrderCreate.repair_codes` takes by `code`."""
        return await self._fetch(REPAIR_CODES)


def _days(day_count: int | None, start_date: date | None) -> dict[str, int | date | None]:
    return {
        "day_count": check_count("day_count", day_count),
        "start_date": check_day("start_date", start_date),
    }
