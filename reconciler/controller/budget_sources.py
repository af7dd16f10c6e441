"""Compute the change budget of a pass, and record afterwards which statuses exist.

The past attempts are read from statuses, the journal and Git history.

Rules: if many statuses were lost, the number of past attempts is treated as unknown, not as lower. If the journal
cannot be read, the pass reports an error, and no first attempt is allowed unless the operator approves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.desired_specs import DesiredSpecs
from reconciler.controller.per_spec import HAS_STATUS, LAST_UNFINISHED, REFUSED
from reconciler.controller.run_options import ChangeRules
from reconciler.controller.runtime import Runtime
from reconciler.controller.share import Share
from reconciler.controller.unread_statuses import doubts, hidden, most_attempts
from reconciler.core.cancel_cost import sunk_cost
from reconciler.core.change_budget import EVERYWHERE, ChangeBudget
from reconciler.core.losses import Marks, lost_since, marks_of, why_uncountable, without_archived
from reconciler.core.past_attempts import PastAttempts
from reconciler.core.scope import AccountMap, ScopedLimits
from reconciler.core.shadow import is_reported, reported_at
from reconciler.core.subject import Subject
from reconciler.model.job import UNFINISHED
from reconciler.model.job_identity import job_identity
from reconciler.model.journal import KnownStatuses, LostStatus, Requested
from reconciler.model.money import Cost
from reconciler.model.spec import DesiredState
from reconciler.model.status import JobStatus, Verb

_Claimed = tuple[Subject, JobStatus]
"""A spec with a job, and the last status of the job."""


@dataclass(frozen=True, slots=True)
class PassBudget:
    """The change budget of one pass, with what the journal recorded about statuses before that pass."""

    budget: ChangeBudget
    known: KnownStatuses
    lost: Mapping[str, LostStatus]
    errors: tuple[str, ...] = ()
    """The error if the journal could not be read; otherwise empty."""
    share: Share = field(default_factory=Share)
    """What the run handles."""
    marks: Marks = field(default_factory=Marks)


def budget_of(desired: DesiredSpecs, rules: ChangeRules, before: ChangeBudget, runtime: Runtime) -> PassBudget:
    """Return the change budget of a pass.

    `before` is the budget of the previous pass, with the approvals that this process has used and the changes that are
    not written yet. A dry run neither reads nor changes `before`.
    """
    now, stored, resolved = runtime.clock.now(), desired.stored, desired.resolved
    journal, known, errors = _remembered(runtime)
    limits = _limits(rules, desired)
    lost = _lost(known, desired, now)
    if lost:
        lost = without_archived(lost, runtime.statuses.archived(lost), now)
    carried = before if runtime.control is not None else ChangeBudget()
    refused = _claimed(desired, REFUSED)
    everywhere = (*errors, why_uncountable(lost, known, limits.everywhere), runtime.older.doubt)
    budget = ChangeBudget(
        limits=limits,
        approvals=replace(rules.approvals, commits=desired.snapshot.approvals),
        past=PastAttempts(
            stored.jobs,
            journal,
            runtime.older.statuses,
            is_ours=runtime.publisher is not None and runtime.publisher.is_dedicated,
            is_shadow=desired.is_shadow,
            currency=limits.currency,
            costs_now=_costs(filter(_was_withheld, _claimed(desired)), now) if desired.is_shadow else {},
        ),
        # The percentages of the guard refer to unfinished jobs, so the statuses of finished jobs are left out.
        claimed=tuple(_maybe_unfinished(desired, known)),
        account_map=AccountMap({line: target.scope for line, target in resolved.targets.items()}),
        known_unfinished=known.unfinished,
        use=carried.use,
        unwritten=carried.unwritten,
        standing=_standing(refused, now),
        standing_costs=_costs(filter(_may_be_cancel, refused), now),
        doubts=_doubts(desired, runtime, filter(None, everywhere)),
        hidden=most_attempts(stored),
    )
    return PassBudget(budget, known, lost, errors, desired.share, desired.per_spec.marks)


def _claimed(desired: DesiredSpecs, bit: int = HAS_STATUS) -> list[_Claimed]:
    """Return the specs that have a job, a last status, and a property of `per_spec`."""
    return [
        (subject, desired.last[key])
        for key, bits in enumerate(desired.properties)
        if bits & bit and (subject := desired.specs[key].subject) is not None
    ]


def _doubts(desired: DesiredSpecs, runtime: Runtime, everywhere: Iterable[str]) -> dict[str, str]:
    """Return why the attempts cannot be counted, by scope. The first reason of `everywhere` is that of all accounts."""
    found = doubts(desired.stored, desired.specs, runtime.policy)
    for why in everywhere:
        found.setdefault(EVERYWHERE, why)
    return found


def _maybe_unfinished(desired: DesiredSpecs, known: KnownStatuses) -> Iterator[JobStatus]:
    """Yield the status of each job that the guard counts as unfinished, because its phase or the journal says so.

    A cancel that shadow mode reported counts as done.
    """
    found = _claimed(desired, LAST_UNFINISHED)
    if known.unfinished.keys() - {status.name for _, status in found}:
        found = _claimed(desired)
    for _, status in found:
        is_over = desired.is_shadow and is_reported(status, Verb.CANCEL)
        if not is_over and (status.phase in UNFINISHED or status.name in known.unfinished):
            yield status


def _limits(rules: ChangeRules, desired: DesiredSpecs) -> ScopedLimits:
    """Return the operator's limits, tightened by the repository's Settings."""
    limits = rules.limits.renamed(desired.resolved.names)
    settings = desired.snapshot.settings[0].document.spec if desired.snapshot.settings else None
    return limits.tightened(settings.safety) if settings else limits


def remember(budget: PassBudget, outcomes: Iterable[AccountOutcome], runtime: Runtime) -> tuple[str, ...]:
    """Record in the journal which statuses exist after this pass, and return the error if that fails.

    Only the statuses of the run's share are recorded: if another replica removes a status of its own, none was lost.
    Nothing is recorded in a dry run, without a journal, or if `budget_of` could not read the journal. In these cases,
    return the errors of `budget_of`.
    """
    if runtime.control is None or runtime.journal is None or budget.errors:
        return budget.errors
    stored = runtime.statuses.known()
    has_all = budget.share.shard is None
    marks = budget.marks.of(stored.jobs) if has_all else marks_of(filter(budget.share.has_status, stored.jobs))
    unfinished = _unfinished(budget.known, outcomes, marks)
    if any(each.is_of_jobs for each in stored.unread):
        # Statuses that could not be read in this pass keep their earlier records.
        marks = {**budget.known.marks, **marks}
        unfinished = {**budget.known.unfinished, **unfinished}
    try:
        runtime.journal.keep(KnownStatuses(marks=marks, unfinished=unfinished, lost=budget.lost))
    except OSError as error:
        return (f"the state directory could not be written: {error.strerror}: {error.filename}",)
    return ()


def _unfinished(
    known: KnownStatuses, outcomes: Iterable[AccountOutcome], marks: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return the account and id of each job that was last seen unfinished, by status name."""
    found = {name: job for name, job in known.unfinished.items() if name in marks}
    for each in (each for outcome in outcomes for each in outcome.done if each.case.unobserved is None):
        name, job = each.case.subject.name, each.status.job
        found.pop(name, None)
        if each.status.phase in UNFINISHED and job is not None and name in marks:
            found[name] = job_identity(job)
    return found


