from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.ci.github_text import SUMMARY_MAX
from reconciler.model.action import Progress
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.reason import Reason
from reconciler.model.report import Report
from reconciler.views.markdown import bytes_of, escaped, fitted
from reconciler.views.render_context import SizeLimit
from reconciler.views.result_markdown import result_markdown, validation_markdown
from tests.support.reports import CONTEXT, a_row, a_stalled_row, a_waiting_row, with_cancel


def test_a_result_contains_the_requested_changes_and_the_state_of_each_job() -> None:
    done = with_cancel(a_waiting_row(), progress=Progress.ACCEPTED)
    text = result_markdown(Report(rows=(done, a_row("chat"))), CONTEXT)

    assert text.startswith("### Requested: 1 cancel\n\nNow: 1 as desired; 1 on the way.")
    assert "- support-triage: cancel accepted, not confirmed yet" in text
    assert "| chat | running | running | True | AsDesired | 5h15m |" in text


def test_the_result_of_shadow_mode_says_so_first() -> None:
    withheld = with_cancel(a_row(reason=Reason.WOULD_CANCEL), progress=Progress.WITHHELD)
    text = result_markdown(Report(rows=(withheld, a_row("chat")), is_shadow=True), CONTEXT)

    assert text.startswith(
        "### Shadow mode, nothing requested. Withheld: 1 to cancel\n\nNow: 1 as desired; 1 withheld."
    )
    assert "- support-triage: cancel would be requested: shadow mode withholds it" in text


def test_a_result_says_which_changes_wait_for_a_window() -> None:
    message = "the next one opens at 2026-12-01T07:00:00Z"
    waiting = a_row(reason=Reason.OUTSIDE_WINDOW, message=message)
    withheld = with_cancel(a_row("shadowed", reason=Reason.WOULD_CANCEL), progress=Progress.WITHHELD)
    text = result_markdown(Report(rows=(waiting, withheld)), CONTEXT)

    assert f"| **support-triage** | OutsideWindow | {escaped(message)} |" in text
    assert "| **shadowed** | WouldCancel |" not in text


def test_provider_text_creates_no_markup_in_a_result() -> None:
    text = result_markdown(Report(rows=(a_stalled_row("odd", message="<img src=x>\n# | @ada"),)), CONTEXT)

    assert "| **odd** | JobNotFound | \\<img src=x\\> # \\| @<!-- -->ada |" in text


def test_a_validation_in_markdown_lists_its_diagnostics() -> None:
    found = Diagnostic(file="specs/a.yaml", line=7, message="is wrong")

    assert validation_markdown(Report(diagnostics=(found,)), CONTEXT).splitlines() == [
        "### Validation: 1 error, 0 warnings",
        "",
        "#### Problems",
        "",
        "- error: specs/a.yaml:<!-- -->7: is wrong",
    ]


def test_a_summary_of_many_jobs_stays_within_its_size_limit() -> None:
    rows = tuple(a_stalled_row(f"job-{number}", message="長い話" * 100) for number in range(2000))
    text = result_markdown(Report(rows=rows), replace(CONTEXT, size_limit=SizeLimit(SUMMARY_MAX, bytes_of)))

    assert SUMMARY_MAX - 2_000 < len(text.encode()) <= SUMMARY_MAX
    assert "_Cut after " in text


@pytest.mark.parametrize("most", [160, 161, 200, 1_000])
def test_a_text_is_cut_only_between_lines(most: int) -> None:
    lines = [f"line {number}" for number in range(1_000)]
    text = fitted(lines, SizeLimit(most), "plan")
    kept = [line for line in text.splitlines() if line.startswith("line")]

    assert len(text) <= most
    assert kept == lines[: len(kept)]
    assert f"after {len(kept):,} of 1,000 lines" in text
