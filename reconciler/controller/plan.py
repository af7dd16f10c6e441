"""Plan one account: decide about each job from its observation, then apply the change budget. No request is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.controller.current_specs import CurrentSpecs
from reconciler.controller.observe import Observations
from reconciler.core.cancel_cost import sunk_cost
from reconciler.core.change_budget import Judged
from reconciler.core.conditions import stalled
from reconciler.core.decide import Decision, decide
from reconciler.core.facts import observation_from_status
from reconciler.core.past_attempts import PlannedChange
from reconciler.core.schedule import estimated_finish
from reconciler.core.settle import refused
from reconciler.core.shadow import is_reported, withheld
from reconciler.core.subject import Subject
from reconciler.errors import bug
from reconciler.model.action import Action
from reconciler.model.job import UNFINISHED, Account, JobRef, Observation, Observed, ObservedJob, Unobserved
from reconciler.model.money import Cost
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.reason import Reason
from reconciler.model.report import Refusal
from reconciler.model.status import JobStatus, Verb

TrackedJob = tuple[Subject, JobStatus | None]
"""A spec, and the last status of its job."""


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One spec with its last status and the decision about its job."""

    subject: Subject
    last: JobStatus | None
    """The last status of the job, or None if there is none."""
    decision: Decision
    unobserved: Unobserved | None = None
    """Why the job could not be observed, or None."""
    refusal: Refusal | None = None
    """The guard's refusal of the batch that contains the action, or None if the guard did not refuse it."""
    is_unplanned: bool = False
    """Whether a pinned plan is given and does not contain the action."""
    approved_by: str | None = None
    """The label of the approval, or None if the action is not approved."""
    is_counted: bool = False
    """Whether the change budget counts the action as a first attempt. If so, the journal records it."""
    seen: ObservedJob | None = None
    """The job as it was observed; None if it is absent or unobserved."""
    sunk_cost: Cost | None = None
    """What the job has cost, as the guard judged it, or None if the action is no cancel."""
    is_by_row: bool = False
    """Whether only a list has shown the job. A list may be outdated."""

    @property
    def finish_at(self) -> datetime | None:
        """The provider's estimate of when the job will finish; None if it gives none or the job was not seen."""
        return estimated_finish(Observed(self.seen))

    @property
    def is_withheld(self) -> bool:
        """Whether shadow mode withholds the action. It is then not requested."""
        return self.subject.is_shadow and self.decision.action is not None

    @property
    def is_refused(self) -> bool:
        """Whether the guard refused the action, or a pinned plan lacks it. It is then not requested."""
        return self.refusal is not None or self.is_unplanned


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """The decisions about the jobs of one account."""

    account: Account
    cases: tuple[JobPlan, ...]
    unobserved: Unobserved | None
    """Why the account or its list could not be observed, or why absences are doubted; None otherwise."""
    refusals: tuple[Refusal, ...]
    errors: tuple[str, ...]
    """A message for each bug in reconcile or an adapter."""
    overtaken: tuple[JobRef, ...] = ()
    """The jobs whose observation is discarded, because their spec changed or their observation was cut short."""
    has_observed: bool = True
    """Whether there was an unsettled job to observe."""
    begun_at: datetime | None = None
    """When the observation began; None in a plan that is not complete yet.

    Reports use this as the time at which every job of the plan was seen.
    """
    list_pages: int = 0
    """How many pages of the account's list were read."""

    @property
    def is_blind(self) -> bool:
        """Whether the account is unobserved and none of its jobs was seen."""
        return self.unobserved is not None and all(case.unobserved is not None for case in self.cases)

    def __add__(self, later: AccountPlan) -> AccountPlan:
        """Return the jobs, refusals and errors of this plan and a later plan of the account as one plan.

        `begun_at` is that of this plan. `list_pages`, and why the account is unobserved, are those of `later`.
        """
        return AccountPlan(
            self.account,
            (*self.cases, *later.cases),
            later.unobserved,
            (*self.refusals, *later.refusals),
            (*self.errors, *later.errors),
            (*self.overtaken, *later.overtaken),
            later.has_observed or self.has_observed,
            self.begun_at,
            later.list_pages,
        )


