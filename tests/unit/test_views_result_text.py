from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.action import Progress
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Report
from reconciler.views.layout import Canvas
from reconciler.views.render_context import RenderContext
from reconciler.views.result_text import ALL_REFUSED_TEXT, PROGRESS_TEXT, change_line, result_text
from tests.support.reports import CONFIRMED, NOW, OPEN, a_row, a_stalled_row, a_waiting_row, with_cancel

CANCELLED = a_row(phase=Phase.CANCELLED, reason=Reason.CANCELLED, receipts=(CONFIRMED,))


@pytest.mark.parametrize("progress", Progress)
def test_every_outcome_of_a_change_is_reported(progress: Progress) -> None:
    line = change_line(with_cancel(a_waiting_row(receipts=(OPEN,)), progress=progress))

    assert line is not None
    assert line.startswith(f"support-triage: cancel {PROGRESS_TEXT[progress]}")


def test_a_cancel_is_reported_as_confirmed_only_once_its_receipt_is_closed() -> None:
    waiting = with_cancel(a_waiting_row(receipts=(OPEN,)), progress=Progress.ACCEPTED)

    assert change_line(waiting) == "support-triage: cancel accepted, not confirmed yet"
    assert change_line(with_cancel(CANCELLED, progress=Progress.ACCEPTED)) == (
        "support-triage: cancel accepted, confirmed cancelled"
    )


def test_the_confirmation_of_an_earlier_request_is_reported_once() -> None:
    open_before = replace(CANCELLED, before=a_waiting_row(receipts=(OPEN,)).status)
    closed_before = replace(CANCELLED, before=CANCELLED.status)

    assert change_line(open_before) == "support-triage: cancel requested earlier, confirmed cancelled"
    assert change_line(closed_before) is None


def test_a_rejected_request_is_reported_with_the_providers_message() -> None:
    row = with_cancel(a_stalled_row("chat", message="no such\x07 job"), progress=Progress.REJECTED)

    assert change_line(row) == r"chat: cancel was rejected by the provider: no such\x07 job"


def test_many_refusals_are_reported_in_one_line_and_listed_in_the_table() -> None:
    rows = [with_cancel(a_stalled_row(f"sweep-{number}"), progress=Progress.REFUSED) for number in range(7)]
    text = result_text(Report(rows=tuple(rows)), RenderContext(Canvas(120), NOW))

    assert text.startswith(f"sweep-0, sweep-1, sweep-2, sweep-3, sweep-4 and 2 more: {ALL_REFUSED_TEXT}\n\nNAME")
    assert text.count("was refused") == 0
    assert all(f"\nsweep-{number} " in text for number in range(7))


def test_a_result_lists_changes_then_jobs_then_the_summary() -> None:
    rows = (with_cancel(CANCELLED, progress=Progress.ACCEPTED), a_row("chat"), a_stalled_row("old-run"))
    lines = result_text(Report(rows=rows, removed=("gone",)), RenderContext(Canvas(120), NOW)).splitlines()

    assert lines[0] == "support-triage: cancel accepted, confirmed cancelled"
    assert [line.split()[0] for line in lines[2:6]] == ["NAME", "support-triage", "chat", "old-run"]
    assert lines[-3] == "Removed the status of 1 deleted spec: gone"
    assert lines[-1] == "Requested: 1 cancel. Now: 2 as desired; 1 stalled."


def test_a_stalled_job_is_reported_with_its_reason_and_advice() -> None:
    lines = result_text(Report(rows=(a_stalled_row("old-run"),)), RenderContext(Canvas(120), NOW)).splitlines()

    assert lines[3:5] == ["Stalled: manual action is needed", "  old-run  JobNotFound  look for a typo"]


def test_a_long_result_contains_only_the_number_of_jobs_that_are_as_desired() -> None:
    rows = (*(a_row(f"job-{number:03}") for number in range(300)), a_stalled_row("old-run"))
    text = result_text(Report(rows=rows), RenderContext(Canvas(120), NOW))

    assert "old-run" in text
    assert "job-" not in text
    assert "and 300 jobs as desired: `reconcile get` lists them all" in text
