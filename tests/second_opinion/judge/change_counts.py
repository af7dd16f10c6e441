"""How often a change is requested: once, and again after each response that was lost or refused, or had no effect.

Also the guard: in an hour at most 30 % of the unfinished jobs, at least 3, and at most 20.
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.second_opinion.judge.phase_words import UNDONE
from tests.second_opinion.request_log import Exchange

if TYPE_CHECKING:
    from tests.second_opinion.session import Session

HOUR = 3600.0


def judge(session: Session) -> None:
    """Report each change that was requested too often or too soon, and each hour with too many changes."""
    groups: dict[tuple[str | None, str | None], list[tuple[int, Exchange]]] = defaultdict(list)
    for index, each in enumerate(session.world.record.all()):
        if each.change:
            groups[each.account, each.job].append((index, each))
    for changes in groups.values():
        for (before, first), (after, second) in pairwise(changes):
            if first.verb == second.verb and not _excused(session, before, first, after):
                what = f"{second} repeats {first}, which was accepted, and no observation showed it without effect"
                session.blame("asked-again", what, second.at)
        _patience(session, [each for _, each in changes if each.verb == "cancel" and each.clean])
    _guard(session)


def _excused(session: Session, before: int, first: Exchange, after: int) -> bool:
    """Return whether a repeat had a reason: an unclear response, an observation without effect, or a killed process."""
    if not first.clean:
        return True
    between = session.world.record.all()[before + 1 : after]
    if any(each.shown.get(first.job or "") in UNDONE[first.verb] for each in between if not each.change):
        return True
    return any(run.first <= before < run.last and (run.killed or run.code is None) for run in session.runs)


def _patience(session: Session, accepted: list[Exchange]) -> None:
    """Report a job with too many accepted cancels within six hours.

    Five are allowed, and one more for each retry, edit or damaged status.
    """
    for first in accepted:
        hours = [each for each in accepted if first.at <= each.at < first.at + 6 * HOUR - 60]
        retries = sum(run.verb == "retry" and first.at <= run.began <= hours[-1].at for run in session.runs)
        edits = len(session.repository.during(first.at, hours[-1].at)) - 1
        damages = sum(first.at <= each.at <= hours[-1].at for each in session.damages)
        if len(hours) > 5 + retries + edits + damages:
            what = f"{first.job} got {len(hours)} accepted cancels within six hours"
            session.blame("impatient", what, hours[-1].at)


def _guard(session: Session) -> None:
    """Report an hour with too many first requests. A change that was allowed once is not counted again."""
    firsts: dict[tuple[str | None, str | None, str], Exchange] = {}
    for each in session.world.record.changes():
        firsts.setdefault((each.account, each.job, each.verb), each)
    changes = sorted(firsts.values(), key=lambda each: each.at)
    for account in [None, *(each.name for each in session.accounts)]:
        mine = [each for each in changes if account in (None, each.account)]
        for last in mine:
            hour = [each for each in mine if last.at - HOUR < each.at <= last.at]
            if len(hour) > _limit(session, account, last.at):
                session.blame("guard", f"{len(hour)} changes of {account or 'all accounts'} in an hour", last.at)


def _limit(session: Session, account: str | None, moment: float) -> int:
    """Return the maximum number of changes in the hour up to `moment`, including those that a user approved."""
    jobs = [job for (owner, _), job in session.world.jobs.items() if account in (None, owner)]
    unfinished = [job for job in jobs if not job.ended(max(job.created, moment - HOUR))]
    share = max(3, math.ceil(0.3 * len(unfinished)))
    allowed = sum(
        int(value)
        for run in session.runs
        if run.began <= moment and run.ended > moment - HOUR
        for value in run.option("--allow-cancels") + run.option("--max-cancels")
    )
    allowed += sum(
        len(run.option("--allow-cancel")) for run in session.runs if run.began <= moment and run.ended > moment - HOUR
    )
    allowed += sum(number for when, number in session.approvals if moment - 25 * HOUR < when <= moment)
    snapshots = session.repository.during(moment - HOUR, moment)
    caps = [
        min([dict(doc.safety).get("maxCancelsAbsolute", 20) for doc in each.settings()] or [20]) for each in snapshots
    ]
    return min(share, max(caps)) + allowed
