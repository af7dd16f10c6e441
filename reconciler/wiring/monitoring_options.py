"""The monitoring options of a watch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MonitoringOptions:
    """The monitoring options of a watch."""

    listen: tuple[str, int] | None = None
    """The host and the port to serve HTTP on; None serves nothing."""
    listen_names: tuple[str, ...] = ()
    """The host names that requests may use, besides the host of `listen`, IP addresses and names without a dot."""
    heartbeat_url: str | None = None
    """The URL that is requested after each pass; None requests none."""
