"""OpenTelemetry metrics of a receiver (extra: otel). Imported only by programs that use OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from .figures import METRICS, Sample

Callback = Callable[[CallbackOptions], Iterable[Observation]]


def observe(read: Callable[[], Sequence[Sample]]) -> None:
    """Register the metrics of a receiver with the program's meter provider.

    Args:
        read: Returns the current values. Called in the thread of the exporter.
    """
    meter = metrics.get_meter("cyclesoft_async")
    for name, (kind, text) in METRICS.items():
        create = meter.create_observable_counter if kind == "counter" else meter.create_observable_gauge
        create(name, callbacks=[_callback(name, read)], description=text)


def _callback(name: str, read: Callable[[], Sequence[Sample]]) -> Callback:
    def observations(_: CallbackOptions) -> Iterable[Observation]:
        for metric, labels, value in read():
            if metric == name:
                attributes: Mapping[str, str] = labels
                yield Observation(value, attributes)

    return observations
