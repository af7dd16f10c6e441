"""Gauges for a scrape, made from their values at this moment."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.core import GaugeMetricFamily

NAMESPACE = "reconcile"


def gauge(name: str, help_: str, value: float) -> GaugeMetricFamily:
    """Return a gauge without labels."""
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", help_, value=value)


def gauges(
    name: str, help_: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily:
    """Return a gauge with a series for each tuple of label values. As keys, the tuples are unique."""
    family = GaugeMetricFamily(f"{NAMESPACE}_{name}", help_, labels=labels)
    for each, value in values.items():
        family.add_metric(each, value)
    return family
