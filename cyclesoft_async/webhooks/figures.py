"""Figures of a running receiver: counted here, reported to the inbox, and shown as metrics."""

from __future__ import annotations

import os
import secrets
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Literal, NamedTuple

from .handlers import HandlerCalls
from .inbox import HandlerFigures, InboxStats, ReceiverFigures, RunningHandler

_MOST_RUNNING: Final = 20
_PREFIX: Final = "cyclesoft_webhooks_"


class Figures:
    """What a receiver does from its start on.

    Args:
        calls: Counts the calls of handlers.

    Attributes:
        stored: Deliveries stored.
        duplicates: Deliveries that were stored before.
        quarantined: Deliveries that were stored before with another body.
        refused: Requests answered 400 or 401.
        unavailable: Deliveries answered 503.
    """

    def __init__(self, calls: HandlerCalls) -> None:
        self._calls = calls
        self._id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._started_at = datetime.now(UTC)
        self.stored: int = 0
        self.duplicates: int = 0
        self.quarantined: int = 0
        self.refused: int = 0
        self.unavailable: int = 0

    def report(self) -> ReceiverFigures:
        """Return the figures as they are now."""
        now = monotonic()
        running = list(self._calls.running.values())[:_MOST_RUNNING]
        return ReceiverFigures(
            id=self._id,
            started_at=self._started_at,
            reported_at=datetime.now(UTC),
            stored=self.stored,
            duplicates=self.duplicates,
            quarantined=self.quarantined,
            refused=self.refused,
            unavailable=self.unavailable,
            handlers=[
                HandlerFigures(
                    handler=handler,
                    attempts=counts.attempts,
                    failures=counts.failures,
                    mean_seconds=counts.seconds / counts.attempts,
                    worst_seconds=counts.worst_seconds,
                )
                for handler, counts in sorted(self._calls.counts.items())
            ],
            running=[
                RunningHandler(handler=handler, event_id=event_id, seconds=now - began)
                for handler, event_id, began in running
            ],
        )


class Sample(NamedTuple):
    """A value of a metric."""

    metric: str
    labels: Mapping[str, str]
    value: float


class Metric(NamedTuple):
    """A metric, with its kind in the terms of Prometheus."""

    kind: Literal["counter", "gauge"]
    text: str


METRICS: Final[Mapping[str, Metric]] = {
    f"{_PREFIX}requests_total": Metric("counter", "Requests to this receiver, by result."),
    f"{_PREFIX}handler_attempts_total": Metric("counter", "Calls of a handler in this process."),
    f"{_PREFIX}handler_failures_total": Metric("counter", "Calls of a handler that failed."),
    f"{_PREFIX}handler_mean_seconds": Metric("gauge", "Mean duration of a handler's calls."),
    f"{_PREFIX}handler_worst_seconds": Metric("gauge", "Longest duration of a handler's calls."),
    f"{_PREFIX}running_handlers": Metric("gauge", "Handlers that run now, at most 20 of them."),
    f"{_PREFIX}inbox_deliveries": Metric("gauge", "Deliveries in the inbox, by state."),
    f"{_PREFIX}oldest_due_seconds": Metric("gauge", "Age of the oldest delivery that is due."),
}


def samples(figures: ReceiverFigures, inbox: InboxStats | None) -> Iterator[Sample]:
    """Yield the values of `METRICS`.

    Args:
        figures: Of this receiver.
        inbox: Of the inbox, if they are known. All receivers that share it have the same.
    """
    for result in ("stored", "duplicates", "quarantined", "refused", "unavailable"):
        yield Sample(f"{_PREFIX}requests_total", {"result": result}, getattr(figures, result))
    for one in figures.handlers:
        of_handler = {"handler": one.handler}
        yield Sample(f"{_PREFIX}handler_attempts_total", of_handler, one.attempts)
        yield Sample(f"{_PREFIX}handler_failures_total", of_handler, one.failures)
        yield Sample(f"{_PREFIX}handler_mean_seconds", of_handler, one.mean_seconds)
        yield Sample(f"{_PREFIX}handler_worst_seconds", of_handler, one.worst_seconds)
    yield Sample(f"{_PREFIX}running_handlers", {}, len(figures.running))
    if inbox is None:
        return
    by_state = Counter[str]()
    for counted in inbox.counts:
        by_state[counted.state] += counted.count
    for state, number in sorted(by_state.items()):
        yield Sample(f"{_PREFIX}inbox_deliveries", {"state": state}, number)
    due_at = inbox.oldest_due_at
    age = 0.0 if due_at is None else max(0.0, (datetime.now(UTC) - due_at).total_seconds())
    yield Sample(f"{_PREFIX}oldest_due_seconds", {}, age)


def prometheus_text(values: Sequence[Sample]) -> str:
    """Return the metrics in the text format of Prometheus, version 0.0.4."""
    lines: list[str] = []
    described: set[str] = set()
    for metric, labels, value in sorted(values, key=lambda sample: sample.metric):
        if metric not in described:
            described.add(metric)
            lines += [f"# HELP {metric} {METRICS[metric].text}", f"# TYPE {metric} {METRICS[metric].kind}"]
        given = ",".join(f'{name}="{_escaped(label)}"' for name, label in labels.items())
        lines.append(f"{metric}{{{given}}} {value:.12g}" if given else f"{metric} {value:.12g}")
    return "\n".join((*lines, ""))


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
