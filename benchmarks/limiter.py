"""Limiter: requests refused, quota unused and CPU time, against other limiters."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from statistics import mean

from . import limiters
from .limiter_cost import contended, contended_aiolimiter, uncontended
from .limiter_realtime import rush
from .limiters import BEFORE, DECIDED, Case, Make, simulate
from .measuring import Effort, Goal, Part, Table, turns
from .virtual_time import run

__all__ = ["measure"]

OURS = "ours"
PEERS: dict[str, Make] = {
    OURS: limiters.ours,
    "aiolimiter": limiters.aiolimiter,
    "aiolimiter as a pacer": limiters.aiolimiter_as_pacer,
    "pyrate-limiter": limiters.pyrate_limiter,
    "limits": limiters.limits,
}
REQUESTS = 2_000
MINIMUM = 300.0
"""Minimum duration: 360 at once, 360 more each minute, the last ones after five."""


def measure(effort: Effort) -> Part:
    """Measure refusals and utilisation in virtual time, the cost in CPU time, and in a full run real time."""
    seeds, crowds = effort.number(1, 5), (8, 64) if effort.quick else (8, 16, 32, 64)
    refused, utilisation = _alone(seeds, crowds)
    used_before = _used_before(seeds, crowds)
    second = _beside_a_second_client(seeds, crowds)
    cost = _cost(effort)
    return Part(
        name="limiter",
        tables=[refused, utilisation, used_before, second, cost],
        goals=[
            *_goals_of_virtual_time(refused, utilisation, used_before, second),
            *_goals_of_cost(cost),
            *([] if effort.quick else _goals_of_real_time()),
        ],
        notes=["A round of the tables in virtual time is a seed."],
    )


def _columns(crowds: tuple[int, ...]) -> list[str]:
    return [f"{workers} workers" for workers in crowds]


def _alone(seeds: int, crowds: tuple[int, ...]) -> tuple[Table, Table]:
    refused = Table(
        title="No other client: requests refused",
        unit="of 2,000",
        columns=_columns(crowds),
        charted=False,
    )
    utilisation = Table(title="No other client: utilisation", unit="%", columns=_columns(crowds))
    for name, make in PEERS.items():
        for decided in DECIDED if name == OURS else ["anywhere"]:
            row = name if name != OURS else f"{OURS}, server counts {decided}"
            for workers, column in zip(crowds, refused.columns, strict=True):
                for seed in range(seeds):
                    result = simulate(make, workers, seed, Case(decided=decided))
                    refused.add(row, column, result.refused)
                    utilisation.add(row, column, 100 * MINIMUM / result.seconds)
    return refused, utilisation


def _used_before(seeds: int, crowds: tuple[int, ...]) -> Table:
    table = Table(
        title="200 requests used elsewhere before: requests refused",
        unit="of 700",
        columns=_columns(crowds),
        charted=False,
    )
    for name in (OURS, "aiolimiter", "pyrate-limiter", "limits"):
        for before in [how for how in BEFORE if how != "nothing"]:
            for workers, column in zip(crowds, table.columns, strict=True):
                for seed in range(seeds):
                    result = simulate(PEERS[name], workers, seed, Case(requests=700, before=before))
                    table.add(f"{name}, {before}", column, result.refused)
    return table


def _beside_a_second_client(seeds: int, crowds: tuple[int, ...]) -> Table:
    table = Table(
        title="A second client sends 2 a second: ours refused",
        unit="%",
        columns=_columns(crowds),
        charted=False,
    )
    for second_client in ("refused when full", "always counted"):
        for workers, column in zip(crowds, table.columns, strict=True):
            for seed in range(seeds):
                result = simulate(limiters.ours, workers, seed, Case(second_client=second_client))
                table.add(f"ours; the other is {second_client}", column, 100 * result.refused / REQUESTS)
    return table


def _cost(effort: Effort) -> Table:
    crowds = (10, 64, 1_000, 10_000)
    alone, columns = "no waiters", [f"{waiters:,} wait" for waiters in crowds]
    table = Table(title="Cost of a permit, CPU time", unit="µs a request", columns=[alone, *columns])
    acquire: dict[str, Callable[[int], Coroutine[object, object, float]]] = {
        "ours, acquire and answered": contended,
        "aiolimiter": contended_aiolimiter,
    }
    gc.collect()
    gc.disable()  # as in timeit: a collection's cost depends on all live objects, not on the limiter
    for _ in range(effort.number(2, 7)):
        acquired, _answered, learned = run(uncontended())
        table.add("ours, acquire", alone, acquired)
        table.add("ours, acquire and answered", alone, acquired + learned)
    for waiters, column in zip(crowds, columns, strict=True):
        # The cost of aiolimiter grows with the number of waiters: larger crowds would take minutes.
        names = list(acquire) if waiters == 64 else ["ours, acquire and answered"]
        for name in turns(names, effort.number(2, 7)):
            table.add(name, column, run(acquire[name](waiters)))
    gc.enable()
    return table


def _goals_of_virtual_time(
    refused: Table, utilisation: Table, used_before: Table, second: Table
) -> list[Goal]:
    def most(table: Table) -> float:
        ours = [cells for row, cells in table.rows.items() if row.startswith(OURS)]
        return max(value for cells in ours for rounds in cells.values() for value in rounds)

    least = {
        column: min(mean(cells[column]) for row, cells in utilisation.rows.items() if row.startswith(OURS))
        for column in utilisation.columns
    }
    return [
        Goal(words="refused, no other client", measured=most(refused), at_most=0),
        Goal(words="refused, 200 used elsewhere before", measured=most(used_before), at_most=0),
        Goal(words="% refused beside a second client", measured=most(second), at_most=1),
        *(
            Goal(
                words=f"% utilisation, {column}",
                measured=share,
                at_least=98.0 if column == "8 workers" else 99.3,
            )
            for column, share in least.items()
            if column != "16 workers"
        ),
    ]


def _goals_of_cost(cost: Table) -> list[Goal]:
    both = "ours, acquire and answered"
    return [
        Goal(
            words="µs an acquire, no waiters",
            measured=cost.median("ours, acquire", "no waiters"),
            at_most=2,
        ),
        Goal(words="µs acquire and answered, 64 wait", measured=cost.median(both, "64 wait"), at_most=5),
        Goal(
            words="10,000 waiting, times the cost of 64",
            measured=cost.median(both, "10,000 wait") / cost.median(both, "64 wait"),
            at_most=1.3,
        ),
    ]


def _goals_of_real_time() -> list[Goal]:
    found = asyncio.run(rush())
    return [
        Goal(words="real sandbox, real time: % over the minimum", measured=100 * found.excess, at_most=2),
        Goal(words="real sandbox, real time: refused", measured=found.refused, at_most=0),
        Goal(
            words="real sandbox, real time: client and server agree",
            measured=float(found.is_agreed),
            at_least=1,
        ),
    ]
