"""The jobs and accounts that the last observations of this process could not show.

Rules: the failure of an account lasts until every job that it hid has been seen, even if other jobs of the account are
seen earlier. The failure of a single job is not a failure of its account. An observation for which no request was sent
does not extend the backoff, because the provider had no chance to respond.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from reconciler.controller.plan import AccountPlan
from reconciler.model.job import Account, JobRef, Unobserved
from reconciler.model.reason import Reason

REPORTED_AFTER = 2
"""A transient failure is reported after this many failed observations in a row."""


def is_lasting(unobserved: Unobserved, times: int) -> bool:
    """Return whether a failure that occurred `times` times in a row is written to a status."""
    return not unobserved.is_transient or times >= REPORTED_AFTER or unobserved.reason is Reason.OBSERVATION_SUSPECT


@dataclass(frozen=True, slots=True)
class MissedJob:
    """A job that its last observation could not show."""

    times: int
    """How many observations in a row failed."""
    requests: int
    """How many of these observations requested the job from the provider."""
    unobserved: Unobserved
    is_by_account: bool
    """Whether the job could not be observed because its whole account failed."""


@dataclass(slots=True)
class UnobservedTracker:
    """The failed observations of one process. A restart may lose them, because the next passes find failures again."""

    jobs: dict[JobRef, MissedJob] = field(default_factory=dict)
    accounts: dict[Account, Unobserved] = field(default_factory=dict)
    """The failure of each account, as long as the failure hides a job."""
    failures: dict[Account, int] = field(default_factory=dict)
    """How many observations of each account in a row sent requests and failed for all of its jobs."""
    troubles: dict[Account, int] = field(default_factory=dict)
    """How many observations of each account in a row failed, for all or some of its jobs."""

    def take_in(self, plans: Iterable[AccountPlan], wanted: Collection[JobRef]) -> None:
        """Record the results of a pass, and forget each job that is not in `wanted`."""
        looked_at = set()
        for plan in plans:
            self._take_in_one(plan)
            looked_at.add(plan.account)
        self.jobs = {ref: missed for ref, missed in self.jobs.items() if ref in wanted}
        for account in (looked_at - self.accounts.keys()).intersection(ref.account for ref in self.jobs):
            self._add_up(account, {ref for ref in wanted if ref.account == account})
        kept = {ref.account for ref, missed in self.jobs.items() if missed.is_by_account}
        self.accounts = {account: unobserved for account, unobserved in self.accounts.items() if account in kept}

    def after(self, plan: AccountPlan) -> Unobserved | None:
        """Return the failure of the plan, or else an earlier failure of its account that still hides a job, or None."""
        if plan.unobserved is not None or plan.account not in self.accounts:
            return plan.unobserved
        seen = {case.subject.ref for case in plan.cases if case.unobserved is None}
        is_left = any(
            missed.is_by_account and ref.account == plan.account and ref not in seen
            for ref, missed in self.jobs.items()
        )
        return self.accounts[plan.account] if is_left else None

    def doubted(self) -> frozenset[JobRef]:
        """Return the jobs whose absence is doubted."""
        return frozenset(ref for ref, each in self.jobs.items() if each.unobserved.reason is Reason.OBSERVATION_SUSPECT)

    def requested_in_vain(self) -> frozenset[JobRef]:
        """Return the jobs that the last observation requested and could not show.

        Jobs that the observation did not reach are left out, so that the next observation retrieves them before the
        jobs that failed.
        """
        return frozenset(ref for ref, each in self.jobs.items() if each.unobserved.was_requested)

    def hidden(self, account: Account) -> frozenset[JobRef]:
        """Return the jobs that the failure of their account hides."""
        return frozenset(ref for ref, missed in self.jobs.items() if ref.account == account and missed.is_by_account)

    def alone(self, account: Account) -> Mapping[JobRef, Unobserved]:
        """Return the jobs whose own observations fail, permanently or repeatedly, each with the failure."""
        return {
            ref: missed.unobserved
            for ref, missed in sorted(self.jobs.items())
            if ref.account == account and not missed.is_by_account and is_lasting(missed.unobserved, missed.times)
        }

    def in_a_row(self, ref: JobRef) -> int:
        """Return how many observations in a row requested the job, or jobs of its failing account, and failed."""
        missed = self.jobs.get(ref)
        return max(self.failures.get(ref.account, 0), missed.requests if missed else 0)

    def _take_in_one(self, plan: AccountPlan) -> None:
        if not plan.has_observed:
            return
        account, wrong = plan.account, plan.unobserved or self._still_wrong(plan)
        self.failures[account] = self.failures.get(account, 0) + _was_requested(plan) if plan.is_blind else 0
        self.troubles[account] = self.troubles.get(account, 0) + 1 if wrong is not None else 0
        if wrong is not None:
            self.accounts[account] = wrong
        for case in plan.cases:
            before = self.jobs.pop(case.subject.ref, None)
            if case.unobserved is not None:
                is_by_account = wrong is not None and (plan.is_blind or case.unobserved.reason is wrong.reason)
                times = (before.times if before else 0) + 1
                requests = (before.requests if before else 0) + case.unobserved.was_requested
                self.jobs[case.subject.ref] = MissedJob(times, requests, case.unobserved, is_by_account)

    def _still_wrong(self, plan: AccountPlan) -> Unobserved | None:
        """Return the earlier failure of an account if every observation of this plan failed for its reason, or None."""
        before = self.accounts.get(plan.account)
        if before is None or not plan.cases:
            return None
        is_same = all(case.unobserved is not None and case.unobserved.reason is before.reason for case in plan.cases)
        return before if is_same else None

    def _add_up(self, account: Account, wanted: Collection[JobRef]) -> None:
        """Mark an account as failing if none of its wanted jobs could be observed, even in separate observations."""
        missed = [self.jobs[ref] for ref in sorted(wanted) if ref in self.jobs]
        if not missed or len(missed) < len(wanted):
            return
        self.accounts[account] = missed[0].unobserved
        self.troubles[account] = min(each.times for each in missed)
        self.jobs.update((ref, replace(self.jobs[ref], is_by_account=True)) for ref in wanted)


def _was_requested(plan: AccountPlan) -> bool:
    """Return whether the failed observation of an account sent a request."""
    failures = (plan.unobserved, *(case.unobserved for case in plan.cases))
    return any(each.was_requested for each in failures if each is not None)
