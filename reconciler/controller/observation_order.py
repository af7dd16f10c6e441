"""The order in which the jobs of one account are observed: first the jobs that need a change, then all others.

Rules: if an account has many jobs, and only a few of them need a change, these few do not wait for the other jobs.
Before a change is requested, and before an accepted request is doubted, the job itself is retrieved. Its row in a list
is not enough, because lists may be outdated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from itertools import chain

from reconciler.controller.current_specs import CurrentSpecs
from reconciler.controller.observe import LISTED_ONLY, ObservationGoal, Observations, observe_jobs
from reconciler.controller.plan import AccountPlan, JobPlan, TrackedJob, decide_all, judge_all
from reconciler.controller.request_costs import RequestCosts
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.retrieves import retrieve, retrieve_some
from reconciler.core import limits
from reconciler.core.absence import known_before
from reconciler.core.decide import decide
from reconciler.core.facts import observation_from_status
from reconciler.core.finality import is_settled
from reconciler.core.shadow import is_reported
from reconciler.core.subject import Subject
from reconciler.core.unchanged import is_unchanged
from reconciler.model.job import UNFINISHED, Account, JobRef, Observed, Phase, Unobserved
from reconciler.model.spec import DesiredState
from reconciler.model.status import JobStatus, Verb
from reconciler.ports import JobReader


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationRequest:
    """The jobs to observe, and the results of earlier observations of them by this process."""

    target: ResolvedAccount
    costs: RequestCosts
    asked: Sequence[TrackedJob]
    """The jobs that this pass observes."""
    resting: Iterable[TrackedJob] = ()
    """The settled jobs of the account. They are decided again only if a list shows them in another phase."""
    is_part: bool = False
    """Whether the account has further jobs that this pass does not observe."""
    missed: frozenset[JobRef] = frozenset()
    """The jobs that their last observation requested but could not show. They are retrieved last."""
    doubted: frozenset[JobRef] = frozenset()
    """The jobs whose absence was doubted at the last observation."""
    absent: frozenset[JobRef] = frozenset()
    """The jobs for which the provider has already responded "not found" in this pass."""

    def without(self, refs: AbstractSet[JobRef]) -> ObservationRequest:
        """Return the request without these jobs."""
        return replace(self, asked=[pair for pair in self.asked if pair[0].ref not in refs])


@dataclass(frozen=True, slots=True)
class WantedJobs:
    """The result of retrieving the jobs that need a change before all others."""

    plan: AccountPlan | None = None
    """The plan for the jobs that were shown, or None if `observe_rest` should handle all jobs together."""
    absent: frozenset[JobRef] = frozenset()
    """The jobs for which the provider responded "not found". Whether that is believed depends on the other jobs."""


async def observe_wanted(
    reader: JobReader, request: ObservationRequest, rules: Callable[[], CurrentSpecs], now: Callable[[], datetime]
) -> WantedJobs:
    """Retrieve the jobs that need a change before all others, and return the plan for those that were shown.

    The plan is None if `observe_rest` should handle all jobs together. This is the case if no job needs a change, if
    the account has few jobs, if so many jobs need a change that a list is cheaper, or if none of them was shown. It is
    also the case if the guard refuses the changes: their share of the account is known only once all jobs are observed.
    """
    costs, moment = request.costs, now()
    urgent = [pair for pair in request.asked if is_change_expected(*pair, moment)]
    if not urgent or costs.prefers_list(len(urgent)) or costs.are_few(len(request.asked)):
        return WantedJobs()
    return await observe_urgent(reader, request.target.account, urgent, rules, now)


async def observe_urgent(
    reader: JobReader,
    account: Account,
    urgent: Sequence[TrackedJob],
    rules: Callable[[], CurrentSpecs],
    now: Callable[[], datetime],
) -> WantedJobs:
    """Retrieve jobs that need a change, and return the plan for those that were shown.

    The plan is None if none of them was shown, or if the guard refuses the changes.
    """
    begun_at = now()
    observed = await retrieve_some(reader, sorted(subject.ref for subject, _ in urgent))
    by_job = {ref: seen for ref, seen in observed.items() if seen.job is not None}
    plan = _provisional_plan(account, urgent, by_job, rules, now) if by_job else None
    absent = frozenset(observed.keys() - by_job.keys())
    return WantedJobs(None if plan is None or plan.refusals else replace(plan, begun_at=begun_at), absent)


def _provisional_plan(
    account: Account,
    urgent: Iterable[TrackedJob],
    by_job: Mapping[JobRef, Observed],
    rules: Callable[[], CurrentSpecs],
    now: Callable[[], datetime],
) -> AccountPlan:
    """Return the plan for the jobs that were observed.

    It is provisional, because the guard judges percentages of the account, and the other jobs are not observed yet.
    """
    pairs = [(subject, last) for subject, last in urgent if subject.ref in by_job]
    decided = decide_all(account, pairs, Observations(by_job), rules(), now())
    return judge_all(decided, rules(), now(), is_provisional=True)


def is_change_expected(subject: Subject, last: JobStatus | None, now: datetime) -> bool:
    """Return whether a job probably needs a change, judged by its spec and its last status."""
    if is_settled(last) or subject.is_suspended(now) or _was_reported(subject, last):
        return False
    job = observation_from_status(last) if last is not None else None
    if last is None or job is None:
        return subject.spec.desired_state in {DesiredState.CANCELLED, DesiredState.PAUSED}
    if _has_reached_limit(subject, last, now):
        return True
    # For an unchanged job, `decide` would return no action either, but it would also compute the next poll.
    if is_unchanged(subject, job, last):
        return False
    return decide(subject, Observed(job), last, now.replace(microsecond=0)).action is not None


def _was_reported(subject: Subject, last: JobStatus | None) -> bool:
    """Return whether shadow mode has reported the change. Only the first report is urgent, like a first request."""
    return subject.is_shadow and any(is_reported(last, verb) for verb in Verb)


def _has_reached_limit(subject: Subject, last: JobStatus, now: datetime) -> bool:
    """Return whether a job that was last seen unfinished has reached a limit by now."""
    if last.job is None or last.phase not in UNFINISHED:
        return False
    limit_at = limits.next_at(subject.spec.limits, last.job, last.phase)
    return limit_at is not None and limit_at <= now


async def observe_rest(
    reader: JobReader,
    request: ObservationRequest,
    rules: Callable[[], CurrentSpecs],
    now: Callable[[], datetime],
    *,
    has_witness: bool = False,
) -> AccountPlan:
    """Observe the jobs of one account, and return the plan for all of them.

    Args:
        reader: the account.
        request: the jobs to observe.
        rules: returns the specs of the newest pass, with the changes that may be requested.
        now: returns the current time.
        has_witness: whether this pass has already seen a job of the account.
    """
    account, begun, begun_at = request.target.account, rules(), now()
    wanted = [subject for subject, last in request.asked if not is_settled(last)]
    observations = Observations({})
    if wanted:
        line = str(account)
        aim = ObservationGoal(
            # Jobs that were missed last time come last, because too many failures end the retrieval.
            refs=sorted((each.ref for each in wanted), key=lambda ref: (ref in request.missed, ref)),
            before=cache(
                partial(
                    known_before,
                    account,
                    begun.budget.past.statuses,
                    now(),
                    doubted=request.doubted,
                    doubted_since=begun.suspect_since.get(line),
                )
            ),
            ended=partial(_ended, request),
            is_part=request.is_part,
            has_witness=has_witness,
            absent=request.absent,
        )
        observations = await observe_jobs(
            reader,
            aim,
            wanted[0].capabilities,
            request.costs,
            now().replace(microsecond=0),
            lambda: (latest := rules()) is not begun and any(ref.account == account for ref in latest.since(begun)),
        )
    # Finding the settled jobs takes a long time. Few of them are observed, and only after a list was read.
    others = observations.by_job.keys() - {each.ref for each in wanted}
    resting = [pair for pair in request.resting if pair[0].ref in others] if others else []
    decided = decide_all(account, [*request.asked, *resting], observations, rules(), now(), has_observed=bool(wanted))
    # Rows are confirmed before `judge_all`, because no response may be awaited between `judge_all` and the intents.
    cases = await confirm_rows(reader, decided.cases, now)
    plan = judge_all(replace(decided, cases=cases), rules(), now())
    return replace(plan, begun_at=begun_at, list_pages=observations.pages)


def _ended(request: ObservationRequest) -> dict[JobRef, Phase]:
    """Return the settled jobs, each with its terminal phase."""
    pairs = chain(request.asked, request.resting)
    return {subject.ref: last.phase for subject, last in pairs if last is not None and is_settled(last)}


async def confirm_rows(
    reader: JobReader, cases: tuple[JobPlan, ...], now: Callable[[], datetime]
) -> tuple[JobPlan, ...]:
    """Retrieve each job whose list row must not be trusted, and decide it again.

    Such a row contradicts a request that the provider accepted, or it is the only evidence for a change that shadow
    mode reports for the first time.
    """
    doubted = {case.subject.ref for case in cases if case.is_by_row and (_is_acceptance_denied(case) or _is_news(case))}
    return tuple([await confirm_row(reader, case, now) if case.subject.ref in doubted else case for case in cases])


def _is_news(case: JobPlan) -> bool:
    """Return whether shadow mode is about to report a change. A real request would retrieve the job first."""
    return case.is_withheld and case.decision.action is not None and case.decision.action.is_first_attempt


def _is_acceptance_denied(case: JobPlan) -> bool:
    status = case.decision.status
    is_open = status.open_receipt is not None and status.open_receipt.accepted_at is not None
    return is_open and case.decision.action is None and status.phase is not Phase.CANCELLING


async def confirm_row(reader: JobReader, case: JobPlan, now: Callable[[], datetime]) -> JobPlan:
    """Retrieve a job that only a list has shown so far, and return its plan with a new decision."""
    (shown,) = await retrieve(reader, [case.subject.ref])
    # The list shows the job, but the provider does not find it by its id. This does not prove that the job is gone.
    if shown == Observed(None):
        shown = LISTED_ONLY
    decision = decide(case.subject, shown, case.last, now().replace(microsecond=0))
    before = case.decision.action
    if decision.action is not None and (before is None or decision.action.verb is not before.verb):
        # The change budget has judged a different change, or none, so the new change must wait for the next pass.
        decision = replace(decision, action=None)
    if isinstance(shown, Unobserved):
        return replace(case, decision=decision, unobserved=shown, seen=None, is_by_row=False)
    return replace(case, decision=decision, seen=shown.job, is_by_row=False)
