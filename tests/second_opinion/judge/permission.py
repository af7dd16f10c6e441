"""Each change must be permitted: a valid spec at that time names the job, and its desired state requires the change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.second_opinion.command import Run
from tests.second_opinion.dialects import PAUSES
from tests.second_opinion.request_log import Exchange
from tests.second_opinion.snapshot import Known

if TYPE_CHECKING:
    from tests.second_opinion.session import Session

GRACE = 3.0
"""Real seconds after an edit within which a running command may still act on the earlier specs."""


def judge(session: Session) -> None:
    """Report each change that no spec permits, or that its command, its filter or its plan does not allow."""
    exchanges = session.world.record.all()
    for index, each in enumerate(exchanges):
        if not each.change:
            continue
        runs = [run for run in session.runs if run.first <= index < run.last]
        makers = [run for run in runs if run.may_change]
        if not makers:
            session.blame("change-by-reader", f"{each} during {', '.join(map(str, runs)) or 'no command'}", each.at)
            continue
        if each.account is None or each.job is None or (each.account, each.job) not in session.world.jobs:
            session.blame("change-of-unknown", f"{each}: no such job", each.at)
            continue
        kind = next(account.type for account in session.accounts if account.name == each.account)
        session.check("cannot-pause", each.verb == "cancel" or kind in PAUSES, f"{each}: not on {kind}", each.at)
        _of_specs(session, index, each, min(run.began for run in makers))
        if len(makers) == 1:
            _of_command(session, each, makers[0])


def _of_specs(session: Session, index: int, each: Exchange, began: float) -> None:
    assert each.account is not None
    assert each.job is not None
    job = session.world.jobs[each.account, each.job]
    before = session.world.record.all()[:index]
    shown = [str(look.shown[each.job]) for look in before if each.job in look.shown and look.at >= began]
    started = any(word in ("running", "pausing", "paused", "succeeded") for word in shown)
    known = Known(job.created, started, session.is_on_time)
    begin = max(began, each.at - GRACE * session.clock.speed)
    snapshots = session.repository.during(begin, each.at)
    if not any(
        snapshot.permits(each.verb, each.account, each.job, each.at + session.off, known) for snapshot in snapshots
    ):
        wanted = [want.doc for want in snapshots[-1].wants() if want.doc.job == each.job]
        session.blame("unwanted-change", f"{each}: the specs request {wanted or 'nothing'}", each.at)


def _of_command(session: Session, each: Exchange, run: Run) -> None:
    docs = [doc for snapshot in session.repository.during(run.began, each.at) for _, doc in snapshot.jobs()]
    mine = [doc for doc in docs if doc.job == each.job]
    for selector in run.option("--selector"):
        label = tuple(selector.split("="))
        if not any(label in doc.labels for doc in mine):
            session.blame("change-outside-filter", f"{each}: {run}", each.at)
    for provider in run.option("--provider"):
        if not any(doc.provider == provider for doc in mine):
            session.blame("change-outside-filter", f"{each}: {run}", each.at)
    if run.verb == "retry" and not any(doc.name in run.args for doc in mine):
        session.blame("change-outside-filter", f"{each}: {run}", each.at)
    if run.option("--plan"):
        session.check("change-outside-plan", f'"{each.job}"' in run.plan, f"{each}: {run.plan}", each.at)
