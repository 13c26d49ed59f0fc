"""One program for several shops: a session each, and each keeps to its own quota. Runs against sandboxes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.sandbox import Sandbox


async def ready_by_shop(shops: dict[str, CycleSoftSession]) -> dict[str, int]:
    async def count(cs: CycleSoftSession) -> int:
        return len(await cs.workshop_orders.list(status_ids=[7]).collect())

    counts = await asyncio.gather(*map(count, shops.values()))
    return dict(zip(shops, counts, strict=True))


async def main() -> None:
    async with AsyncExitStack() as opened:
        shops: dict[str, CycleSoftSession] = {}
        for seed, name in enumerate(("Utrecht", "Ede"), 1):
            sandbox = await opened.enter_async_context(Sandbox(orders=300, seed=seed))
            session = CycleSoftSession("user", "pass", base_url=sandbox.url)
            shops[name] = await opened.enter_async_context(session)
        for name, ready in (await ready_by_shop(shops)).items():
            print(
                f"{name}: {ready} repairs are ready, {shops[name].quota.daily.remaining} requests left today"
            )


if __name__ == "__main__":
    asyncio.run(main())
