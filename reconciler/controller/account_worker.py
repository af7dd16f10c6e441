"""One account's part of a pass: look, decide, ask the guard, write the intents, act.

Rules: an account that hangs or fails delays and harms no other; it is held by the guard, the settings and the specs of
the newest pass, not of the one that it began in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from reconciler.controller.account_resolver import Reach
from reconciler.controller.build_report import AccountRun
from reconciler.controller.plan import Case, Pair, Rules, survey
from reconciler.controller.prune import look_at_orphans
from reconciler.controller.runtime import Tools, open_or_shut
from reconciler.controller.send_request import Done, Hands, carry_out
from reconciler.controller.spec_resolver import Candidate
from reconciler.core.decide import is_news
from reconciler.core.finality import is_settled
from reconciler.core.orphans import is_outliving
from reconciler.core.settle import halted
from reconciler.model.job import Account, JobRef
from reconciler.model.status import JobStatus


@dataclass(frozen=True, slots=True)
class Task:
    """What one account has to do in a pass."""

    reach: Reach
    pairs: list[Pair] = field(default_factory=list)
    resting: list[Pair] = field(default_factory=list)
    """The other specs, whose jobs have ended for good; a list may deny that."""
    orphans: list[JobStatus] = field(default_factory=list)
    """Statuses of deleted specs, with a request that is to be confirmed."""

    @property
    def names(self) -> set[str]:
        """The names that it is about."""
        return {subject.name for subject, _ in self.pairs} | {status.name for status in self.orphans}


def share_out(
    candidates: tuple[Candidate, ...],
    last: Mapping[int, JobStatus],
    chosen: list[int],
    retry: frozenset[str],
    due: AbstractSet[JobRef] | None,
) -> dict[Account, Task]:
    """Return what each account has to do.

    Args:
        candidates: every spec.
        last: the last statuses, by the candidates' positions.
        chosen: the positions that this run is about.
        retry: the names of the specs whose next attempt is due now.
        due: the jobs to look at; None looks at all.
    """
    tasks: dict[Account, Task] = {}
    resting: list[Pair] = []
    for key in chosen:
        subject, reach, before = candidates[key].subject, candidates[key].reach, last.get(key)
        if subject is None or reach is None:
            continue
        if due is None or subject.ref in due or is_news(subject, before):
            asked = replace(subject, is_retry=True) if subject.name in retry else subject
            tasks.setdefault(reach.account, Task(reach)).pairs.append((asked, before))
        elif is_settled(before):
            resting.append((subject, before))
    for subject, before in resting:
        if subject.ref.account in tasks:
            tasks[subject.ref.account].resting.append((subject, before))
    return tasks


def add_orphans(
    tasks: dict[Account, Task], orphans: Iterable[JobStatus], reaches: Mapping[str, Reach], now: datetime
) -> None:
    """Let the jobs of deleted specs be looked at, where a request is open and the account can still be reached."""
    for status in orphans:
        reach = reaches.get(status.job.account) if status.job and is_outliving(status, now) else None
        if reach is not None:
            tasks.setdefault(reach.account, Task(reach)).orphans.append(status)


async def work(task: Task, rules: Callable[[], Rules], tools: Tools, edition: int) -> AccountRun:
    """Do one account's part. The rules are read anew after each wait, for a later pass may have changed them."""
    reach, pairs = task.reach, task.pairs
    alias = pairs[0][0].spec.provider if pairs else reach.type.name
    reader = await open_or_shut(tools.accounts, reach)
    try:
        surveyed = await survey(reader, reach.account, pairs, task.resting, rules, tools.clock.now)
    except Exception as error:  # noqa: BLE001  a bug in one adapter must not stop the other accounts
        return AccountRun(reach, alias, None, error=f"{reach.account}: {type(error).__name__}: {error}")
    now = tools.clock.now().replace(microsecond=0)
    cases, latest = surveyed.cases, rules()
    if latest.halt is not None or not (latest.may_ask or tools.control is None):
        cases = tuple(_without_action(case, latest.halt, now) for case in cases)
    if tools.control is None:
        return AccountRun(reach, alias, surveyed, tuple(map(_undone, cases)))
    if tools.is_stopping():
        # A look that we broke off ourselves says nothing of the provider.
        cases = tuple(_without_action(case, None, now) for case in cases if case.unseen is None)
    done = await carry_out(
        cases,
        partial(tools.control, reach.account),
        Hands(
            tools.specs,
            tools.statuses,
            tools.clock.now,
            tools.publisher,
            tools.audit,
            edition,
            lambda subject: rules().may_act(subject),
        ),
    )
    orphans = {} if surveyed.unseen else await look_at_orphans(reader, reach, task.orphans)
    return AccountRun(reach, alias, surveyed, tuple(done), orphans=orphans)


def _undone(case: Case) -> Done:
    return Done(case, case.decision.status, case.decision.requeue)


def _without_action(case: Case, halt: str | None, now: datetime) -> Case:
    """Return a case in which nothing is asked for. With a halt, what was due is stalled: it would wait for ever."""
    decision = case.decision
    if halt is not None and decision.action is not None:
        decision = replace(decision, status=halted(decision.status, halt, decision.last, now))
    return replace(case, decision=replace(decision, action=None))
