"""What would be done for one account: look, match, decide, ask the guard. Nothing here can change anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.controller.account_resolver import Reach
from reconciler.controller.observe import Looked, look
from reconciler.core.conditions import stalled
from reconciler.core.decide import Decision, decide
from reconciler.core.facts import recall
from reconciler.core.finality import is_settled
from reconciler.core.guard import BY_NAME, Approvals, Brakes, Use, approve, count_earlier, count_unfinished, judge, uses
from reconciler.core.receipts import may_vanish
from reconciler.core.schedule import estimated_finish
from reconciler.core.settle import refused
from reconciler.core.subject import Subject
from reconciler.model.job import Account, JobRef, Look, ObservedJob, Seen, Unseen
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.reason import Reason
from reconciler.model.report import Action, Refusal
from reconciler.model.status import JobStatus, Verb
from reconciler.ports import JobReader

Pair = tuple[Subject, JobStatus | None]
"""A spec, and what was last known of its job."""


@dataclass(frozen=True, slots=True)
class Case:
    """One spec with what was last known, and what is decided about it."""

    subject: Subject
    last: JobStatus | None
    decision: Decision
    unseen: Unseen | None = None
    refusal: Refusal | None = None
    is_unplanned: bool = False
    """The pinned plan does not hold its action."""
    approved_by: str | None = None
    seen: ObservedJob | None = None
    """The job as the look showed it, if it did."""

    @property
    def finish_at(self) -> datetime | None:
        """When the provider thinks that the job will finish, if it said so."""
        return estimated_finish(Seen(self.seen))

    @property
    def is_refused(self) -> bool:
        """Whether its action must not be carried out."""
        return self.refusal is not None or self.is_unplanned


@dataclass(frozen=True, slots=True)
class Survey:
    """One account, decided."""

    account: Account
    cases: tuple[Case, ...]
    unseen: Unseen | None
    refusals: tuple[Refusal, ...]
    errors: tuple[str, ...]
    overtaken: tuple[JobRef, ...] = ()
    """What was looked at in vain: its spec, or what holds for it, changed meanwhile."""
    has_looked: bool = True
    """Whether there was anything to look at: jobs that ended for good are not asked for."""


@dataclass(slots=True)
class Allowance:
    """What a run has used of what an operator allows, which is meant once and not for each pass."""

    used: int = 0
    """How much of the number."""
    names: set[str] = field(default_factory=set)
    _lent: dict[tuple[JobRef, Verb], tuple[datetime, str]] = field(default_factory=dict)
    """When each request was approved, and by what. Until there is a receipt, nothing came of it."""

    def lent(self, case: Case) -> str | None:
        """Return what approved a request that never left; it may be made still."""
        action = case.decision.action
        at, by = self._lent.get((action.ref, action.verb), (None, None)) if action else (None, None)
        receipts = case.last.receipts if case.last else ()
        return by if at is not None and all(each.requested_at < at for each in receipts) else None

    def lend(self, case: Case, by: str, now: datetime) -> None:
        """Note that a request was approved."""
        if case.decision.action is None or self.lent(case) is not None:
            return
        self._lent[case.decision.action.ref, case.decision.action.verb] = now, by
        if by == BY_NAME:
            self.names.add(case.subject.name)
        else:
            self.used += 1


@dataclass(slots=True)
class Ledger:
    """What the guard counts over all accounts of one pass. Each account adds its batch when it is let through."""

    brakes: Brakes
    approvals: Approvals
    statuses: tuple[JobStatus, ...]
    """All last statuses, those of unselected and orphaned jobs included: the hour forgets nobody."""
    claimed: tuple[JobStatus, ...]
    """Those that valid specs claim: the changes are a share of these."""
    pinned: PinnedPlan | None = None
    """The only changes that may be made; None allows all."""
    allowance: Allowance = field(default_factory=Allowance)
    standing: dict[str, str] = field(default_factory=dict)
    """The account lines of the jobs whose change was refused before and is wanted still, by their specs' names. They
    belong to every batch of their account, whether or not they are selected or due now: a batch that was refused goes
    through by no part."""
    let_through: int = 0
    used: set[Use] = field(default_factory=set)
    """What this pass used of them."""

    def judge(self, account: Account, cases: list[Case], now: datetime) -> tuple[list[Case], tuple[Refusal, ...]]:
        """Refuse or approve the first attempts of one account, as one batch with what was refused before."""
        cases = [replace(case, is_unplanned=self._is_unplanned(case.decision.action)) for case in cases]
        first = [case for case in cases if case.decision.action and case.decision.action.is_first_attempt]
        batch = [case.subject.name for case in first if not case.is_unplanned]
        decided = {case.subject.name for case in cases if case.unseen is None}
        others = {name: line for name, line in self.standing.items() if name not in decided}
        approved = self._approve(first, [*batch, *others])
        held = {name: line for name, line in others.items() if name not in approved}
        self.used.update((by, name) for name, by in approved.items() if name not in others)
        for case in first:
            by = approved.get(case.subject.name)
            if by is not None and by in {BY_NAME, self.approvals.by_count}:
                self.allowance.lend(case, by, now)
        asked = tuple(sorted(name for name in batch if name not in approved))
        ours = [each for each in self.claimed if each.job is not None and each.job.account == str(account)]
        # A pass of a watch is about what is due, and the share is of all that is known.
        unfinished = max(count_unfinished(ours), count_unfinished(case.decision.status for case in cases))
        earlier = count_earlier(self.statuses, now, str(account))
        everywhere = count_earlier(self.statuses, now) + self.let_through
        here = tuple(sorted([*asked, *(name for name, line in held.items() if line == str(account))]))
        verdicts = (
            judge(str(account), here, earlier, unfinished, self.brakes),
            # What stands refused in another account is that account's matter: nobody else's jobs go on running for it.
            judge("overall", here, everywhere, max(count_unfinished(self.claimed), unfinished), self.brakes),
        )
        refusals = tuple(each for each in verdicts if each is not None and asked)
        self.standing = {
            name: line for name, line in self.standing.items() if name in others or (refusals and name in asked)
        }
        cases = [replace(case, approved_by=approved.get(case.subject.name)) for case in cases]
        if not refusals:
            self.let_through += len(asked)
            return cases, ()
        return [_refuse(case, refusals[0], now) if case.subject.name in asked else case for case in cases], refusals[:1]

    def _approve(self, first: list[Case], batch: list[str]) -> dict[str, str]:
        """Return what approves each name. What was approved before and never left is not counted again."""
        lent = {case.subject.name: by for case in first if (by := self.allowance.lent(case)) is not None}
        left = replace(self.approvals, names=self.approvals.names - self.allowance.names)
        rest = [name for name in batch if name not in lent]
        approved = approve(rest, left, uses(self.statuses) | self.used, self.allowance.used)
        return approved | {name: by for name, by in lent.items() if name in batch}

    def _is_unplanned(self, action: Action | None) -> bool:
        return action is not None and self.pinned is not None and not self.pinned.allows(action)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for whoever acts now, under whichever pass the work began."""

    subjects: Mapping[str, Subject] = field(default_factory=dict)
    """What every valid spec says, by name."""
    named: frozenset[JobRef] = frozenset()
    """The jobs that any spec names, those of specs that cannot be acted on included."""
    ledger: Ledger = field(default_factory=lambda: Ledger(Brakes(), Approvals(), (), ()))
    may_ask: bool = False
    halt: str | None = None
    """Why nothing may be asked, where a person must mend that."""
    reaches: Mapping[str, Reach] = field(default_factory=dict)
    """How each account is reached, by the line that stands in statuses."""

    def may_act(self, subject: Subject) -> bool:
        """Whether a spec may still be acted on."""
        return self.may_ask and self.hold(subject)

    def since(self, before: Rules) -> frozenset[JobRef]:
        """Return the jobs for which something else holds than before, and which are therefore to be looked at."""
        is_new = (self.may_ask, self.halt) != (before.may_ask, before.halt)
        changed = {reach.account for line, reach in self.reaches.items() if before.reaches.get(line) != reach}
        return frozenset(
            each.ref
            for each in self.subjects.values()
            if is_new or each.ref.account in changed or not before.hold(each)
        )

    def hold(self, subject: Subject) -> bool:
        """Whether a spec still says what it said."""
        now = self.subjects.get(subject.name)
        return now is not None and (now is subject or replace(now, is_retry=subject.is_retry) == subject)


