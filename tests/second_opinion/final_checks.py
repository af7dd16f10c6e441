"""The end of a session: faults end, documents are mended, time passes, and then everything owed must have come.

Two phases. First what is owed: each job whose spec wants it cancelled is cancelled after a few passes. Then what
must not come: passes without news change nothing, neither at the provider nor in a file.
"""

from __future__ import annotations

from tests.second_opinion.due_cancels import due_cancels
from tests.second_opinion.judge.prior_observation import last_shown
from tests.second_opinion.session import Session

HOURS = 3600.0
SETTLE = ("--once", "--wait=10m", "--timeout=2m", "--allow-cancels=60", "--audit", "audit.jsonl")
QUIET = ("--once", "--timeout=2m", "--audit", "audit.jsonl")


def converge(session: Session) -> None:
    """End all faults, mend all documents, and make passes until all that is owed has come, or time has run out."""
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
    """Make passes without news: from the second on, no byte of a status and no job may change."""
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
            session.blame("restless-change", f"without news it asked again: {asked[0]}")
        session.check("restless-commit", heads == session.repository.heads(), "without news it made a commit")
        if changed:
            session.blame("restless-bytes", f"without news it changed {changed}")
        return
