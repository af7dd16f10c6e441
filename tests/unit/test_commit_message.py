"""The message of a commit of statuses."""

from __future__ import annotations

from dataclasses import replace

from reconciler.controller.publish import LINES_MAX, commit_message
from reconciler.model.action import Progress
from reconciler.model.report import Report
from tests.support.reports import a_row, a_stalled_row, a_waiting_row, with_cancel

NEWS = [replace(each, before=None) for each in (a_row("chat"), a_stalled_row("odd"), a_waiting_row("runaway"))]


def test_a_commit_message_starts_with_the_requests_followed_by_stalled_jobs() -> None:
    chat, odd, runaway = NEWS
    asked = with_cancel(runaway, progress=Progress.ACCEPTED)
    lines = commit_message(Report(rows=(chat, odd, asked), removed=("old",), revision="4be1f0c" * 6)).splitlines()

    assert lines[0] == "reconcile: runaway: cancel accepted, running (CancelPending), and 3 more"
    assert [line.partition(":")[0] for line in lines[2:6]] == ["runaway", "odd", "chat", "old"]
    assert lines[-1] == "from the specs at 4be1f0c4be1f"


def test_a_commit_message_omits_unchanged_and_overtaken_jobs() -> None:
    chat, odd, runaway = NEWS
    overtaken = with_cancel(runaway, progress=Progress.OVERTAKEN)
    report = Report(rows=(chat, replace(odd, before=odd.status), overtaken))

    assert commit_message(report) == "reconcile: chat: running (AsDesired)\n\nchat: running (AsDesired)"
    assert commit_message(Report()) == "reconcile: statuses"


def test_a_commit_message_has_a_limited_number_of_lines() -> None:
    rows = tuple(replace(a_row(f"job-{number}"), before=None) for number in range(LINES_MAX + 50))
    lines = commit_message(Report(rows=rows)).splitlines()

    assert lines[0].endswith(f", and {LINES_MAX + 49} more")
    assert lines[-1] == "and 50 more"
