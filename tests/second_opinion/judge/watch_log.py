"""The log of a watch: one line for each transition, and none for a poll.

README: a warning is one line, and its end is another one. If a line is repeated while nothing in the world changes, it
reports a transition that did not happen.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.second_opinion.command import Run
    from tests.second_opinion.session import Session


def judge(session: Session, run: Run) -> None:
    """Report a watch whose warning ends and begins again more often than the user edits."""
    if run.verb != "watch" or run.code is None:
        return
    lines = [json.loads(line) for line in run.err.splitlines() if line.startswith("{") and line.endswith("}")]
    over = Counter(line["message"] for line in lines if line["message"].startswith("resolved: "))
    edits = len(session.repository.during(run.began, run.ended)) - 1
    faults = sum(each.fault is not None for each in session.world.record.all()[run.first : run.last])
    for message, times in over.items():
        session.check("told-over", times <= 1 + edits + faults, f"{run}: {times} times {message}")
