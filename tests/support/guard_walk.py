"""Every case of the guard for jobs of two kinds in one account, up to a bound, and the laws that hold in each.

A *case* is an account with fine-tuning jobs and batches. Some of each kind are due to be cancelled now, some were
cancelled within the hour, and the others run. The laws define the limits of each scope again, after the design, and
import only the tested functions from `core`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from itertools import product

from reconciler.core.change_budget import ChangeBudget
from reconciler.core.guard import ChangeLimits
from reconciler.core.past_attempts import PastAttempts, PlannedChange
from reconciler.core.scope import AccountMap, ScopedLimits
from reconciler.model.account_line import BATCH_JOB, FINE_TUNING_JOB
from reconciler.model.job import Account, CredentialScope, JobRef
from reconciler.model.journal import Requested
from reconciler.model.status import Verb
from tests.support.build import ACCOUNT, NOW

KEY = CredentialScope("api.openai.com:443", "OPENAI_API_KEY")
EARLIER = timedelta(minutes=30)
RUNNING, MANY_RUNNING = (0, 10), (0, 10, 500)
DUE = (0, 1, 4, 10)
PAST = (0, 3)
LIMITS = {
    "the default limits": ScopedLimits(),
    "a share alone": ScopedLimits(ChangeLimits(2, 50, 1000)),
    "a number alone": ScopedLimits(ChangeLimits(1000, 100, 5)),
    "stricter limits for batches": ScopedLimits(kinds={BATCH_JOB: ChangeLimits(1, 0, 1)}),
    "looser limits for batches": ScopedLimits(kinds={BATCH_JOB: ChangeLimits(500, 100, 500)}),
}


@dataclass(frozen=True, slots=True)
class OfKind:
    """The jobs of one kind."""

    running: int = 0
    """The number of unfinished jobs without a due change."""
    due: int = 0
    """The number of unfinished jobs whose first cancel is due."""
    past: int = 0
    """The number of jobs that were cancelled in the last hour, and have ended."""

    @property
    def unfinished(self) -> int:
        """The number of unfinished jobs."""
        return self.running + self.due

    @property
    def total(self) -> int:
        """The number of first attempts in the hour, if all that are due are allowed."""
        return self.past + self.due


@dataclass(frozen=True, slots=True)
class GuardCase:
    """One account with jobs of both kinds. The guard judges the kinds in the order of `kinds`."""

    kinds: tuple[tuple[str, OfKind], tuple[str, OfKind]]
    limits: ScopedLimits

    def of(self, kind: str) -> OfKind:
        """Return the jobs of one kind."""
        return dict(self.kinds)[kind]

    def with_kind(self, kind: str, jobs: OfKind) -> GuardCase:
        """Return the case with other jobs of one kind."""
        (first, one), (second, two) = self.kinds
        return replace(self, kinds=((first, jobs if first == kind else one), (second, jobs if second == kind else two)))

    def allowed(self) -> dict[str, bool]:
        """Return by kind whether the guard allows the due cancels, after it has counted the jobs of both kinds."""
        accounts = {kind: ACCOUNT.of_kind(kind) for kind, _ in self.kinds}
        budget = ChangeBudget(
            limits=self.limits,
            account_map=AccountMap({str(account): KEY for account in accounts.values()}),
            past=PastAttempts(journal=tuple(self._journal())),
        )
        for kind, jobs in self.kinds:
            budget.judge(str(accounts[kind]), _planned(accounts[kind], jobs.unfinished, 0), NOW)
        return {
            kind: not budget.judge(
                str(accounts[kind]), _planned(accounts[kind], jobs.unfinished, jobs.due), NOW
            ).refusals
            for kind, jobs in self.kinds
        }

    def _journal(self) -> Iterator[Requested]:
        for kind, jobs in self.kinds:
            for number in range(jobs.past):
                at = NOW - EARLIER
                yield Requested(
                    name=f"past-{kind}-{number}".lower(),
                    account=str(ACCOUNT.of_kind(kind)),
                    job_id=f"past-{number}",
                    verb=Verb.CANCEL,
                    at=at,
                    receipt_at=at,
                )


@cache
def _planned(account: Account, count: int, due: int) -> tuple[PlannedChange, ...]:
    """Return the plan for this many unfinished jobs, with the same IDs for each kind."""
    return tuple(
        PlannedChange(
            f"{account.kind}-{number}".lower(),
            JobRef(account, f"x{number}"),
            Verb.CANCEL if number < due else None,
            is_first=number < due,
            is_unfinished=True,
        )
        for number in range(count)
    )


def guard_cases(limits: ScopedLimits) -> Iterator[GuardCase]:
    """Yield every case with these limits, with the kinds in both orders."""
    for jobs, batches in product(product(RUNNING, DUE, PAST), product(MANY_RUNNING, DUE, PAST)):
        one, two = (FINE_TUNING_JOB, OfKind(*jobs)), (BATCH_JOB, OfKind(*batches))
        yield GuardCase((one, two), limits)
        yield GuardCase((two, one), limits)


Allowed = Mapping[str, bool]
"""Whether the guard allows the due cancels, by kind."""
GuardLaw = Callable[[GuardCase, Allowed], bool]


def _is_within(limits: ChangeLimits, total: int, unfinished: int) -> bool:
    is_many = total > limits.max_cancels and total * 100 > limits.max_cancel_percent * unfinished
    return not is_many and total <= limits.max_cancels_absolute


def _is_own_allowed(case: GuardCase, kind: str, jobs: OfKind) -> bool:
    """Return whether the cancels of a kind are within the limits of its own scopes: of the kind and of its account."""
    limits = (case.limits.kinds.get(kind, case.limits.everywhere), case.limits.everywhere)
    return all(_is_within(each, jobs.total, jobs.unfinished) for each in limits)


def no_kind_exceeds_its_limits_whatever_runs_beside_it(case: GuardCase, allowed: Allowed) -> bool:
    """The percentage is of the kind's own jobs: 500 running batches do not allow the cancel of all ten other jobs."""
    return all(not (jobs.due and allowed[kind]) or _is_own_allowed(case, kind, jobs) for kind, jobs in case.kinds)


