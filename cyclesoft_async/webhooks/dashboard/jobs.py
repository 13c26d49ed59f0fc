"""Actions on many deliveries, in the background, with progress."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import Final

from cyclesoft_async.errors import InboxError
from cyclesoft_async.webhooks.inbox import BaseInbox, Selection

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks.dashboard")

_SLICE: Final = 500
_MOST_KEPT: Final = 50


class ReplayJob:
    """One action on the deliveries that a selection named when it began.

    Attributes:
        id: Random.
        verb: What is done with them: "replayed" or "dismissed".
        total: Number of deliveries.
        done: How many are dealt with.
        is_finished: Whether it has ended.
        problem: Why it ended early.
    """

    def __init__(self, inbox: BaseInbox, action: str, seqs: Sequence[int], who: str) -> None:
        self.id: str = secrets.token_urlsafe(9)
        self.verb = "replayed" if action == "replay" else "dismissed"
        self.total: int = len(seqs)
        self.done: int = 0
        self.is_finished: bool = False
        self.problem: str | None = None
        self._inbox = inbox
        self._seqs = seqs
        self._who = who

    async def run(self) -> None:
        """Deal with the deliveries slice by slice, newest last, so that each entity's order is kept."""
        seqs = sorted(self._seqs)
        try:
            for start in range(0, len(seqs), _SLICE):
                part = tuple(seqs[start : start + _SLICE])
                if self.verb == "replayed":
                    await self._inbox.replay(where=Selection(seqs=part))
                else:
                    await self._inbox.dismiss(part, by=self._who)
                self.done = min(start + _SLICE, self.total)
        except InboxError as error:
            self.problem = f"It stopped: {error}"
        finally:
            self.is_finished = True
            logger.info("%s %s %d deliveries", self._who, self.verb, self.done, extra={"operator": self._who})


class Jobs:
    """The actions of one process. The latest 50 can be looked at."""

    def __init__(self) -> None:
        self._jobs: dict[str, ReplayJob] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, job: ReplayJob) -> None:
        """Run a job in the background."""
        self._jobs[job.id] = job
        while len(self._jobs) > _MOST_KEPT:
            del self._jobs[next(iter(self._jobs))]
        task = asyncio.create_task(job.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def get(self, id_: str) -> ReplayJob | None:
        """Return a job by its id."""
        return self._jobs.get(id_)

    async def stop(self) -> None:
        """Let running slices end, and stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
