from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.action import Progress
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.report import Refusal, Report
from reconciler.views.markdown import escaped
from reconciler.views.plan_markdown import plan_markdown
from reconciler.views.plan_text import SHADOW_TEXT
from reconciler.views.render_context import COMMENT_MAX
from reconciler.views.text import clean
from tests.support.references import BREAK, REFERENCES
from tests.support.reports import CONTEXT, a_row, a_stalled_row, a_waiting_row, with_cancel

parts = st.sampled_from(
    (
        *("#1", "acme/web#7", "GH-3", "gh-3", "GHSA-abcd-efgh-ijkm", "@ada", "@acme/web", "ada@0123abc", "TICKET-412"),
        *(
            "0123456789abcdef0123456789abcdef01234567",
            "deadbeef",
            "DEADBEEF",
            "1234567",
            "a@x.example",
            ":tada:",
            ":+1:",
        ),
        *("https://github.com/acme/web/issues/1", "www.x.example", "$x$", "::", "@@", "##", "-", " ", "\\", "<!-- -->"),
    )
)


def test_a_planned_change_is_a_table_row_with_its_reason() -> None:
    text = plan_markdown(Report(rows=(with_cancel(a_waiting_row(), why="too dear"), a_row("chat"))), CONTEXT)

    assert text.splitlines()[0] == "### Plan: 1 to cancel"
    assert (
        "| **cancel** to cancelled | **support-triage** | running | 5h15m | - | the spec wants it: too dear |" in text
    )
    assert "1 as desired." in text


def test_a_plan_in_shadow_mode_says_that_nothing_is_requested() -> None:
    text = plan_markdown(Report(rows=(with_cancel(a_waiting_row()),), is_shadow=True), CONTEXT)

    assert text.splitlines()[:3] == ["### Plan: 1 to cancel", "", SHADOW_TEXT]


def test_a_plan_that_changes_every_job_does_not_say_that_there_are_none() -> None:
    text = plan_markdown(Report(rows=(with_cancel(a_waiting_row()),)), CONTEXT)

    assert text.splitlines()[:3] == ["### Plan: 1 to cancel", "", "#### Changes"]
    assert plan_markdown(Report(), CONTEXT) == "### Plan: nothing to change\n\nNo jobs.\n"


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
        ("see #1, acme/web#7", "see #<!-- -->1, acme/web#<!-- -->7"),
        ("GH-3 gh-3", "GH-<!-- -->3 gh-<!-- -->3"),
        ("0123abc", "0123ab<!-- -->c"),
        (":tada: at 12:30", ":<!-- -->tada: at 12:30"),
        ("a $5 fee", "a \\$<!-- -->5 fee"),
        ("job-28 of run-7", "job-28 of run-7"),
    ],
)
def test_external_text_creates_no_markup_and_no_mentions(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize("jobs", [10, 250, 251, 2_000])
def test_a_comment_stays_within_its_size_limit_and_is_cut_between_rows(jobs: int) -> None:
    rows = tuple(with_cancel(a_waiting_row(name=f"job-{number:04}"), why="@" * 60) for number in range(jobs))
    text = plan_markdown(Report(rows=rows), CONTEXT)
    last = next(line for line in reversed(text.splitlines()) if "job-" in line)

    assert len(text) <= COMMENT_MAX
    assert last.endswith("|")
    assert ("_Cut after" in text) is (f"job-{jobs - 1:04}" not in text)


def test_diagnostics_and_refusals_come_before_stalled_jobs() -> None:
    found = Diagnostic(file="specs/a.yaml", line=7, message="is wrong")
    refused = with_cancel(a_waiting_row(), progress=Progress.REFUSED)
    text = plan_markdown(Report(rows=(refused, a_stalled_row("odd")), diagnostics=(found,)), CONTEXT)

    assert text.index("specs/a.yaml:<!-- -->7: is wrong") < text.index("Refused by the guard") < text.index("Stalled")


def test_a_refused_plan_has_the_number_in_its_title_and_shows_how_to_approve_it() -> None:
    refused = with_cancel(a_waiting_row(), progress=Progress.REFUSED)
    refusal = Refusal(
        scope="overall",
        requested=1,
        earlier=0,
        unfinished=1,
        max_cancels=0,
        max_cancel_percent=0,
        max_cancels_absolute=0,
        names=("support-triage",),
    )
    text = plan_markdown(Report(rows=(refused,), refusals=(refusal,)), CONTEXT)

    assert text.splitlines()[0] == "### Plan: 1 refused"
    assert "`--allow-cancels 1`" in text
    assert "`Approve-Cancels: 1`" in text


@given(st.lists(parts | st.text(max_size=3), max_size=10).map("".join))
def test_no_piece_of_escaped_text_is_a_reference_and_no_text_is_lost(text: str) -> None:
    pieces = [re.sub(r"\\([\\`*_\[\]<>|~$&])", r"\1", piece) for piece in escaped(text).split(BREAK)]

    assert [piece for piece in pieces if REFERENCES.search(piece)] == []
    assert "".join(pieces) == clean(text)
