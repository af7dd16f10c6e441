"""The subject of a decision, which is one valid spec, resolved to its account and job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.backoff import HONOUR_WITHIN
from reconciler.model.capabilities import Capabilities
from reconciler.model.change_window import ChangeWindow
from reconciler.model.job import JobRef
from reconciler.model.kind import FINE_TUNING, JobKind
from reconciler.model.money import Unpriced
from reconciler.model.price import Price, price_for
from reconciler.model.spec import JobSpec, Suspension
from reconciler.model.status import JobFacts, Verb

INTERVAL = timedelta(seconds=60)
"""The default poll interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One valid spec of a revision.

    `suspension` comes from the operator, the Settings or the spec. It is None if none of them suspends the job.
    """

    name: str
    source: str
    ref: JobRef
    spec: JobSpec
    digest: str
    capabilities: Capabilities
    kind: JobKind = FINE_TUNING
    suspension: Suspension | None = None
    windows: tuple[ChangeWindow, ...] = ()
    """The operator's change windows that apply to the job."""
    prices: tuple[Price, ...] | None = None
    """The prices that may apply to the job: those of the operator for its provider type and kind, and those of the
    Provider document that its spec names. None if neither the operator nor any Provider document states prices.
    """
    is_shadow: bool = False
    """Whether the operator runs in shadow mode, in which a due change is only reported (`core.shadow`)."""
    warn_default: timedelta | None = None
    """The time between the warning of a limit and its effect, if the spec sets none. None means no warning."""
    is_retry: bool = False
    """Whether the next attempt is due now because a user requested a retry."""
    interval: timedelta = INTERVAL

    @property
    def warn_before(self) -> timedelta | None:
        """The time between the warning of a limit and its effect, or None for no warning."""
        limits = self.spec.limits
        return limits.warn_before if limits is not None and limits.warn_before is not None else self.warn_default

    def is_suspended(self, now: datetime) -> bool:
        """Return whether the job is suspended now, so that no change may be requested."""
        suspension = self.suspension
        return suspension is not None and (suspension.until is None or now < suspension.until)

    def price(self, facts: JobFacts | None) -> Price | Unpriced | None:
        """Return the price of the job, or None if no prices are stated at all."""
        if self.prices is None:
            return None
        return price_for(self.prices, self.ref.account.type, facts.model if facts is not None else None)

    def honour_within(self, verb: Verb) -> timedelta:
        """Return how long an accepted request may have no effect before it is repeated."""
        takes = self.capabilities.cancel_takes if verb is Verb.CANCEL else None
        return HONOUR_WITHIN if takes is None else takes
