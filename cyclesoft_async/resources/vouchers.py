"""Vouchers. Vendor page: "Vouchers" (scope `resources`)."""

from __future__ import annotations

from cyclesoft_async.models import Voucher
from cyclesoft_async.transport import under

from .resource import Endpoint, Resource

GET = Endpoint(
    path="/api/v1/vouchers/{code}.json",
    answer=under("data", Voucher),
    scope="resources",
    has_secret_path=True,
)


class Vouchers(Resource):
    """Vouchers of the account. Every method can raise any `errors.RequestError`."""

    async def get(self, code: str) -> Voucher:
        """Return a voucher, with what is left of it. `cs.payments.add_to_order` spends it.

        Args:
            code: What is printed on it. Logs, events and errors never show it.

        Raises:
            NotFoundError: There is no such voucher.
        """
        found = self._fetch(GET, code)
        del code
        return await found