def all_kinds_together_stay_within_the_general_limits(case: GuardCase, allowed: Allowed) -> bool:
    jobs = [each for _, each in case.kinds]
    sent = sum(each.past + (each.due if allowed[kind] else 0) for kind, each in case.kinds)
    was_sent = any(each.due and allowed[kind] for kind, each in case.kinds)
    return not was_sent or _is_within(case.limits.everywhere, sent, sum(each.unfinished for each in jobs))


def a_kind_is_refused_only_because_of_a_scope_that_is_exceeded(case: GuardCase, allowed: Allowed) -> bool:
    """A kind is refused only because of its own jobs, or because all kinds together exceed the general limits."""
    sent = sum(jobs.past for _, jobs in case.kinds)
    unfinished = sum(jobs.unfinished for _, jobs in case.kinds)
    for kind, jobs in case.kinds:
        is_own = _is_own_allowed(case, kind, jobs)
        is_overall = _is_within(case.limits.everywhere, sent + jobs.due, unfinished)
        if allowed[kind] is not (jobs.due == 0 or (is_own and is_overall)):
            return False
        sent += jobs.due if allowed[kind] else 0
    return True


def jobs_that_run_never_allow_cancels_of_the_other_kind(case: GuardCase, allowed: Allowed) -> bool:
    """A cancel that is allowed beside jobs of the other kind is also allowed without them."""
    for kind, other in ((FINE_TUNING_JOB, BATCH_JOB), (BATCH_JOB, FINE_TUNING_JOB)):
        jobs = case.of(kind)
        if jobs.due and allowed[kind] and not case.with_kind(other, OfKind()).allowed()[kind]:
            return False
    return True


GUARD_LAWS: tuple[GuardLaw, ...] = (
    no_kind_exceeds_its_limits_whatever_runs_beside_it,
    all_kinds_together_stay_within_the_general_limits,
    a_kind_is_refused_only_because_of_a_scope_that_is_exceeded,
    jobs_that_run_never_allow_cancels_of_the_other_kind,
)
"""The laws that are checked in every case of the guard."""
