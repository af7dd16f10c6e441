"""One pass over one revision.

Rules: the order is snapshot, resolve, match, and then for each account by itself: look, decide, guard, intents,
requests, statuses; an account that hangs or fails delays and harms no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

from reconciler.core.conditions import stalled
from reconciler.core.decide import is_news
from reconciler.core.guard import Approvals, Brakes, count_unfinished
from reconciler.core.match import Claim, match
from reconciler.core.subject import INTERVAL, Subject
from reconciler.loop.accounts import Tools, open_or_shut
from reconciler.loop.act import Done, Hands, carry_out
from reconciler.loop.publish import publish
from reconciler.loop.resolve import Candidate, Known, Reach, resolve
from reconciler.loop.survey import Case, Ledger, survey
from reconciler.loop.sweep import Swept, sweep, tell_providers, write_all
from reconciler.loop.tally import AccountRun, Pass, PassResult, tally
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Account, JobRef
from reconciler.model.pinned import PinnedPlan
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus
from reconciler.ports import Snapshot, StoredStatuses


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What this run was asked to do."""

    is_selected: Callable[[Candidate], bool] | None = None
    """None: everything. Under a filter nothing is removed."""
    brakes: Brakes = field(default_factory=Brakes)
    approvals: Approvals = field(default_factory=Approvals)
    pinned: PinnedPlan | None = None
    """The only changes that may be made; None allows all."""
    is_suspended: bool = False
    retry: frozenset[str] = frozenset()
    """The names of the specs whose next attempt is due now, because a person says so."""


@dataclass(slots=True)
class Memory:
    """What one process remembers between passes, and loses at a restart without harm."""

    failures: dict[Account, int] = field(default_factory=dict)
    known: Known = field(default_factory=Known)


Pair = tuple[Subject, JobStatus | None]


async def run_pass(
    tools: Tools, orders: Orders, memory: Memory, due: frozenset[JobRef] | None = None, *, by_content: bool = True
) -> PassResult:
    """Make one pass.

    Args:
        tools: the world.
        orders: what this run was asked to do.
        memory: of this process.
        due: the jobs to look at; None looks at all. A spec that changed is always looked at.
        by_content: whether every file is read; otherwise those that have not been touched are not.
    """
    snapshot = tools.specs.snapshot(by_content=by_content)
    stored = tools.statuses.load(by_content=by_content)
    resolved = resolve(snapshot, tools.environment, is_suspended=orders.is_suspended, known=memory.known)
    candidates = resolved.candidates
    if stored.too_new:
        candidates = tuple(each for each in candidates if _path(each) not in stored.too_new)
    claims = [Claim(key, each.name, each.source, each.ref) for key, each in enumerate(candidates)]
    matched = match(claims, stored.jobs, tools.clock.now().replace(microsecond=0))
    settings = snapshot.settings[0].document.spec if snapshot.settings else None
    brakes = orders.brakes.tightened(settings.safety) if settings else orders.brakes
    chosen = [key for key, each in enumerate(candidates) if orders.is_selected is None or orders.is_selected(each)]

    groups = _by_account(candidates, matched.last, chosen, orders, due)
    approvals = replace(orders.approvals, commits=snapshot.approvals)
    ledger = Ledger(brakes, approvals, stored.jobs, count_unfinished(stored.jobs), orders.pinned)
    may_ask = not snapshot.is_settings_broken and snapshot.distrust is None
    runs = await asyncio.gather(
        *(_run_account(reach, pairs, ledger, tools, may_ask=may_ask) for reach, pairs in groups.values())
    )
    stopped = _stop(candidates, matched.last, chosen, tools)
    swept = Swept()
    errors: tuple[str, ...] = ()
    if tools.control is not None:
        if orders.is_selected is None:
            swept = await sweep(matched, snapshot, brakes, _seen_reaches(resolved.reaches, runs), tools)
        errors = write_all(_one_a_name(stopped, matched.last), tools)
        if not tools.is_stopping():
            errors += tell_providers(runs, stored, memory.failures, tools)
    found = Pass(
        candidates=candidates,
        chosen=tuple(chosen),
        last=matched.last,
        runs=tuple(runs),
        stopped=stopped,
        diagnostics=(*snapshot.diagnostics, *resolved.diagnostics, *_too_new(stored, tools)),
        notices=(*_notices(snapshot, stored, tools), *swept.notices),
        errors=(*errors, *swept.errors),
        removed=swept.removed,
        revision=snapshot.revision,
        interval=settings.interval if settings and settings.interval else INTERVAL,
        is_dry=tools.control is None,
        is_halted=not may_ask,
    )
    result = tally(found, tools.accounts.requests)
    return result if tools.publisher is None or tools.control is None else await publish(result, tools.publisher)


