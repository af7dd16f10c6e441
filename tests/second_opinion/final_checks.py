"""The end of a session: all faults end, the documents are repaired, time passes, and every due cancel must happen.

There are two phases. First, each job whose spec requests its cancel must be cancelled after a few passes. Then, passes
without changes of the specs must change nothing, neither at the provider nor in a file.
"""

from __future__ import annotations

from tests.second_opinion.due_cancels import due_cancels
from tests.second_opinion.judge.prior_observation import last_shown
from tests.second_opinion.session import Session

HOURS = 3600.0
SETTLE = ("--once", "--wait=10m", "--timeout=2m", "--allow-cancels=60", "--audit", "audit.jsonl")
QUIET = ("--once", "--timeout=2m", "--audit", "audit.jsonl")


def converge(session: Session) -> None:
    """End all faults, repair all documents, and make passes until no cancel is due or the time limit is reached."""
    session.troubles.end()
    session.world.takes = min(session.world.takes, 3.0)
    session.user.mend_all()
    session.note("the world is well, and the documents are mended")
    for wait in (60.0, 7 * HOURS, 7 * HOURS, 25 * HOURS):
        session.clock.skip(wait)
        session.note(f"{wait:.0f} s pass")
        session.reconcile(*SETTLE)
        if not due_cancels(session):
            break
    for want in due_cancels(session):
        word = session.world.jobs[want.account, want.doc.job].word(session.clock.now())
        session.blame("not-cancelled", f"{want.doc.name}: {want.doc.job} is still {word}")


def expect_no_change(session: Session) -> None:
    """Make passes without changes. From the second one on, no status file and no job may change."""
    session.reconcile(*QUIET)
    for _ in range(2):
        heads = session.repository.heads()
        before = {job: last_shown(session, *job) for job in session.world.jobs}
        run = session.reconcile(*QUIET)
        after = {job: last_shown(session, *job) for job in session.world.jobs}
        news = {job for job in before if before[job] != after[job]}
        asked = [each for each in session.world.record.all()[run.first : run.last] if each.change]
        changed = sorted(
            path for path in run.before.keys() | run.after.keys() if run.before.get(path) != run.after.get(path)
        )
        if news:
            continue
        if asked:
            session.blame("restless-change", f"no job changed, but it requested {asked[0]}")
        session.check("restless-commit", heads == session.repository.heads(), "no job changed, but it committed")
        if changed:
            session.blame("restless-bytes", f"no job changed, but it wrote {changed}")
        return
