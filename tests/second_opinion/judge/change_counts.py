"""How often a change is asked for: once, and once more for each answer that left it open, refused it or broke its word.

Also the guard: in an hour no more changes than 30 % of the unfinished jobs (but 3 always), and 20 at most.
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
    """Blame each change that was asked for too often or too soon, and each hour with too many."""
    groups: dict[tuple[str | None, str | None], list[tuple[int, Exchange]]] = defaultdict(list)
    for index, each in enumerate(session.world.record.all()):
        if each.change:
            groups[each.account, each.job].append((index, each))
    for changes in groups.values():
        for (before, first), (after, second) in pairwise(changes):
            if first.verb == second.verb and not _excused(session, before, first, after):
                session.blame("asked-again", f"{second}: {first} was clean, and no look showed otherwise", second.at)
        _patience(session, [each for _, each in changes if each.verb == "cancel" and each.clean])
    _guard(session)


def _excused(session: Session, before: int, first: Exchange, after: int) -> bool:
    """Say whether there was a reason to ask again: an unclear answer, a look that showed it undone, or a death."""
    if not first.clean:
        return True
    between = session.world.record.all()[before + 1 : after]
    if any(each.shown.get(first.job or "") in UNDONE[first.verb] for each in between if not each.change):
        return True
    return any(run.first <= before < run.last and (run.killed or run.code is None) for run in session.runs)


def _patience(session: Session, accepted: list[Exchange]) -> None:
    """Blame more than five accepted cancels within six hours, but for those that a person wanted by retry or edit."""
    for first in accepted:
        hours = [each for each in accepted if first.at <= each.at < first.at + 6 * HOUR - 60]
        retries = sum(run.verb == "retry" and first.at <= run.began <= hours[-1].at for run in session.runs)
        edits = len(session.repository.during(first.at, hours[-1].at)) - 1
        damages = sum(first.at <= each.at <= hours[-1].at for each in session.damages)
        if len(hours) > 5 + retries + edits + damages:
            session.blame(
                "impatient", f"{first.job} was asked to stop {len(hours)} times within six hours", hours[-1].at
            )


def _guard(session: Session) -> None:
    """Blame an hour with too many first requests. A change that was let through once is not counted again."""
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
    """Return the most changes that the documents allow in the hour up to `moment`, with what a person let pass."""
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
