"""One case of a decision, and the design's rules for it.

From `core`, only the tested function and its types are imported. The allowed changes, the proofs and the limits are
defined here again, after the design, so that a wrong cell in the decision table is detected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core.decide import Decision, decide
from reconciler.core.subject import Subject
from reconciler.model.job import UNSET, JobCounts, Observation, Observed, ObservedJob, Phase
from reconciler.model.kind import BATCH
from reconciler.model.money import Basis
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState, render_duration
from reconciler.model.status import Because, JobStatus, Outcome, Verb

STARTED = {Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING}
STOPPABLE = STARTED | {Phase.PAUSING, Phase.PAUSED}
OVER = {Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}


@dataclass(frozen=True, slots=True)
class Case:
    """The inputs of a decision."""

    subject: Subject
    look: Observation
    last: JobStatus | None
    now: datetime

    @property
    def job(self) -> ObservedJob | None:
        """The observed job, or None if it is absent or unobserved."""
        return self.look.job if isinstance(self.look, Observed) else None

    @property
    def is_suspended(self) -> bool:
        """Whether the spec suspends every change at this time."""
        suspension = self.subject.suspension
        return suspension is not None and (suspension.until is None or self.now < suspension.until)

    @property
    def is_denied(self) -> bool:
        """Whether the observation contradicts the final phase in the status. An unknown phase contradicts nothing."""
        if self.last is None or not self.last.final or self.job is None:
            return False
        return self.job.phase not in {Phase.UNKNOWN, self.last.phase}

    @property
    def is_end_believed(self) -> bool:
        """Whether the job counts as final: no two observations a minute apart contradict its final status."""
        if self.last is None or not self.last.final:
            return False
        doubted_at = self.last.doubted_at
        return not self.is_denied or doubted_at is None or self.now - doubted_at < timedelta(minutes=1)

    @property
    def has_changed(self) -> bool:
        """Whether the job has no status, or a status of another version of the spec."""
        return self.last is None or self.last.observed_spec != self.subject.digest

    @property
    def as_of(self) -> datetime | None:
        """The provider's time, or None if it is missing or more than five minutes from the local clock."""
        as_of = self.job.as_of if self.job else None
        return as_of if as_of is not None and abs(self.now - as_of) <= timedelta(minutes=5) else None

    @property
    def is_over_limit(self) -> bool:
        """Whether the observed job is unfinished and certainly older than `maxAge`."""
        limits, as_of = self.subject.spec.limits, self.as_of
        if limits is not None and limits.max_cost is not None:
            return self.is_over_cost
        if limits is None or limits.max_age is None or self.job is None or as_of is None:
            return False
        if self.job.phase not in STOPPABLE | {Phase.CANCELLING}:
            return False
        known = self.last.job.created_at if self.last and self.last.job else None
        created = known if self.job.created_at is UNSET else self.job.created_at
        is_over = isinstance(created, datetime) and as_of - created > limits.max_age
        return is_over and not self.is_warned_too_late

    @property
    def is_cost_certain(self) -> bool:
        """Whether the spec has a price from which its cost can be judged in the currency of `maxCost`."""
        limits, prices = self.subject.spec.limits, self.subject.prices or ()
        currencies = {each.currency for each in prices if each.bound is Basis.METERED and each.may_act}
        return limits is not None and limits.max_cost is not None and limits.max_cost.currency in currencies

    @property
    def is_over_cost(self) -> bool:
        """Whether an unfinished batch has certainly cost more than `maxCost`, as two observations or a cancel show."""
        limits, job, wanted = self.subject.spec.limits, self.job, self.subject.spec.desired_state
        if limits is None or limits.max_cost is None or job is None or self.as_of is None:
            return False
        if job.phase not in STOPPABLE | {Phase.CANCELLING}:
            return False
        receipt = self.last.open_receipt if self.last else None
        if receipt is not None and receipt.reason == str(limits.max_cost) and wanted is DesiredState.RUNNING:
            return True
        if not self.is_cost_certain or not isinstance(job.tokens, int):
            return False
        (price,) = self.subject.prices or ()
        is_over = job.tokens * price.value > limits.max_cost.value * 1_000_000
        if wanted is not DesiredState.RUNNING:
            return is_over
        warning = self.last.warning if self.last else None
        is_same = warning is not None and (warning.limit, warning.price) == (str(limits.max_cost), str(price))
        return is_over and is_same and warning is not None and self.now - warning.since >= timedelta(minutes=1)

    @property
    def is_warned_too_late(self) -> bool:
        """Whether the warning of `maxAge` is missing or newer than `warnBefore`, and no cancel for a limit is open."""
        limits, wanted = self.subject.spec.limits, self.subject.spec.desired_state
        before = limits.warn_before if limits is not None else None
        if (
            limits is None
            or limits.max_age is None
            or before is None
            or self.is_suspended
            or wanted in {DesiredState.CANCELLED, DesiredState.OBSERVED}
        ):
            return False
        receipt = self.last.open_receipt if self.last else None
        if receipt is not None and receipt.because is Because.LIMIT_REACHED:
            return False
        warning = self.last.warning if self.last else None
        is_same = warning is not None and warning.limit == f"maxAge {render_duration(limits.max_age)}"
        return not is_same or warning is None or not before <= self.now - warning.since

    @property
    def is_limit_unjudged(self) -> bool:
        """Whether a missing or implausible time prevents a judgement of `maxAge` for the unfinished observed job."""
        limits = self.subject.spec.limits
        if limits is not None and limits.max_cost is not None and self.job is not None:
            is_judged = self.as_of is not None and self.is_cost_certain
            return self.job.phase in STOPPABLE | {Phase.CANCELLING} and not is_judged
        if limits is None or limits.max_age is None or self.job is None:
            return False
        if self.job.phase not in STOPPABLE | {Phase.CANCELLING}:
            return False
        known = self.last.job.created_at if self.last and self.last.job else None
        created = known if self.job.created_at is UNSET else self.job.created_at
        return self.as_of is None or not isinstance(created, datetime) or created > self.as_of

    @property
    def is_cancel_wanted(self) -> bool:
        """Whether the spec requests a cancel, or a limit of a spec that is not `observed` is exceeded."""
        wanted = self.subject.spec.desired_state
        return wanted is DesiredState.CANCELLED or (wanted is not DesiredState.OBSERVED and self.is_over_limit)

    @property
    def is_limit_remembered(self) -> bool:
        """Whether a cancel for a limit is open, and the observation cannot show whether the limit is still exceeded."""
        receipt = self.last.open_receipt if self.last else None
        is_blind = self.job is None or self.job.phase is Phase.UNKNOWN or self.as_of is None
        is_for_limit = receipt is not None and receipt.because is Because.LIMIT_REACHED
        is_meant = self.subject.spec.desired_state is not DesiredState.OBSERVED and not self.has_changed
        return is_for_limit and is_meant and is_blind

    @property
    def is_paused_elsewhere(self) -> bool:
        """Whether something else paused the job, and nobody has requested a retry or changed the spec since.

        That is so if the job was last seen unpaused, or if its earlier status was lost, unless a pause of reconcile
        that was not refused is the newest request, within 15 minutes, and has not been seen to take effect.
        """
        if self.last is None or self.job is None or self.job.phase not in {Phase.PAUSING, Phase.PAUSED}:
            return False
        if self.subject.is_retry:
            return False
        if self.last.paused_elsewhere is not None:
            return self.last.paused_elsewhere == self.subject.digest
        if self.subject.spec.desired_state is not DesiredState.RUNNING or not self.can_be_paused:
            return False
        newest = self.last.receipts[0] if self.last.receipts else None
        is_ours = newest is not None and newest.verb is Verb.PAUSE and newest.outcome in {None, Outcome.WITHDRAWN}
        is_refused = newest is not None and newest.accepted_at is None and newest.refusals >= newest.attempts
        asked_at = (newest.accepted_at or newest.last_attempt_at) if newest is not None else self.now
        is_late = self.now - asked_at > timedelta(minutes=15)
        return self.was_last_unpaused and (is_refused or is_late or not is_ours)

    @property
    def was_last_unpaused(self) -> bool:
        """Whether the job was unpaused when its phase was last certain, or its status was lost since."""
        told = (
            [(self.last.phase, None), *((each.phase, each.reason) for each in self.last.history)] if self.last else []
        )
        certain = (
            reason is Reason.STATUS_DISCARDED or phase not in {Phase.PAUSING, Phase.PAUSED}
            for phase, reason in told
            if reason is Reason.STATUS_DISCARDED or phase not in {Phase.UNKNOWN, Phase.ABSENT, Phase.CANCELLING}
        )
        return next(certain, False)

    @property
    def can_be_paused(self) -> bool:
        """Whether the kind of the job and its provider support a pause."""
        return self.subject.kind is not BATCH and self.subject.capabilities.can_pause

    def with_other_counters(self) -> Case:
        """Return the case with other counters in the observed job, or the same case if no job was observed."""
        if self.job is None:
            return self
        if self.subject.kind is BATCH:
            limits = self.subject.spec.limits
            tokens = self.job.tokens if limits is not None and limits.max_cost is not None else 4711
            return replace(self, look=Observed(replace(self.job, counts=JobCounts(100, 57, 1), tokens=tokens)))
        return replace(self, look=Observed(replace(self.job, trained_tokens=4711)))

    def again(self, status: JobStatus, later: timedelta = timedelta(0)) -> Decision:
        """Decide again, from the status that a decision wrote and the observation of this case."""
        look, now = self.look, self.now + later
        if isinstance(look, Observed) and look.job is not None and look.job.as_of is not None:
            look = Observed(replace(look.job, as_of=look.job.as_of + later))
        return decide(self.subject, look, status, now)
