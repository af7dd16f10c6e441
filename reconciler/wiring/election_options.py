"""The options of an election."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from reconciler.model.election import ElectionTiming, LeaseAddress

ETCD_USER = "RECONCILE_ETCD_USER"
"""The environment variable that may contain the user of etcd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectionOptions:
    """Where the lease is, the times of the election, and the files for a connection to etcd."""

    address: LeaseAddress
    timing: ElectionTiming = field(default_factory=ElectionTiming)
    cafile: Path | None = None
    """The certificates that etcd's certificate is checked with; None means those of the machine."""
    certfile: Path | None = None
    """The client certificate for etcd, or None."""
    keyfile: Path | None = None
    """The key of the client certificate; None if it is in `certfile`."""
    user_file: Path | None = None
    """The file with the user of etcd. If it is None, the variable `ETCD_USER` may contain the user."""