def decide_all(
    account: Account,
    pairs: list[TrackedJob],
    observations: Observations,
    latest: CurrentSpecs,
    now: datetime,
    *,
    has_observed: bool = True,
) -> AccountPlan:
    """Return the decisions about the jobs of these specs. The change budget has not judged them yet.

    A job is left out, in `overtaken`, if its observation was cut short or its spec changed in the meantime.

    Args:
        account: the account.
        pairs: the specs, each with the last status of its job.
        observations: what was observed.
        latest: the specs of the newest pass.
        now: the current time.
        has_observed: whether there was an unsettled job to observe.
    """
    # Statuses have whole seconds. A finer time would make unchanged statuses differ.
    moment = now.replace(microsecond=0)
    left = frozenset(observations.left)
    overtaken = tuple(subject.ref for subject, _ in pairs if subject.ref in left or not latest.hold(subject))
    pairs = [pair for pair in pairs if pair[0].ref not in overtaken] if overtaken else pairs
    twins = _twins(observations.by_job, latest)
    cases, errors = [], []
    for subject, last in pairs:
        try:
            cases.append(_decided(subject, last, observations, twins.get(subject.ref), moment))
        except Exception as error:  # noqa: BLE001  a bug in one decision must not prevent the others
            errors.append(f"{subject.name}: {bug(error)}")
    if observations.unobserved is not None and observations.unobserved.is_defect:
        errors.append(f"{account}: {observations.unobserved.message}")
    else:
        errors += defects(cases)
    return AccountPlan(account, tuple(cases), observations.unobserved, (), tuple(errors), overtaken, has_observed)


def judge_all(plan: AccountPlan, latest: CurrentSpecs, now: datetime, *, is_provisional: bool = False) -> AccountPlan:
    """Return the plan after the change budget has judged it. Refused actions are marked.

    Between this call and the writing of the intents, the worker may await only the publisher's lock. If a pass computes
    its budget meanwhile, that budget counts these changes as unwritten (`ChangeBudget.unwritten`).

    Args:
        plan: the decisions.
        latest: the change budget and the pinned plan of the newest pass.
        now: the current time.
        is_provisional: whether the whole account is planned again afterwards, so that refusals need not be recorded.
    """
    moment = now.replace(microsecond=0)
    cases, refusals = judge(latest, plan.account, plan.cases, moment, is_provisional=is_provisional)
    return replace(plan, cases=tuple(cases), refusals=refusals)


def _decided(
    subject: Subject, last: JobStatus | None, observations: Observations, twin: str | None, now: datetime
) -> JobPlan:
    """Return the plan for one job. If a settled job was not observed, the decision is based on its last status.

    `twin` is another id by which a spec names the same job, or None.
    """
    seen = observations.by_job.get(subject.ref) or Observed(observation_from_status(last) if last else None)
    decision = decide(subject, seen, last, now) if twin is None else _twice_named(subject, twin, last, now)
    if isinstance(seen, Unobserved):
        return JobPlan(subject, last, decision, seen)
    return JobPlan(subject, last, decision, seen=seen.job, is_by_row=subject.ref in observations.by_row)


def defects(cases: Iterable[JobPlan]) -> list[str]:
    """Return a message for each job that could not be observed because of a bug."""
    return [
        f"{each.subject.name}: {each.unobserved.message}"
        for each in cases
        if each.unobserved and each.unobserved.is_defect
    ]


