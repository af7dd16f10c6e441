"""The records of requests and actions for the audit log, the metrics and the progress display.

Each record is frozen. The code that creates a record does not know which hooks read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reconciler.model.action import Action, Progress
from reconciler.model.job import Account, Unobserved
from reconciler.model.status import Origin, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One HTTP request and its result."""

    method: str
    status: int | None
    """The HTTP status, or None if there was no response that an adapter could read."""
    took_s: float
    waited_s: float
    """How long the request waited for its turn, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """One attempted action. `origin` is the commit that last changed its spec, or None if that is not known."""

    at: datetime
    action: Action
    file: str
    origin: Origin | None
    progress: Progress
    message: str


Audit = Callable[[ActionRecord], None]
"""A callback that writes an action to the audit log. Raises `OSError` if the record cannot be made durable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationStarted:
    """A worker has started to observe an account."""

    account: Account
    name: str
    """The name of the account for display (`model.account_line.titled`)."""
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationEnded:
    """A worker has finished observing an account, with or without success."""

    account: Account
    name: str
    unobserved: Unobserved | None = None
    """Why the account, or some of its jobs, could not be observed, or None."""
    has_observed: bool = True
    """Whether the account was observed, successfully or not.

    False if no job had to be observed, if reconcile stopped the observation, or if a bug ended it.
    """


@dataclass(frozen=True, slots=True)
class AccountAnswered:
    """One request to an account has ended, with or without success."""

    account: Account


@dataclass(frozen=True, slots=True)
class RequestStarted:
    """A change request is about to be sent."""

    action: Action


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """A change request has ended, with or without a response from the provider."""

    action: Action
    progress: Progress
    message: str


@dataclass(frozen=True, slots=True)
class ReceiptOpen:
    """A request from an earlier pass or run is still open."""

    name: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class ReceiptClosed:
    """The receipt of a request from an earlier pass or run was closed."""

    name: str
    receipt: Receipt


PassEvent = (
    ObservationStarted
    | ObservationEnded
    | AccountAnswered
    | RequestStarted
    | RequestEnded
    | ReceiptOpen
    | ReceiptClosed
)
"""The types of event that a pass reports, each at the time when it happens."""
Notify = Callable[[PassEvent], None]
"""A callback that receives each event. It must not raise."""


def ignore_event(_: PassEvent) -> None:
    """Ignore an event. This is the default callback."""
