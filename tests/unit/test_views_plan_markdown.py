from __future__ import annotations

import pytest

from reconciler.model.diagnostic import Diagnostic
from reconciler.model.report import Progress, Report
from reconciler.views.markdown import COMMENT_MAX, escaped
from reconciler.views.plan_markdown import plan_markdown
from tests.support.reports import NOW, a_row, a_stalled_row, a_waiting_row, with_cancel


def test_a_change_is_a_row_with_its_reason() -> None:
    text = plan_markdown(Report(rows=(with_cancel(a_waiting_row(), why="too dear"), a_row("chat"))), NOW)

    assert text.splitlines()[0] == "### Plan: 1 to cancel"
    assert (
        "| **cancel** to cancelled | **support-triage** | running | 5h15m | - | the spec wants it: too dear |" in text
    )
    assert "1 as desired." in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a | b", "a \\| b"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("@ada", "@<!-- -->ada"),
        ("[a](https://x)", "\\[a\\](https:<!-- -->//x)"),
        ("www.x.example", "www<!-- -->.x.example"),
        ("two\nlines", "two lines"),
        ("**bold** `code`", "\\*\\*bold\\*\\* \\`code\\`"),
    ],
)
def test_foreign_text_makes_no_markup_and_notifies_nobody(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize("jobs", [10, 250, 251, 2_000])
def test_a_comment_is_never_too_long_and_is_cut_between_rows(jobs: int) -> None:
    rows = tuple(with_cancel(a_waiting_row(name=f"job-{number:04}"), why="@" * 60) for number in range(jobs))
    text = plan_markdown(Report(rows=rows), NOW)
    last = next(line for line in reversed(text.splitlines()) if "job-" in line)

    assert len(text) <= COMMENT_MAX
    assert last.endswith("|")
    assert ("_This is cut here" in text) is (f"job-{jobs - 1:04}" not in text)


def test_what_is_wrong_comes_before_what_may_be_cut() -> None:
    found = Diagnostic(file="specs/a.yaml", line=7, message="is wrong")
    refused = with_cancel(a_waiting_row(), progress=Progress.REFUSED)
    text = plan_markdown(Report(rows=(refused, a_stalled_row("odd")), diagnostics=(found,)), NOW)

    assert text.index("specs/a.yaml:7: is wrong") < text.index("Refused: none of these") < text.index("Stalled")
