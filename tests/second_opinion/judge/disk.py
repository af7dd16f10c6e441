"""A disk whose statuses cannot be read: an unknown status is not treated as a missing one.

CHANGELOG: the job is not changed, no file is overwritten, the guard refuses changes that it cannot count, and the exit
code is 70.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.second_opinion.command import Run
    from tests.second_opinion.session import Session

ALL_THE_TIME = 60.0


def judge(session: Session, run: Run) -> None:
    """Report a pass that requested a change or overwrote a status while, from start to end, it could read no status."""
    statuses = {path: data for path, data in run.before.items() if path.startswith("status/")}
    if run.disk < ALL_THE_TIME or run.killed or not statuses or session.remote.has_own_branch:
        return
    written = sorted(path for path, data in statuses.items() if run.after.get(path) != data)
    session.check("disk-overwritten", not written, f"{run}: overwrote {written}")
    asked = [each for each in session.world.record.all()[run.first : run.last] if each.change]
    session.check("disk-asked", not asked, f"{run}: requested {asked}")
    session.check("disk-code", run.code == 70, f"{run}: {run.err[-600:]}")
