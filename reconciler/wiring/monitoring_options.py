"""The monitoring options of a watch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from reconciler.telemetry.metrics_options import MetricsOptions

LISTEN_TOKEN = "RECONCILE_LISTEN_TOKEN"  # noqa: S105  the variable's name
"""The environment variable that may contain the token of the page."""


@dataclass(frozen=True, slots=True)
class MonitoringOptions:
    """The monitoring options of a watch. With the defaults, no port is opened and no heartbeat is sent."""

    listen: tuple[str, int] | None = None
    """The host and the port to serve HTTP on; None serves nothing."""
    listen_names: tuple[str, ...] = ()
    """The host names that requests may use, besides the host of `listen`, IP addresses and names without a dot."""
    listen_token_file: Path | None = None
    """The file with the token of the page. If it is None, the variable `LISTEN_TOKEN` may contain the token."""
    heartbeat_url: str | None = None
    """The URL that is requested after each pass; None requests none."""
    metrics: MetricsOptions = field(default_factory=MetricsOptions)
    """The options of the metrics."""
