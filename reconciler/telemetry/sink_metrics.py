"""The metrics of the deliveries of notifications, computed from the watch status at each scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, Metric

from reconciler.model.notification import SinkDelivery
from reconciler.telemetry.gauge_families import NAMESPACE, gauges


def sink_metrics(sinks: Mapping[str, SinkDelivery], now: datetime) -> Iterator[Metric]:
    """Yield the metrics of all sinks, which are given by their names."""
    total = CounterMetricFamily(
        f"{NAMESPACE}_notifications",
        "Deliveries to a sink: sent, failed (it is repeated) or dropped (refused, or the sink is disabled).",
        labels=("sink", "result"),
    )
    for name, sink in sinks.items():
        for result in ("sent", "failed", "dropped"):
            total.add_metric([name, result], getattr(sink, result))
    yield total
    yield gauges(
        "notifications_waiting",
        "Notifications that a sink has not received yet.",
        ("sink",),
        {(name,): sink.waiting for name, sink in sinks.items()},
    )
    yield gauges(
        "notification_sink_disabled",
        "1 if the sink is disabled because its receiver responded with HTTP 410, else 0.",
        ("sink",),
        {(name,): float(sink.disabled_since is not None) for name, sink in sinks.items()},
    )
    yield gauges(
        "notification_age_seconds",
        "Age of the oldest notification that may be sent to a sink now (not held by quiet hours), or 0.",
        ("sink",),
        {(name,): _age(sink, now) for name, sink in sinks.items()},
    )


def _age(sink: SinkDelivery, now: datetime) -> float:
    return max(0.0, (now - sink.due_since).total_seconds()) if sink.due_since else 0.0
