"""Utilisation goals of the limiter on an exact moving-window server; see benchmarks/limiters.py, too."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from benchmarks.moving_window import Acquire, Crowd, MovingWindow
from benchmarks.virtual_time import run
from cyclesoft_async.quota import Limiter


def _a_limiter(max_concurrent: int) -> Acquire:
    limiter = Limiter(max_concurrent=max_concurrent, wall=asyncio.get_running_loop().time)

    async def acquire() -> Callable[[int, Mapping[str, str]], None]:
        return (await limiter.acquire()).answered

    return acquire


@pytest.mark.parametrize("decided", [None, 0.02, 0.98], ids=["anywhere", "early", "late"])
@pytest.mark.parametrize(("workers", "utilisation"), [(8, 0.98), (32, 0.992), (64, 0.994)])
def test_alone_it_is_never_refused_and_uses_nearly_all_of_the_quota(
    workers: int, utilisation: float, decided: float | None
) -> None:
    async def main() -> None:
        server = MovingWindow()
        seconds = await Crowd(workers, 3_000, workers, decided).rush(server, _a_limiter(workers))
        assert not server.refusals
        assert (
            480 / seconds >= utilisation
        )  # 360 requests at once and every minute: the last ones after eight

    run(main())


class RecordingWindow(MovingWindow):
    """Remembers when it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[float] = []

    async def request(self, latency: float, decided: float) -> tuple[int, dict[str, str]]:
        answer = await super().request(latency, decided)
        self.answered.append(asyncio.get_running_loop().time())
        return answer


@pytest.mark.parametrize("decided", [None, 0.02, 0.98], ids=["anywhere", "early", "late"])
@pytest.mark.parametrize("workers", [8, 64])
def test_the_steady_state_uses_at_least_995_of_1000_requests(workers: int, decided: float | None) -> None:
    async def main() -> None:
        server, minutes = RecordingWindow(), 12
        await Crowd(workers, 720 + minutes * 360, workers, decided).rush(server, _a_limiter(workers))
        assert not server.refusals
        assert minutes * 60 / (server.answered[-1] - server.answered[719]) >= 0.995

    run(main())


@pytest.mark.parametrize("gap", [0.3, 0.0], ids=["evenly", "at once"])
@pytest.mark.parametrize("workers", [8, 64])
def test_what_other_clients_used_before_is_left_alone(workers: int, gap: float) -> None:
    async def main() -> None:
        server = MovingWindow()
        await asyncio.sleep(60)  # virtual time: room for what was used before the beginning
        for number in range(200):
            server.foreign(number * gap)
        assert await Crowd(workers, 700).rush(server, _a_limiter(workers)) < 130
        assert not server.refusals

    run(main())


@pytest.mark.parametrize("always", [True, False], ids=["always counted", "refused when full"])
@pytest.mark.parametrize("workers", [8, 32])
def test_beside_a_second_client_hardly_any_is_refused(workers: int, *, always: bool) -> None:
    async def main() -> None:
        server = MovingWindow()
        others = asyncio.create_task(server.spend_elsewhere(0.5, always=always))
        await Crowd(workers, 1_000).rush(server, _a_limiter(workers))
        others.cancel()
        assert len(server.refusals) <= 7

    run(main())