async def survey(
    reader: JobReader,
    account: Account,
    asked: Iterable[Pair],
    resting: Iterable[Pair],
    rules: Callable[[], Rules],
    now: Callable[[], datetime],
) -> Survey:
    """Look at one account, and decide about every spec that names it, by the rules as they are then.

    Args:
        reader: the account.
        account: whose it is.
        asked: what this pass is about.
        resting: the others whose jobs have ended for good; they are decided about only where a list denies that.
        rules: what holds at the moment.
        now: our clock.
    """
    asked, resting = list(asked), list(resting)
    has_open = any(not is_settled(last) for _, last in asked)
    looked = await _look(reader, account, [*asked, *resting], rules().ledger) if has_open else Looked({})
    pairs = asked + [(subject, last) for subject, last in resting if subject.ref in looked.looks]
    moment, latest = now().replace(microsecond=0), rules()
    overtaken = tuple(subject.ref for subject, _ in pairs if not latest.hold(subject))
    pairs = [pair for pair in pairs if pair[0].ref not in overtaken] if overtaken else pairs
    twins = _twins(looked.looks, latest.named)
    cases, errors = [], []
    for subject, last in pairs:
        seen = looked.looks.get(subject.ref) or Seen(recall(last) if last else None)
        try:
            if subject.ref in twins:
                decision = _twice_named(subject, twins[subject.ref], last, moment)
            else:
                decision = decide(subject, seen, last, moment)
        except Exception as error:  # noqa: BLE001  a bug in one job must not stop the others
            errors.append(f"{subject.name}: {type(error).__name__}: {error}")
            continue
        if isinstance(seen, Unseen):
            cases.append(Case(subject, last, decision, seen))
        else:
            cases.append(Case(subject, last, decision, seen=seen.job))
    judged, refusals = latest.ledger.judge(account, cases, moment)
    return Survey(account, tuple(judged), looked.unseen, refusals, tuple(errors), overtaken, has_open)


