"""What a watch logs: one line a transition, and none a poll.

README: what was warned of is a line, and that it is over another. A line that comes again and again, while nothing in
the world changes, tells of a transition that is none.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.second_opinion.command import Run
    from tests.second_opinion.session import Session


def judge(session: Session, run: Run) -> None:
    """Blame a watch that says that something is over, and warns of the same again, more often than the user edits."""
    if run.verb != "watch" or run.code is None:
        return
    lines = [json.loads(line) for line in run.err.splitlines() if line.startswith("{") and line.endswith("}")]
    over = Counter(line["message"] for line in lines if line["message"].startswith("resolved: "))
    edits = len(session.repository.during(run.began, run.ended)) - 1
    faults = sum(each.fault is not None for each in session.world.record.all()[run.first : run.last])
    for message, times in over.items():
        session.check("told-over", times <= 1 + edits + faults, f"{run}: {times} times {message}")
