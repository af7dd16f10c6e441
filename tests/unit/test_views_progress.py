from __future__ import annotations

from reconciler.model.action import Progress
from reconciler.model.job import Phase
from reconciler.model.report import Report
from reconciler.views.progress_text import changed_lines, summary_line
from tests.support.reports import OPEN, a_row, a_waiting_row, with_cancel

ASKED = Report(rows=(with_cancel(a_waiting_row(receipts=(OPEN,)), progress=Progress.ACCEPTED), a_row("chat")))


def test_the_first_report_shows_only_requested_changes() -> None:
    assert changed_lines(None, ASKED) == ("support-triage: cancel accepted, not confirmed yet",)


def test_an_unchanged_report_adds_no_lines() -> None:
    assert changed_lines(ASKED, ASKED) == ()


def test_a_changed_phase_is_reported() -> None:
    moved = Report(rows=(ASKED.rows[0], a_row("chat", phase=Phase.PAUSED)))

    assert changed_lines(ASKED, moved) == ("chat: paused, AsDesired",)


def test_the_summary_of_a_report_is_one_short_line() -> None:
    assert summary_line(ASKED) == "1 as desired, 1 on the way; waiting for support-triage"
    assert summary_line(Report()) == "no jobs"
