from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.model.job import Phase
from reconciler.model.kind import BATCH
from reconciler.model.reason import Reason
from reconciler.model.report import Report
from reconciler.model.status import ConditionType
from reconciler.views.layout import Canvas
from reconciler.views.render_context import RenderContext
from reconciler.views.status_table import get_text, get_wide
from tests.support.reports import CONTEXT, NOW, a_counted_batch, a_row, a_stalled_row

LONG = "the provider does not know this id and never did: look for a typo, or for a wrong account"
ROWS = (
    a_row("chat-v2"),
    a_row("summaries", phase=Phase.SUCCEEDED, reason=Reason.SUCCEEDED),
    a_stalled_row("a-name-that-is-rather-long", message=LONG),
)


def test_each_job_is_one_line_of_the_status_table() -> None:
    text = get_text(Report(rows=ROWS[:2]), RenderContext(Canvas(120), NOW))

    assert text.splitlines() == [
        "NAME       PROVIDER  WANTED   PHASE      READY  REASON     AGE",
        "chat-v2    openai    running  running    True   AsDesired  5h15m",
        "summaries  openai    running  succeeded  True   Succeeded  5h15m",
    ]


def test_a_wide_table_names_the_kinds_if_there_are_several() -> None:
    batch = replace(ROWS[1], status=replace(ROWS[1].status, kind=BATCH))
    one, both = (get_wide(Report(rows=rows), CONTEXT).splitlines() for rows in (ROWS[:2], (ROWS[0], batch)))

    assert "KIND" not in one[0]
    assert both[0].split()[:3] == ["NAME", "PROVIDER", "KIND"]
    assert [line.split()[2] for line in both[1:]] == ["FineTuningJob", "BatchJob"]


def test_a_narrow_terminal_shows_fewer_columns_and_wraps_no_line() -> None:
    text = get_text(Report(rows=ROWS), RenderContext(Canvas(66), NOW))

    assert text.splitlines()[0].split() == ["NAME", "WANTED", "PHASE", "READY", "REASON"]
    assert len(text.splitlines()) == 1 + len(ROWS)


def test_the_wide_output_adds_the_job_id_account_source_and_message() -> None:
    title, *lines = get_wide(Report(rows=ROWS), CONTEXT).splitlines()

    assert title.split()[7:] == ["JOB", "ID", "ACCOUNT", "SOURCE", "MESSAGE"]
    assert "ftjob-chat-v2" in lines[0]
    assert lines[2].endswith(LONG)


def test_the_wide_output_shows_the_observed_counters_of_a_batch() -> None:
    title, line = get_wide(Report(rows=(a_counted_batch(done=7, tokens=12_345),)), CONTEXT).splitlines()

    assert title.split()[7:9] == ["TOKENS", "REQUESTS"]
    assert "12,345  7 of 10 done" in line


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("show", [get_text, get_wide])
def test_a_status_table_fits_the_terminal_and_contains_every_job(
    width: int, show: Callable[[Report, RenderContext], str]
) -> None:
    text = show(Report(rows=ROWS), RenderContext(Canvas(width), NOW))

    assert max(map(len, text.splitlines())) <= width
    assert all(row.name in text for row in ROWS)


def test_a_long_message_is_wrapped_in_its_own_column() -> None:
    lines = get_wide(Report(rows=ROWS), RenderContext(Canvas(90), NOW)).splitlines()
    column = lines[0].index("MESSAGE")
    said = [line[column:] for line in lines[3:]]

    assert " ".join(said) == LONG
    assert len(said) > 1


def test_an_unobserved_job_is_not_shown_as_ready() -> None:
    text = get_text(Report(rows=(a_row(unobserved="no answer"),)), CONTEXT)

    assert "Unknown  CannotObserveProvider" in text


def test_a_status_of_an_older_spec_is_shown_as_out_of_date() -> None:
    row = a_row(reason=Reason.OUT_OF_DATE, also=ConditionType.RECONCILING, unobserved="the spec has changed")
    text = get_text(Report(rows=(row,)), CONTEXT)

    assert "False  OutOfDate" in text


def test_without_jobs_the_status_table_is_one_message() -> None:
    assert get_text(Report(rows=()), CONTEXT) == "No jobs found: no spec declares one, or the options select none.\n"
