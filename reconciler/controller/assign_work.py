"""Divide the jobs that a pass observes by account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial

from reconciler.controller.desired_specs import DesiredSpecs
from reconciler.controller.per_spec import CAN_ACT, MUST_OBSERVE, UNSETTLED
from reconciler.controller.plan import TrackedJob
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.runtime import Runtime
from reconciler.core.orphans import has_recent_request
from reconciler.model.job import Account, JobRef
from reconciler.model.status import JobStatus


@dataclass(frozen=True, slots=True)
class Work:
    """The jobs of one account that a worker handles in a pass."""

    target: ResolvedAccount
    pairs: list[TrackedJob] = field(default_factory=list)
    resting: Iterable[TrackedJob] = ()
    """The specs whose jobs are settled. Such a job is observed again only if a list shows it in another phase."""
    orphans: list[JobStatus] = field(default_factory=list)
    """The statuses of deleted specs whose open request must be confirmed."""
    is_part: bool = False
    """Whether the account has further jobs that this pass does not observe."""

    @property
    def names(self) -> set[str]:
        """The names of the specs and orphans in this work."""
        return {subject.name for subject, _ in self.pairs} | {status.name for status in self.orphans}


def assign_work(
    desired: DesiredSpecs, retry: frozenset[str], due: AbstractSet[JobRef] | None, runtime: Runtime
) -> dict[Account, Work]:
    """Return the work of each account in this pass. Orphans are added only if all specs are selected.

    Args:
        desired: the revision.
        retry: the names of the specs whose next attempt is due now, because a user requested a retry.
        due: the jobs to observe; None observes all. The job of a new or changed spec is always observed.
        runtime: provides the clock. In a dry run, in which `control` is None, orphans are left out.
    """
    work = partition_by_account(desired, retry, due)
    if desired.is_whole and runtime.control is not None:
        _add_orphans(work, desired, runtime.clock.now())
    return work


def partition_by_account(
    desired: DesiredSpecs, retry: frozenset[str], due: AbstractSet[JobRef] | None
) -> dict[Account, Work]:
    """Return the work of each account, without orphans. The arguments are those of `assign_work`."""
    work: dict[Account, Work] = {}
    keys = desired.chosen_having(CAN_ACT if due is None else MUST_OBSERVE)
    if due:
        keys = sorted({*keys, *_due(desired, due)})
    for key in keys:
        subject, target = desired.specs[key].subject, desired.specs[key].target
        assert subject is not None and target is not None  # noqa: S101, PT018  each of these specs can act
        asked = replace(subject, is_retry=True) if subject.name in retry else subject
        work.setdefault(target.account, Work(target)).pairs.append((asked, desired.last.get(key)))
    if work:
        _add_not_due(work, desired, frozenset(keys))
    return work


def _due(desired: DesiredSpecs, due: AbstractSet[JobRef]) -> list[int]:
    """Return the positions of the chosen specs of these jobs."""
    # Most jobs are not due, and a set of strings is searched faster than a set of jobs.
    ids, due_ids = desired.per_spec.job_ids.of(desired.specs), {ref.id for ref in due}
    found = {key for key, job_id in enumerate(ids) if job_id in due_ids and desired.specs[key].ref in due}
    return [key for key in desired.chosen_having(CAN_ACT) if key in found]


def _add_not_due(work: dict[Account, Work], desired: DesiredSpecs, asked: AbstractSet[int]) -> None:
    """Add to each account's work its settled jobs, and whether it has jobs that this pass does not observe.

    A settled job is not observed by itself, but a list that is read for other jobs may contradict its end. `asked` are
    the positions of the specs that this pass observes.
    """
    left = (key for key in desired.chosen_having(UNSETTLED) if key not in asked)
    parts = _accounts_beside(desired) | {each.ref.account for key in left if (each := desired.specs[key].subject)}
    settled = cache(partial(_settled_by_account, desired, asked))
    for account, part in work.items():
        work[account] = replace(part, resting=_Resting(desired, account, settled), is_part=account in parts)


def _settled_by_account(desired: DesiredSpecs, asked: AbstractSet[int]) -> Mapping[Account, Sequence[int]]:
    """Return the positions of the specs with settled jobs that this pass does not observe, by account."""
    found: defaultdict[Account, list[int]] = defaultdict(list)
    for key in desired.chosen_having(CAN_ACT):
        subject, is_settled = desired.specs[key].subject, not desired.properties[key] & UNSETTLED
        if is_settled and key not in asked and subject is not None:
            found[subject.ref.account].append(key)
    return found


@dataclass(frozen=True, slots=True)
class _Resting:
    """The settled jobs of an account.

    They are found only when one account needs them, because there may be many, and then for all accounts at once.
    """

    desired: DesiredSpecs
    account: Account
    settled: Callable[[], Mapping[Account, Sequence[int]]]
    """Returns the positions of the specs with settled jobs, by account. Only its first call takes a long time."""

    def __iter__(self) -> Iterator[TrackedJob]:
        for key in self.settled().get(self.account, ()):
            subject = self.desired.specs[key].subject
            assert subject is not None  # noqa: S101  each of these specs can act
            yield subject, self.desired.last.get(key)


def _accounts_beside(desired: DesiredSpecs) -> set[Account]:
    """Return the accounts of the specs that this run does not select or whose status is unknown."""
    chosen = set(desired.chosen)
    if len(chosen) == len(desired.specs):
        return set()
    return {each.target.account for key, each in enumerate(desired.specs) if each.target and key not in chosen}


def _add_orphans(work: dict[Account, Work], desired: DesiredSpecs, now: datetime) -> None:
    """Add the orphans with a recent open request whose account is still named by a spec or a Provider document."""
    for status in desired.matched.orphans:
        targets = desired.resolved.targets
        target = targets.get(status.job.account) if status.job and has_recent_request(status, now) else None
        if target is not None:
            work.setdefault(target.account, Work(target)).orphans.append(status)
