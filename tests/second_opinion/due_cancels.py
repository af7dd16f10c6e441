"""The due cancels at a given time: jobs that a spec certainly requests to cancel, and that are unfinished."""

from __future__ import annotations

from tests.second_opinion.jobs import ENDED
from tests.second_opinion.session import Session
from tests.second_opinion.snapshot import Known, Want


def due_cancels(session: Session, only: str | None = None) -> list[Want]:
    """Return the specs whose job should have been cancelled and is unfinished, or only those of the given job."""
    now, snapshot = session.clock.now(), session.repository.now
    if snapshot.held_back():
        return []
    found = []
    for want in snapshot.wants():
        if only not in (None, want.doc.job):
            continue
        job = session.world.jobs.get((want.account, want.doc.job))
        if job is None or job.is_gone(now) or job.word(now) in ENDED:
            continue
        if want.must_end(now + session.off, Known(job.created, job.started(now), session.is_on_time)):
            found.append(want)
    return found