def _twins(looks: Mapping[JobRef, Look], named: frozenset[JobRef]) -> dict[JobRef, JobRef]:
    """Return the jobs that two specs name, by two ids of which only a look can tell that they are of one job."""
    return {
        ref: other
        for ref, seen in looks.items()
        if isinstance(seen, Seen) and seen.job is not None
        for job_id in seen.job.ids - {ref.id}
        if (other := JobRef(ref.account, job_id)) in named
    }


def _twice_named(subject: Subject, other: JobRef, last: JobStatus | None, now: datetime) -> Decision:
    message = f"another spec names this job too, as {other.id}"
    status = stalled(subject.name, subject.source, last, Reason.DUPLICATE_JOB, message, now)
    return Decision(status, None, subject.interval)


async def _look(reader: JobReader, account: Account, pairs: list[Pair], ledger: Ledger) -> Looked:
    """Look at what has not ended, and at what has where a list denies it."""
    wanted = [subject for subject, last in pairs if not is_settled(last)]
    ours = [each for each in ledger.statuses if each.job is not None and each.job.account == str(account)]
    return await look(
        reader,
        [subject.ref for subject in wanted],
        {each.job.id: each.phase for each in ours if each.job is not None and each.job.was_seen},
        wanted[0].capabilities,
        ended={subject.ref: last.phase for subject, last in pairs if last is not None and is_settled(last)},
        may_vanish=frozenset(each.job.id for each in ours if each.job is not None and may_vanish(each.receipts)),
    )


def _refuse(case: Case, refusal: Refusal, now: datetime) -> Case:
    action = case.decision.action
    if action is None or not action.is_first_attempt:
        return case
    status = refused(case.decision.status, str(refusal), case.decision.last, now)
    return replace(case, decision=replace(case.decision, status=status), refusal=refusal)
