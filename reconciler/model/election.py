"""The election of one leader among several replicas: its times, where the lease is, and what a replica knows of it.

Times of type `float` are in seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_KUBERNETES = re.compile(
    r"lease:(?:(?P<namespace>[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)/)?(?P<name>[a-z0-9][-a-z0-9.]*)"
)
_ETCD = re.compile(r"etcd:(?P<scheme>https?)://(?P<hosts>[^/?#@\s]+)(?P<key>/[!-~]+)")
_NAME_MAX = 253
ETCD_PORT = 2379
FORM = "lease:NAMESPACE/NAME or etcd:https://HOST:2379/KEY"


@dataclass(frozen=True, slots=True)
class KubernetesAddress:
    """A `Lease` object in Kubernetes. Without a namespace, it is in the namespace of the pod."""

    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        """Return the text that `parse_address` reads."""
        return f"lease:{self.namespace}/{self.name}" if self.namespace else f"lease:{self.name}"


@dataclass(frozen=True, slots=True)
class EtcdAddress:
    """A key in etcd, and the URLs of the members of its cluster."""

    urls: tuple[str, ...]
    key: str

    def __str__(self) -> str:
        """Return the text that `parse_address` reads."""
        scheme = self.urls[0].partition("://")[0]
        return f"etcd:{scheme}://{','.join(url.partition('://')[2] for url in self.urls)}{self.key}"


LeaseAddress = KubernetesAddress | EtcdAddress


def parse_address(text: str) -> LeaseAddress:
    """Return the place of a lease. Raises `ValueError` with a message for users if the text names none."""
    found = _KUBERNETES.fullmatch(text)
    if found is not None and len(found["name"]) <= _NAME_MAX and not found["name"].endswith(("-", ".")):
        return KubernetesAddress(found["name"], found["namespace"])
    found = _ETCD.fullmatch(text)
    if found is None:
        msg = f"write {FORM}"
        raise ValueError(msg)
    return EtcdAddress(tuple(_url(found["scheme"], host) for host in found["hosts"].split(",")), found["key"])


def _url(scheme: str, host: str) -> str:
    try:
        parts = urlsplit(f"{scheme}://{host}")
        name, port = parts.hostname, parts.port or ETCD_PORT
    except ValueError:
        name, port = None, 0
    if not name:
        msg = f"{host!r} is not a host with a port: write {FORM}"
        raise ValueError(msg)
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"


@dataclass(frozen=True, slots=True)
class ElectionTiming:
    """The times of an election, with the defaults of Kubernetes' controllers. `problem` returns why they do not fit."""

    lease_s: float = 15.0
    """For how long after its last renewal other replicas treat a lease as held."""
    renew_s: float = 10.0
    """For how long after its last renewal the leader may send requests."""
    retry_s: float = 2.0
    """The time between two attempts to acquire or renew the lease."""
    blocked_s: float = 120.0
    """For how long the watch of the leader may be blocked before the leader stops renewing the lease.

    The first pass over thousands of specs blocks a watch for several seconds of processor time, which may take minutes
    on a busy machine. The `WatchdogSec` of the unit in RECIPES.md is as long.
    """

    def problem(self) -> str | None:
        """Return a message for users if two replicas with these times might lead together, or None."""
        if self.lease_s <= self.renew_s:
            return "the lease duration must be longer than the renew deadline"
        if self.lease_s != int(self.lease_s):
            return "the lease duration must be a whole number of seconds"
        if self.renew_s <= JITTER_FACTOR * self.retry_s:
            return f"the renew deadline must be longer than {JITTER_FACTOR:g} times the retry period"
        return None if self.retry_s > 0 else "the retry period must be longer than 0s"


JITTER_FACTOR = 1.2
"""The longest time between two attempts to acquire a lease, as a multiple of the retry period."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The lease was acquired or renewed."""


@dataclass(frozen=True, slots=True)
class HeldBy:
    """The lease is not held by this replica, but by another one, or by none if `holder` is None."""

    holder: str | None


LeaseAnswer = Granted | HeldBy


@dataclass(frozen=True, slots=True)
class ElectionStatus:
    """What a replica knows of its election."""

    lease: str
    """Where the lease is, as in `--leader-elect`."""
    is_leader: bool = False
    holder: str | None = None
    """The replica that holds the lease; None if none is known to hold it."""
    problem: str | None = None
    """Why the lease could not be acquired or renewed when that was last tried, or None."""

    @property
    def text(self) -> str:
        """The state, as text for users, which begins with a small letter."""
        if self.is_leader:
            return f"leading, with {self.lease}"
        if self.problem is not None:
            return f"standing by for {self.lease}: {self.problem}"
        return f"standing by for {self.lease}: {self.holder or 'no known replica'} holds the lease"