def _remembered(runtime: Runtime) -> tuple[tuple[Requested, ...], KnownStatuses, tuple[str, ...]]:
    if runtime.journal is None:
        return (), KnownStatuses(), ()
    try:
        return runtime.journal.requested(), runtime.journal.known(), ()
    except OSError as error:
        return (), KnownStatuses(), (f"{error.filename} cannot be read: {error.strerror}",)


def _lost(known: KnownStatuses, desired: DesiredSpecs, now: datetime) -> dict[str, LostStatus]:
    stored = desired.stored
    unread = hidden(stored)
    names = set(known.marks) if unread.folders else unread.names
    too_new = {each.rpartition("/")[2].removesuffix(".yaml") for each in stored.too_new}
    return lost_since(known, desired.per_spec.marks.of(stored.jobs), names | too_new, now.replace(microsecond=0))


def _was_withheld(claimed: _Claimed) -> bool:
    """Return whether shadow mode has withheld a change of this job."""
    return any(reported_at(claimed[1]))


def _may_be_cancel(refused: _Claimed) -> bool:
    """Return whether a change that the guard refused may be a cancel. The status does not say which change it was."""
    spec = refused[0].spec
    return spec.desired_state is DesiredState.CANCELLED or spec.limits is not None


def _costs(claimed: Iterable[_Claimed], now: datetime) -> dict[str, Cost]:
    """Return what the jobs of these specs have cost by now, by spec name."""
    found = ((subject.name, sunk_cost(subject, Verb.CANCEL, status, None, now)) for subject, status in claimed)
    return {name: cost for name, cost in found if cost is not None}


def _standing(refused: Iterable[_Claimed], now: datetime) -> dict[str, str]:
    """Return the account of each spec whose refused change is still wanted, by spec name."""
    return {
        subject.name: str(subject.ref.account)
        for subject, _ in refused
        if subject.spec.desired_state is not DesiredState.OBSERVED and not subject.is_suspended(now)
    }
