"""One pass over one revision.

Rules: the order is snapshot, resolve, match, and then for each account by itself: look, decide, guard, intents,
requests, statuses; an account that hangs or fails delays and harms no other. In a watch an account may still be at work
when its pass ends. A later pass takes in what it found; until then nobody else touches its jobs, and it is held by the
guard, the settings and the specs of the newest pass, not of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.controller.account_worker import add_orphans, share_out, work
from reconciler.controller.build_report import Pass, PassResult, tally
from reconciler.controller.plan import Allowance, Ledger, Rules
from reconciler.controller.prune import Swept, forget_providers, sweep, tell_providers, write_all
from reconciler.controller.publish import publish
from reconciler.controller.runtime import Tools
from reconciler.controller.spec_resolver import Candidate, Known, resolve
from reconciler.controller.workers import Crew, Hurry
from reconciler.core.conditions import stalled
from reconciler.core.decide import is_suspended
from reconciler.core.finality import is_settled
from reconciler.core.guard import Approvals, Brakes
from reconciler.core.match import Claim, match
from reconciler.core.subject import INTERVAL
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Account, JobRef
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState
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
    crew: Crew = field(default_factory=Crew)
    rules: Rules = field(default_factory=Rules)
    """Of the newest pass."""
    interval: timedelta = INTERVAL
    """As the last Settings have it that could be read."""
    allowance: Allowance = field(default_factory=Allowance)


async def run_pass(
    tools: Tools,
    orders: Orders,
    memory: Memory,
    due: frozenset[JobRef] | None = None,
    *,
    by_content: bool = True,
    hurry: Hurry | None = None,
) -> PassResult:
    """Make one pass.

    Args:
        tools: the world.
        orders: what this run was asked to do.
        memory: of this process.
        due: the jobs to look at; None looks at all. A spec that changed is always looked at.
        by_content: whether every file is read; otherwise those that have not been touched are not.
        hurry: returns once the pass should end, and leave to themselves the accounts that have not finished; None
            waits for all.
    """
    crew, before = memory.crew, memory.rules
    earlier = crew.finished()
    snapshot = tools.specs.snapshot(by_content=by_content)
    edition = tools.publisher.edition if tools.publisher is not None else 0
    stored = _load(tools, by_content=by_content)
    resolved = resolve(snapshot, tools.environment, is_suspended=orders.is_suspended, known=memory.known)
    candidates = resolved.candidates
    if stored.too_new:
        candidates = tuple(each for each in candidates if not stored.is_left_alone(each.name, each.ref))
    claims = [Claim(key, each.name, each.source, each.ref) for key, each in enumerate(candidates)]
    matched = match(claims, stored.jobs, tools.clock.now().replace(microsecond=0), stored.lost_names)
    chosen = [key for key, each in enumerate(candidates) if orders.is_selected is None or orders.is_selected(each)]

    subjects = {each.subject.name: each.subject for key in chosen if (each := candidates[key]).subject}
    allowance = Allowance() if tools.control is None else memory.allowance
    ledger = _ledger(orders, allowance, snapshot, stored, candidates, matched.last, tools.clock.now())
    memory.interval = _interval(snapshot, memory.interval)
    may_ask = not snapshot.is_settings_broken and snapshot.distrust is None
    named = frozenset(each.ref for each in candidates if each.ref is not None)
    memory.rules = Rules(subjects, named, ledger, may_ask, _halt(snapshot), resolved.reaches)
    if due is not None:
        due |= {ref for run in earlier if run.surveyed for ref in run.surveyed.overtaken}
        due |= memory.rules.since(before)
    tasks = share_out(candidates, matched.last, chosen, orders.retry, due)
    if orders.is_selected is None and tools.control is not None:
        add_orphans(tasks, matched.orphans, resolved.reaches, tools.clock.now())
    for account, task in tasks.items():
        if account not in crew and crew.names.isdisjoint(task.names) and not tools.is_stopping():
            crew.begin(account, task.names, work(task, lambda: memory.rules, tools, edition), tools.clock.monotonic())
    runs = [*earlier, *await crew.gather(hurry)]
    stopped = _stop(candidates, matched.last, chosen, tools)
    swept = Swept()
    errors: tuple[str, ...] = ()
    if tools.control is not None:
        free = (each for each in _one_a_name(stopped, matched.last) if each.name not in crew.names)
        errors = write_all(free, tools)
        if orders.is_selected is None:
            swept = sweep(matched, snapshot, ledger.brakes, runs, crew.names, tools, may_remove=may_ask)
        if not tools.is_stopping():
            errors += tell_providers(runs, stored, memory.failures, tools)
        may_forget = may_ask and orders.is_selected is None and not snapshot.broken_files
        errors += forget_providers(stored, _open_accounts(candidates, matched.last), tools, may_remove=may_forget)
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
        interval=memory.interval,
        is_dry=tools.control is None,
        is_halted=not may_ask,
    )
    result = tally(found, tools.accounts.requests)
    if tools.publisher is None or tools.control is None or snapshot.distrust is not None:
        return result
    return await publish(result, tools.publisher)


def _ledger(
    orders: Orders,
    allowance: Allowance,
    snapshot: Snapshot,
    stored: StoredStatuses,
    candidates: tuple[Candidate, ...],
    last: Mapping[int, JobStatus],
    now: datetime,
) -> Ledger:
    """Return what the guard counts in a pass."""
    settings = snapshot.settings[0].document.spec if snapshot.settings else None
    brakes = orders.brakes.tightened(settings.safety) if settings else orders.brakes
    approvals = replace(orders.approvals, commits=snapshot.approvals)
    claimed = [(each.subject, last[key]) for key, each in enumerate(candidates) if each.subject and key in last]
    standing = {
        subject.name: str(subject.ref.account)
        for subject, status in claimed
        if status.ready.reason is Reason.REFUSED_BY_GUARD
        and subject.spec.desired_state is not DesiredState.OBSERVED
        and not is_suspended(subject, now)
    }
    statuses = tuple(status for _, status in claimed)
    return Ledger(brakes, approvals, stored.jobs, statuses, orders.pinned, allowance, standing)


def _interval(snapshot: Snapshot, before: timedelta) -> timedelta:
    """Return how often everything is looked at. Where not all could be read, Settings may be in what could not."""
    if snapshot.broken_files or snapshot.is_settings_broken:
        return before
    wanted = snapshot.settings[0].document.spec.interval if snapshot.settings else None
    return wanted or INTERVAL


def _load(tools: Tools, *, by_content: bool) -> StoredStatuses:
    """Return the statuses. Nobody else writes them while we hold the lock, but for a publisher that is overtaken."""
    if by_content or tools.publisher is not None:
        return tools.statuses.load(by_content=by_content)
    return tools.statuses.known()


def _open_accounts(candidates: tuple[Candidate, ...], last: Mapping[int, JobStatus]) -> Iterator[str]:
    """Yield the lines of the accounts of which something is still asked."""
    for key, each in enumerate(candidates):
        if each.subject is not None and not is_settled(last.get(key)):
            yield str(each.subject.ref.account)


def _halt(snapshot: Snapshot) -> str | None:
    """Return why nothing may be asked, if a person must mend that."""
    if snapshot.is_settings_broken:
        return "nothing is asked for any job until Settings are valid: run reconcile validate"
    # What only changed while it was read is no news: the next scan follows at once.
    return None if snapshot.is_torn else snapshot.distrust


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