def _twins(by_job: Mapping[JobRef, Observation], rules: CurrentSpecs) -> dict[JobRef, str]:
    """Return the jobs that two specs name by different ids, each with its other id.

    A job may have several ids, and only an observation shows that two ids belong to the same job.
    """
    return {
        ref: job_id
        for ref, seen in by_job.items()
        if isinstance(seen, Observed) and seen.job is not None
        for job_id in (seen.job.id, *seen.job.aliases)
        if job_id != ref.id and (target := rules.targets.get(str(ref.account))) and target.key(job_id) in rules.named
    }


def _twice_named(subject: Subject, other: str, last: JobStatus | None, now: datetime) -> Decision:
    message = f"another spec names this job too, as {other}; remove one of the two specs"
    status = stalled(subject.name, subject.source, last, Reason.DUPLICATE_JOB, message, now, subject.kind)
    return Decision(status, None, subject.interval)


def judge(
    rules: CurrentSpecs, account: Account, cases: Iterable[JobPlan], now: datetime, *, is_provisional: bool = False
) -> tuple[list[JobPlan], tuple[Refusal, ...]]:
    """Return the job plans of one account after the change budget has judged them, and the refusals.

    With `is_provisional`, some jobs of the account are not observed yet, so the budget does not record a refusal.
    Approved changes of a refused batch are then refused too.
    """
    cases = [
        replace(case, is_unplanned=True) if _is_unplanned(rules.pinned, case.decision.action) else case
        for case in cases
    ]
    cases = [_with_sunk_cost(case, now) for case in cases]
    changes = [_change(case) for case in cases]
    judged = rules.budget.judge(str(account), changes, now, is_provisional=is_provisional)
    concerned = judged.approved.keys() | judged.counted
    marked = [
        replace(
            case, approved_by=judged.approved.get(case.subject.name), is_counted=case.subject.name in judged.counted
        )
        if case.subject.name in concerned
        else case
        for case in cases
    ]
    return [_withhold(_refuse(case, judged, now), now) for case in marked], judged.refusals


def _with_sunk_cost(case: JobPlan, now: datetime) -> JobPlan:
    action = case.decision.action
    if action is None:
        return case
    return replace(case, sunk_cost=sunk_cost(case.subject, action.verb, case.decision.status, case.seen, now))


def _change(case: JobPlan) -> PlannedChange:
    """Return a job plan in the form that the change budget judges."""
    action = case.decision.action
    return PlannedChange(
        name=case.subject.name,
        ref=action.ref if action else case.subject.ref,
        verb=action.verb if action else None,
        is_first=action is not None and action.is_first_attempt,
        is_unplanned=case.is_unplanned,
        receipts=case.last.receipts if case.last else (),
        is_unfinished=None if case.unobserved is not None else _is_unfinished(case),
        sunk_cost=case.sunk_cost,
    )


def _is_unfinished(case: JobPlan) -> bool:
    """Return whether a job counts as unfinished. In shadow mode, a reported cancel counts as an end of the job."""
    is_over = case.subject.is_shadow and is_reported(case.last, Verb.CANCEL)
    return case.decision.status.phase in UNFINISHED and not is_over


def _is_unplanned(pinned: PinnedPlan | None, action: Action | None) -> bool:
    return action is not None and pinned is not None and not pinned.allows(action)


def _refuse(case: JobPlan, judged: Judged, now: datetime) -> JobPlan:
    if case.subject.name not in judged.refused:
        return case
    refusal = judged.refusal_of(case.subject.name)
    last = case.decision.last
    message = refusal.message_after(last.ready.message if last is not None else None)
    status = refused(case.decision.status, message, last, now)
    return replace(case, decision=replace(case.decision, status=status), refusal=refusal)


def _withhold(case: JobPlan, now: datetime) -> JobPlan:
    """Return a job plan that reports its change if shadow mode withholds it and the guard would allow it."""
    decision, action = case.decision, case.decision.action
    if action is None or case.is_refused or not case.is_withheld:
        return case
    return replace(case, decision=replace(decision, status=withheld(decision.status, action, decision.last, now)))
