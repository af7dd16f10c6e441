"""Build the result of a pass: the report with its exit codes, and the jobs to poll next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.controller.account_outcome import AccountOutcome, applied_by_name
from reconciler.controller.applied import Applied
from reconciler.controller.desired_specs import DesiredSpecs
from reconciler.controller.other_statuses import OtherStatuses
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.plan import AccountPlan, JobPlan
from reconciler.controller.report_exit_codes import exit_codes
from reconciler.controller.requeue import Requeue, requeues
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.controller.runtime import Runtime
from reconciler.controller.spec_row import row_of_spec
from reconciler.model.action import Action, Progress
from reconciler.model.job import Account, JobRef, Unobserved
from reconciler.model.report import AccountReport, Report, Row
from reconciler.model.status import JobStatus


@dataclass(frozen=True, slots=True)
class PassResult:
    """The result of one pass: its report, the jobs to poll next (`due`), and what the health of a watch needs."""

    report: Report
    due: tuple[Requeue, ...]
    looked: frozenset[str]
    """The names of the specs whose status this pass decided."""
    interval: timedelta
    """The poll interval."""
    is_halted: bool = False
    """Whether no change may be requested, because the Settings are invalid or the revision is not trusted."""
    wanted: frozenset[JobRef] = frozenset()
    """The jobs of selected specs that are not settled."""
    seen_at: Mapping[JobRef, datetime] = field(default_factory=dict)
    """For each job that was seen, when the observation that showed it began."""
    targets: Mapping[Account, ResolvedAccount] = field(default_factory=dict)
    """The accounts that the pass handled."""


def build_report(
    desired: DesiredSpecs,
    outcomes: Collection[AccountOutcome],
    others: OtherStatuses,
    errors: Iterable[str],
    memory: PassMemory,
    runtime: Runtime,
) -> PassResult:
    """Return the result of a pass.

    Args:
        desired: the revision.
        outcomes: the outcomes of the account workers that have finished.
        others: the statuses that no account worker handled.
        errors: further errors of the pass.
        memory: the state that this process keeps between passes.
        runtime: the accounts and the policy. In a dry run, `control` is None.
    """
    applied = applied_by_name(outcomes)
    plans = [each.plan for each in outcomes if each.plan]
    policy = runtime.policy
    is_dry = runtime.control is None
    rows = tuple(_rows(desired, others.blocked, applied, is_dry=is_dry))
    report = Report(
        rows=rows,
        accounts=tuple(_accounts(outcomes, memory.unobserved.accounts, runtime)),
        refusals=tuple(refusal for each in plans for refusal in each.refusals),
        unplanned=tuple(_unplanned(plans)),
        diagnostics=desired.diagnostics(policy),
        errors=(*desired.errors(policy), *others.errors, *errors, *_errors(outcomes, applied.values())),
        notices=(*desired.notices(policy), *others.notices),
        revision=desired.snapshot.revision,
        removed=others.removed,
        orphans=desired.new_orphans(),
        is_dry=is_dry,
        guard=memory.current.budget.uses(runtime.clock.now()) if is_dry else {},
        is_shadow=desired.is_shadow,
    )
    return PassResult(
        report=replace(report, exit_codes=exit_codes(report, desired.per_spec.row_bits.of(rows))),
        due=requeues(outcomes),
        looked=frozenset(applied) | {desired.specs[key].name for key in others.blocked},
        interval=memory.interval,
        is_halted=not desired.may_ask,
        wanted=desired.unfinished_here,
        seen_at=dict(_seen_at(plans)),
        targets={each.target.account: each.target for each in outcomes},
    )


def _errors(outcomes: Iterable[AccountOutcome], applied: Iterable[Applied]) -> Iterator[str]:
    """Yield the errors of account workers: bugs in reconcile or an adapter, and disk errors."""
    outcomes = list(outcomes)
    yield from (each.error for each in outcomes if each.error)
    yield from (error for each in outcomes if each.plan for error in each.plan.errors)
    yield from (error for each in applied for error in each.errors)


def _seen_at(plans: Iterable[AccountPlan]) -> Iterator[tuple[JobRef, datetime]]:
    for plan in plans:
        for case in plan.cases:
            if case.unobserved is None and plan.begun_at is not None:
                yield case.subject.ref, plan.begun_at


def _unplanned(plans: Iterable[AccountPlan]) -> Iterator[Action]:
    for each in plans:
        yield from (case.decision.action for case in each.cases if case.is_unplanned and case.decision.action)


def _rows(
    desired: DesiredSpecs, blocked: Mapping[int, JobStatus], applied: Mapping[str, Applied], *, is_dry: bool
) -> Iterator[Row]:
    """Yield a row for each selected spec that has a status, sorted as by `model.report.in_order`.

    A new spec does not have a status while its account's worker is still running, or if a bug prevented its first
    decision. The bug is reported as an error.
    """
    specs, last = desired.specs, desired.last
    handled = [key for key, each in enumerate(specs) if each.name in applied] if applied else ()
    own, untouched = {*blocked, *desired.unknown, *handled}, list(map(last.get, range(len(specs))))
    for key in own:
        untouched[key] = None
    rows = list(desired.per_spec.rows.of(specs, untouched))
    for key in own:
        rows[key] = _row_of_pass(key, desired, blocked, applied, is_dry=is_dry)
    order = desired.per_spec.order.of(specs)
    if not desired.is_whole:
        selected = set(desired.selected)
        order = [key for key in order if key in selected]
    return (row for key in order if (row := rows[key]) is not None)


def _row_of_pass(
    key: int,
    desired: DesiredSpecs,
    blocked: Mapping[int, JobStatus],
    applied: Mapping[str, Applied],
    *,
    is_dry: bool,
) -> Row | None:
    """Return the row of a spec that this pass has handled or blocked, or whose status is unknown."""
    spec, unknown = desired.specs[key], desired.unknown.get(key)
    one = applied.get(spec.name) if spec.subject and unknown is None else None
    if one is not None:
        return _row_of(spec, one, is_dry=is_dry)
    before = unknown or desired.last.get(key)
    status = blocked.get(key, before)
    return None if status is None else row_of_spec(spec, status, before)


def _row_of(spec: ResolvedSpec, one: Applied, *, is_dry: bool) -> Row:
    """Return the row of a spec that an account worker handled."""
    case, action = one.case, one.case.decision.action
    progress = one.answer.progress if one.answer else None
    if action is not None and progress is None:
        progress = _unsent(case, is_dry=is_dry)
    return row_of_spec(
        spec, one.status, case.last, action=action, progress=progress, seen=case.seen, unobserved=case.unobserved
    )


def _unsent(case: JobPlan, *, is_dry: bool) -> Progress:
    """Return the progress of a change for which no request was attempted."""
    if case.is_refused:
        return Progress.REFUSED
    return Progress.WITHHELD if case.is_withheld and not is_dry else Progress.PLANNED


def _accounts(
    outcomes: Iterable[AccountOutcome], standing: Mapping[Account, Unobserved], runtime: Runtime
) -> Iterable[AccountReport]:
    """Return a report for each account whose worker observed or decided jobs, or failed because of a bug.

    If an account has two outcomes, the later outcome is reported.
    """
    about_jobs = (each for each in outcomes if each.plan is None or each.plan.has_observed or each.plan.cases)
    return {each.target.account: _account(each, standing, runtime) for each in about_jobs}.values()


def _account(outcome: AccountOutcome, standing: Mapping[Account, Unobserved], runtime: Runtime) -> AccountReport:
    """Return the report of one account.

    If this outcome reports no failure of the account, an earlier failure that still hides a job is reported.
    """
    account, plan = outcome.target.account, outcome.plan
    unobserved = (plan.unobserved if plan else None) or standing.get(account)
    return AccountReport(
        name=outcome.alias,
        account=account,
        jobs=len(plan.cases) if plan else 0,
        requests=runtime.accounts.requests(account),
        has_observed=plan is not None and plan.has_observed,
        has_failed=plan is not None and plan.unobserved is not None,
        unobserved=unobserved,
    )
