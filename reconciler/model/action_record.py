"""The records of requests and actions for the audit log, the metrics and the progress display.

Each record is frozen. The sender does not know which hooks log or count it.
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
    """One HTTP request that was sent, and its result."""

    method: str
    status: int | None
    """The HTTP status, or None if there was no answer."""
    took_s: float
    waited_s: float
    """How long it waited for the rate limit before it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """One action that was attempted, with the commit that caused it."""

    at: datetime
    action: Action
    file: str
    origin: Origin | None
    progress: Progress
    message: str


Audit = Callable[[ActionRecord], None]
"""Writes an action to the audit log. Raises OSError if the record cannot be made durable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationStarted:
    """A pass starts to observe an account."""

    account: Account
    name: str
    """The provider name by which a spec refers to the account."""
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationEnded:
    """An account was observed, or could not be."""

    account: Account
    name: str
    unseen: Unobserved | None = None
    has_looked: bool = True
    """False if there was no job to observe, or if the run ended the observation itself."""


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
    """A change request has ended: the provider's answer, or that there was none."""

    action: Action
    progress: Progress
    message: str


@dataclass(frozen=True, slots=True)
class ReceiptOpen:
    """A request of an earlier pass or run that no observation has confirmed yet."""

    name: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class ReceiptClosed:
    """A later observation showed the outcome of a request."""

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
"""An event within a pass, reported when it happens."""
Notify = Callable[[PassEvent], None]
"""A callback that receives each event. It must not raise."""


def ignore_event(_: PassEvent) -> None:
    """Ignore an event: the default callback."""
