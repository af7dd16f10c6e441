"""What a commit of statuses says of itself."""

from __future__ import annotations

from dataclasses import replace

from reconciler.controller.publish import LINES_MAX, commit_message
from reconciler.model.action import Progress
from reconciler.model.report import Report
from tests.support.reports import a_row, a_stalled_row, a_waiting_row, with_cancel

NEWS = [replace(each, before=None) for each in (a_row("chat"), a_stalled_row("odd"), a_waiting_row("runaway"))]


def test_what_was_asked_for_comes_first_and_then_what_a_person_must_see_to() -> None:
    chat, odd, runaway = NEWS
    asked = with_cancel(runaway, progress=Progress.ACCEPTED)
    lines = commit_message(Report(rows=(chat, odd, asked), removed=("old",), revision="4be1f0c" * 6)).splitlines()

    assert lines[0] == "reconcile: runaway: cancel accepted, running (CancelPending), and 3 more"
    assert [line.partition(":")[0] for line in lines[2:6]] == ["runaway", "odd", "chat", "old"]
    assert lines[-1] == "from the specs at 4be1f0c4be1f"


def test_what_is_no_news_and_what_others_overtook_is_not_told() -> None:
    chat, odd, runaway = NEWS
    overtaken = with_cancel(runaway, progress=Progress.OVERTAKEN)
    report = Report(rows=(chat, replace(odd, before=odd.status), overtaken))

    assert commit_message(report) == "reconcile: chat: running (AsDesired)\n\nchat: running (AsDesired)"
    assert commit_message(Report()) == "reconcile: statuses"


def test_a_message_does_not_grow_without_bound() -> None:
    rows = tuple(replace(a_row(f"job-{number}"), before=None) for number in range(LINES_MAX + 50))
    lines = commit_message(Report(rows=rows)).splitlines()

    assert lines[0].endswith(f", and {LINES_MAX + 49} more")
    assert lines[-1] == "and 50 more"
