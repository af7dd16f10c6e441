"""What is told of each request and action: one frozen record, that anybody may count, log or keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reconciler.model.action import Action, Progress
from reconciler.model.job import Account, Unobserved
from reconciler.model.status import Origin, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request that left, and how it went."""

    method: str
    status: int | None
    """None where there was no answer."""
    took_s: float
    waited_s: float
    """How long it waited for its turn before it left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """One action that was carried out, or tried, and who wanted it."""

    at: datetime
    action: Action
    file: str
    origin: Origin | None
    progress: Progress
    message: str


Audit = Callable[[ActionRecord], None]
"""Records what became of an action for good. Raises OSError where that cannot be made durable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationBegan:
    """A pass begins to observe an account."""

    account: Account
    name: str
    """What a spec calls the account."""
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationEnded:
    """An account was observed, or could not be."""

    account: Account
    name: str
    unseen: Unobserved | None = None
    has_looked: bool = True
    """False where there was nothing to look at, or the look was broken off by ourselves."""


@dataclass(frozen=True, slots=True)
class AccountAnswered:
    """One request to an account has ended, well or not."""

    account: Account


@dataclass(frozen=True, slots=True)
class RequestLeft:
    """A request that changes something is being sent."""

    action: Action


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """What the provider answered to it, or that it did not."""

    action: Action
    progress: Progress
    message: str


@dataclass(frozen=True, slots=True)
class ReceiptOpen:
    """A request of an earlier pass, of this run or of another one, that an observation did not confirm yet."""

    name: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class ReceiptClosed:
    """What became of a request, by a later look."""

    name: str
    receipt: Receipt


PassEvent = (
    ObservationBegan | ObservationEnded | AccountAnswered | RequestLeft | RequestEnded | ReceiptOpen | ReceiptClosed
)
"""What happens within a pass, at the moment when it does."""
Notify = Callable[[PassEvent], None]
"""Is told of it, and never raises."""


def unheard(_: PassEvent) -> None:
    """Do nothing with an event."""
