"""The metrics of the deliveries of notifications, computed from the watch status at each scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from reconciler.model.notification import SinkDelivery


def sink_metrics(sinks: Mapping[str, SinkDelivery], now: datetime) -> Iterator[Metric]:
    """Yield the metrics of all sinks, which are given by their names."""
    total = CounterMetricFamily(
        "reconcile_notifications",
        "Attempts to deliver a notification to a sink: sent, failed (it is repeated) or dropped (the sink refused it).",
        labels=("sink", "result"),
    )
    waiting = GaugeMetricFamily(
        "reconcile_notifications_waiting", "Notifications that a sink has not received yet.", labels=("sink",)
    )
    age = GaugeMetricFamily(
        "reconcile_notification_age_seconds",
        "Age of the oldest notification that may be sent to a sink now (not held by quiet hours), or 0.",
        labels=("sink",),
    )
    for name, sink in sinks.items():
        for result in ("sent", "failed", "dropped"):
            total.add_metric([name, result], getattr(sink, result))
        waiting.add_metric([name], sink.waiting)
        age.add_metric([name], max(0.0, (now - sink.due_since).total_seconds()) if sink.due_since else 0.0)
    yield total
    yield waiting
    yield age
