from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model.job import JobCounts, JobError, Phase
from reconciler.model.job_log import JobCheckpoint, JobEvent
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.status import HistoryEntry
from reconciler.views.describe_text import JobDescription, describe_text
from reconciler.views.layout import Canvas
from reconciler.views.render_context import RenderContext
from tests.support.build import a_spec
from tests.support.reports import CONFIRMED, CONTEXT, NOW, a_row, a_stalled_row, a_waiting_row

LONG = "the provider does not know this id and never did: look for a typo, or for a wrong account"
ROWS = (a_row("chat"), a_waiting_row(receipts=(CONFIRMED,)), a_stalled_row("odd", message=LONG))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_description_fits_the_width_and_contains_the_complete_message(row: Row, width: int) -> None:
    text = describe_text(JobDescription(row, a_spec(row.name, reason=LONG), ()), RenderContext(Canvas(width), NOW))

    assert max(map(len, text.splitlines())) <= width
    assert LONG in " ".join(text.split())


def test_the_history_of_a_job_is_in_chronological_order_for_all_sources() -> None:
    event = JobEvent(NOW - timedelta(minutes=12), "warn", "loss is \x1b[31mhigh")
    checkpoint = JobCheckpoint(NOW - timedelta(minutes=11), 1200, "ft:gpt-4o-mini:ckpt-step-1200")
    row = a_waiting_row(receipts=(CONFIRMED,))
    text = describe_text(JobDescription(row, a_spec(), (event, checkpoint)), CONTEXT)
    told = [line.split()[2:] for line in text.split("History (UTC)\n")[1].splitlines()]

    assert [" ".join(words) for words in told] == [
        "provider created",
        "observed first observed running, or the provider's start time",
        "requested cancel, the spec wants it",
        "log warn loss is \\x1b[31mhigh",
        "checkpoint step 1,200: ft:gpt-4o-mini:ckpt-step-1200",
        "requested cancel again, 2 times in all",
        "provider cancel accepted",
        "confirmed cancel: the job was observed cancelled",
    ]


def test_describe_shows_a_terminal_phase_as_final_unless_it_is_doubted() -> None:
    row = a_row("chat", phase=Phase.CANCELLED)
    ended = replace(row, status=replace(row.status, final=True))
    doubted = replace(row, status=replace(ended.status, doubted_at=NOW))

    assert "cancelled, final" in describe_text(JobDescription(ended, a_spec(), ()), CONTEXT)
    assert "cancelled, in doubt since 2026-11-23" in describe_text(JobDescription(doubted, a_spec(), ()), CONTEXT)


def test_causes_precede_effects_of_the_same_second_in_the_history() -> None:
    row = a_waiting_row(receipts=(replace(CONFIRMED, requested_at=NOW, accepted_at=NOW, attempts=1),))
    assert row.status.job is not None
    job = replace(row.status.job, started_at=NOW, finished_at=NOW)
    history = (
        HistoryEntry(NOW, Phase.CANCELLED, Reason.CANCELLED),
        HistoryEntry(NOW, Phase.RUNNING, Reason.CANCEL_PENDING),
    )
    row = replace(row, status=replace(row.status, job=job, history=history))
    text = describe_text(JobDescription(row, a_spec(), ()), CONTEXT)
    told = [line.split()[2:] for line in text.split("History (UTC)\n")[1].splitlines()]

    assert [" ".join(words) for words in told] == [
        "provider created",
        "requested cancel, the spec wants it",
        "provider cancel accepted",
        "observed running, CancelPending",
        "provider finished",
        "confirmed cancel: the job was observed cancelled",
        "observed cancelled, Cancelled",
    ]


def test_changes_of_the_phase_within_a_second_are_shown_in_their_order() -> None:
    history = tuple(
        HistoryEntry(NOW, phase, Reason.CANCEL_PENDING) for phase in (Phase.CANCELLING, Phase.RUNNING, Phase.QUEUED)
    )
    row = a_row("chat")
    text = describe_text(JobDescription(replace(row, status=replace(row.status, history=history)), None, ()), CONTEXT)
    told = [line.split()[3:] for line in text.splitlines() if "CancelPending" in line]

    assert told == [[f"{phase},", "CancelPending"] for phase in ("queued", "running", "cancelling")]


@pytest.mark.parametrize(
    ("counts", "error", "lines"),
    [
        (JobCounts(100, 23, 0), None, ["requests 23 of 100 done"]),
        (JobCounts(100, 23, 7), None, ["requests 23 of 100 done, 7 failed"]),
        (JobCounts(100, None, 7), None, []),
        (None, JobError("expired", "expired: none done"), ["error expired: none done"]),
        (None, JobError("bad_line", "line 7 is not JSON"), ["error bad_line: line 7 is not JSON"]),
        (None, JobError("bad_line", None), ["error bad_line"]),
        (None, JobError(None, "bad_line: 7"), ["error bad_line: 7"]),
    ],
)
def test_describe_shows_the_requests_and_the_error_of_a_batch_once(
    counts: JobCounts | None, error: JobError | None, lines: list[str]
) -> None:
    row = a_row("batch")
    assert row.status.job is not None
    job = replace(row.status.job, counts=counts, error=error)
    text = describe_text(JobDescription(replace(row, status=replace(row.status, job=job)), None, ()), CONTEXT)
    told = [" ".join(line.split()) for line in text.splitlines()]

    assert [line for line in told if line.startswith(("requests ", "error "))] == lines


def test_describe_shows_the_limits_and_the_suspension_of_a_spec() -> None:
    spec = a_spec(
        limits={"maxAge": "24h", "notAfter": "2026-12-01T00:00:00Z"},
        suspend={"reason": "incident 7", "until": "2026-11-25T08:00:00Z"},
    )
    text = describe_text(JobDescription(a_row(), spec, ()), CONTEXT)

    assert "limits    maxAge 1d, notAfter 2026-12-01T00:00:00Z" in text
    assert "suspend   until 2026-11-25 08:00 UTC: incident 7" in text