def _path(candidate: Candidate) -> str:
    return str(PurePosixPath(candidate.source).parent / f"{candidate.name}.yaml")


def _by_account(
    candidates: tuple[Candidate, ...],
    last: Mapping[int, JobStatus],
    chosen: list[int],
    orders: Orders,
    due: frozenset[JobRef] | None,
) -> dict[Account, tuple[Reach, list[Pair]]]:
    groups: dict[Account, tuple[Reach, list[Pair]]] = {}
    for key in chosen:
        subject, reach, before = candidates[key].subject, candidates[key].reach, last.get(key)
        if subject is None or reach is None:
            continue
        if due is None or subject.ref in due or is_news(subject, before):
            asked = replace(subject, is_retry=subject.name in orders.retry)
            groups.setdefault(reach.account, (reach, []))[1].append((asked, before))
    return groups


async def _run_account(reach: Reach, pairs: list[Pair], ledger: Ledger, tools: Tools, *, may_ask: bool) -> AccountRun:
    alias = pairs[0][0].spec.provider
    reader = await open_or_shut(tools.accounts, reach)
    try:
        surveyed = await survey(reader, reach.account, pairs, ledger, tools.clock.now)
    except Exception as error:  # noqa: BLE001  a bug in one adapter must not stop the other accounts
        return AccountRun(reach, alias, None, error=f"{reach.account}: {type(error).__name__}: {error}")
    if tools.control is None:
        return AccountRun(reach, alias, surveyed, tuple(map(_undone, surveyed.cases)))
    cases = surveyed.cases if may_ask else tuple(map(_without_action, surveyed.cases))
    if tools.is_stopping():
        # A look that we broke off ourselves says nothing of the provider.
        cases = tuple(_without_action(case) for case in cases if case.unseen is None)
    done = await carry_out(
        cases,
        partial(tools.control, reach.account),
        Hands(tools.specs, tools.statuses, tools.clock.now, tools.publisher, tools.audit),
    )
    return AccountRun(reach, alias, surveyed, tuple(done))


def _undone(case: Case) -> Done:
    return Done(case, case.decision.status, case.decision.requeue)


def _without_action(case: Case) -> Case:
    return replace(case, decision=replace(case.decision, action=None))


def _stop(
    candidates: tuple[Candidate, ...], last: Mapping[int, JobStatus], chosen: list[int], tools: Tools
) -> dict[int, JobStatus]:
    """Return the statuses of the specs that cannot be acted on, by the candidates' keys."""
    now = tools.clock.now().replace(microsecond=0)
    return {
        key: stalled(each.name, each.source, last.get(key), problem.reason, problem.message, now)
        for key in chosen
        if (problem := (each := candidates[key]).problem) is not None
    }


def _seen_reaches(reaches: Mapping[str, Reach], runs: Iterable[AccountRun]) -> dict[str, Reach]:
    """Return the accounts that this pass could see: of any other, not even one job is believed to be gone."""
    unseen = {run.reach.account for run in runs if run.surveyed is None or run.surveyed.unseen is not None}
    return {line: reach for line, reach in reaches.items() if reach.account not in unseen}


def _one_a_name(stopped: Mapping[int, JobStatus], last: Mapping[int, JobStatus]) -> Iterable[JobStatus]:
    """Return one status for each name: two specs of one name have one file, which neither may take from the other."""
    by_name: dict[str, JobStatus] = {}
    for key in sorted(stopped, key=lambda key: key not in last):
        by_name.setdefault(stopped[key].name, stopped[key])
    return by_name.values()


def _notices(snapshot: Snapshot, stored: StoredStatuses, tools: Tools) -> tuple[str, ...]:
    distrust = () if snapshot.distrust is None else (f"{snapshot.distrust} ({Reason.REVISION_NOT_TRUSTED})",)
    doubtful = (
        f"{tools.environment.show_status(path)}: unreadable or edited by hand; it counts as none (StatusDiscarded)"
        for path in stored.discarded
    )
    return (*snapshot.notices, *distrust, *doubtful)


def _too_new(stored: StoredStatuses, tools: Tools) -> tuple[Diagnostic, ...]:
    return tuple(
        Diagnostic(
            file=tools.environment.show_status(path), message="written by a later version of reconcile; left alone"
        )
        for path in stored.too_new
    )
