"""The worker of one account: observe its jobs, decide, check the change budget, write the intents, send the requests.

Rules: an account that hangs or fails does not delay other accounts. A worker obeys the specs, the Settings and the
change budget of the newest pass, not those of the pass that started it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.applied import Applied, ApplyContext
from reconciler.controller.apply import apply_plan
from reconciler.controller.assign_work import Work
from reconciler.controller.current_specs import CurrentSpecs
from reconciler.controller.observation_order import ObservationRequest, observe_rest, observe_urgent, observe_wanted
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.plan import AccountPlan, JobPlan
from reconciler.controller.prune import observe_orphans
from reconciler.controller.request_costs import RequestCosts
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.runtime import Runtime, open_or_unavailable
from reconciler.controller.spans import in_account_span
from reconciler.controller.unobserved import UnobservedTracker
from reconciler.core.settle import halted
from reconciler.errors import bug
from reconciler.model.account_line import titled
from reconciler.model.action_record import ObservationEnded, ObservationStarted
from reconciler.model.job import Account, JobRef


def start_workers(
    work: Mapping[Account, Work], runtime: Runtime, memory: PassMemory, edition: int, overdue: Collection[JobRef] = ()
) -> frozenset[JobRef]:
    """Start a worker for each account with work, and return the jobs that the next pass must observe instead.

    An account is skipped if it has a running worker, or if a running worker still handles one of its specs. Its jobs
    are returned. If the account has a running worker itself, only those of its jobs that are in `overdue` are returned.
    Once the process is stopping, no worker is started. `edition` is the publisher's edition when the statuses were
    read.
    """
    workers, skipped = memory.workers, set[JobRef]()
    for account, each in work.items():
        # The rate is set even if no worker is started, because a new limit also applies to a running worker.
        runtime.accounts.apply_rate(each.target)
        # If a spec has moved to another account, the worker of its old account may still be handling it.
        if account not in workers and workers.names.isdisjoint(each.names) and not runtime.is_stopping():
            # `memory.current` is passed as a function, because the worker must see the specs of later passes.
            pages = memory.list_pages.get(account, 1)
            run = partial(run_account, each, lambda: memory.current, runtime, edition, memory.unobserved, pages)
            running = in_account_span(runtime, account, len(each.pairs), run)
            workers.begin(account, each.names, running, runtime.clock.monotonic())
        else:
            refs = {subject.ref for subject, _ in each.pairs}
            skipped |= refs.intersection(overdue) if account in workers else refs
    return frozenset(skipped)


async def run_account(
    task: Work,
    rules: Callable[[], CurrentSpecs],
    runtime: Runtime,
    edition: int,
    unobserved: UnobservedTracker,
    list_pages: int = 1,
) -> AccountOutcome:
    """Handle one account in two steps: first the jobs that need a change, then all others.

    An exception is reported as the `error` of the returned outcome, which also contains what was applied before it.
    `rules` returns the specs of the newest pass. It is called after each wait, because a later pass may have begun.
    `edition` is the publisher's edition when the statuses were read, `unobserved` contains the failures of earlier
    passes, and `list_pages` is the number of pages of the account's last list.
    """
    target, pairs = task.target, task.pairs
    run = AccountOutcome(target, pairs[0][0].spec.provider if pairs else target.type.name, None)
    title = titled(run.alias, target.account.kind)
    runtime.notify(ObservationStarted(account=target.account, name=title, jobs=len(pairs)))
    try:
        reader = await open_or_unavailable(runtime.accounts, target)
        request = ObservationRequest(
            target=target,
            costs=RequestCosts(partial(runtime.accounts.rate, target), list_pages),
            asked=pairs,
            resting=task.resting,
            is_part=task.is_part,
            missed=unobserved.requested_in_vain(),
            doubted=unobserved.doubted(),
        )
        wanted = await observe_wanted(reader, request, rules, runtime.clock.now)
        request, urgent = replace(request, absent=wanted.absent), wanted.plan
        if urgent is not None:
            run = replace(run, plan=urgent, done=await apply_decisions(urgent, target, rules, runtime, edition))
            # These jobs were observed and decided, so this pass does not observe them again.
            request = request.without({case.subject.ref for case in urgent.cases})
        rest = await observe_rest(reader, request, rules, runtime.clock.now, has_witness=urgent is not None)
        if runtime.is_stopping() and rest.unobserved is not None:
            # This process stopped the observation, so the failure says nothing about the provider.
            rest = replace(rest, unobserved=None, has_observed=False)
        whole = rest if urgent is None else urgent + rest
        wrong, has_observed = unobserved.after(whole), rest.has_observed
        ended = ObservationEnded(account=target.account, name=title, unobserved=wrong, has_observed=has_observed)
        runtime.notify(ended)
        run = replace(
            run,
            plan=whole,
            done=(*run.done, *await apply_decisions(rest, target, rules, runtime, edition)),
        )
        # If no job of the account could be observed, requests for its orphans would fail too.
        if runtime.control is not None and not rest.is_blind:
            orphans = await observe_orphans(
                reader, target, task.orphans, are_absences_doubted=rest.unobserved is not None
            )
            run = replace(run, orphans=orphans)
    except Exception as error:  # noqa: BLE001  a bug in one adapter must not stop the other accounts
        runtime.notify(ObservationEnded(account=target.account, name=title, has_observed=False))
        run = replace(run, error=f"{target.account}: {bug(error)}")
    return run


async def run_edited(task: Work, rules: Callable[[], CurrentSpecs], runtime: Runtime, edition: int) -> AccountOutcome:
    """Request the changes of edited specs of one account before the next pass.

    Only jobs that the provider shows, and only changes that the guard allows, are handled. The other jobs are
    `overtaken` in the plan of the outcome, so that the next pass observes them. The arguments and the handling of
    exceptions are those of `run_account`.
    """
    target, asked = task.target, tuple(subject.ref for subject, _ in task.pairs)
    nothing = AccountPlan(target.account, (), None, (), (), asked, has_observed=False)
    run = AccountOutcome(target, task.pairs[0][0].spec.provider, nothing)
    try:
        reader = await open_or_unavailable(runtime.accounts, target)
        plan = (await observe_urgent(reader, target.account, task.pairs, rules, runtime.clock.now)).plan
        if plan is not None:
            decided = {case.subject.ref for case in plan.cases}
            run = replace(run, plan=replace(plan, overtaken=tuple(ref for ref in asked if ref not in decided)))
            run = replace(run, done=await apply_decisions(plan, target, rules, runtime, edition))
    except Exception as error:  # noqa: BLE001  a bug in one adapter must not stop the watch
        run = replace(run, error=f"{target.account}: {bug(error)}")
    return run


async def apply_decisions(
    plan: AccountPlan,
    target: ResolvedAccount,
    rules: Callable[[], CurrentSpecs],
    runtime: Runtime,
    edition: int,
) -> tuple[Applied, ...]:
    """Apply the decisions of a plan, and return the results.

    If the newest pass does not allow changes, only statuses are written. In a dry run, nothing is written or sent.
    """
    now = runtime.clock.now().replace(microsecond=0)
    cases, latest = plan.cases, rules()
    if latest.halt is not None or not (latest.may_ask or runtime.control is None):
        cases = tuple(_without_action(case, latest.halt, now) for case in cases)
    if runtime.control is None:
        latest.budget.written(str(target.account))
        return tuple(map(_undone, cases))
    if runtime.is_stopping():
        # A job may be unobserved only because this process is stopping. That must not be written to its status.
        cases = tuple(_without_action(case, None, now) for case in cases if case.unobserved is None)
    line = str(target.account)
    context = ApplyContext(
        runtime.specs,
        runtime.statuses,
        runtime.clock.now,
        runtime.publisher,
        runtime.audit,
        edition,
        latest.is_sharded,
        holds=lambda subject: rules().may_act(subject),
        written=lambda: rules().budget.written(line),
        withdrawn=lambda batch: rules().budget.withdrawn(line, batch),
        intents=runtime.intents,
        notify=runtime.notify,
        journal=runtime.journal,
    )
    done = await apply_plan(cases, partial(runtime.control, target.account), context)
    return tuple(done)


def _undone(case: JobPlan) -> Applied:
    return Applied(case, case.decision.status, case.decision.requeue)


def _without_action(case: JobPlan, halt: str | None, now: datetime) -> JobPlan:
    """Return a job plan without its action.

    If `halt` is given and there was an action, the status becomes `Stalled`, because a person must act.
    """
    decision = case.decision
    if halt is not None and decision.action is not None:
        decision = replace(decision, status=halted(decision.status, halt, decision.last, now))
    return replace(case, decision=replace(decision, action=None))
