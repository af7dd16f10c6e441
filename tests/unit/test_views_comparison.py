from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reconciler.model.action import Progress
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.spec import DesiredState
from reconciler.views.comparison_text import Comparisons, diff_json, diff_text
from reconciler.views.layout import Canvas
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import is_drifting
from tests.support.build import a_job, a_spec
from tests.support.reports import CONTEXT, NOW, a_row, a_stalled_row, a_suspended_row, with_cancel


def observed(row: Row, *, recorded: Phase | None = Phase.RUNNING) -> Row:
    """Return the row as observed now, after a status with the phase `recorded`; None means that there is no status."""
    row = replace(row, seen=a_job(id="ftjob-chat", phase=row.status.phase))
    if recorded is None or row.status.job is None:
        return row
    return replace(
        row, before=replace(row.status, phase=recorded, job=replace(row.status.job, provider_status=recorded))
    )


DUE = with_cancel(observed(a_row("chat")))
ENDED = observed(a_row("ended", phase=Phase.SUCCEEDED))
SAME = observed(a_row("same"))
SUSPENDED = replace(observed(a_suspended_row("held")), wanted=DesiredState.CANCELLED)
WITHHELD = with_cancel(
    observed(a_row("shadowed", reason=Reason.WOULD_CANCEL, message="shadow mode: the cancel is not requested"))
)
REFUSED = with_cancel(observed(a_stalled_row("many", Reason.REFUSED_BY_GUARD, "too many")), progress=Progress.REFUSED)
ABSENT = a_stalled_row("typo")
AWAY = a_row("away", unobserved="cannot connect")
BROKEN = replace(a_stalled_row("broken", Reason.INVALID_SPEC, "not valid"), wanted=None, ref=None)


def shown(row: Row) -> dict[str, list[str]]:
    """Return the marks and values of each fact in the table of a row, by its label."""
    lines = diff_text(Comparisons([row], is_complete=True), RenderContext(Canvas(400), NOW)).splitlines()
    titles = lines[1]
    starts = [0, *(titles.index(each) for each in ("FACT", "WANTED", "RECORDED", "LIVE"))]
    ends = [*starts[1:], None]
    cells = ([line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in lines[2:-1])
    return {fact: [mark, *values] for mark, fact, *values in cells}


def conclusion(row: Row) -> str:
    return diff_text(Comparisons([row], is_complete=True), CONTEXT).splitlines()[-1]


def test_the_phase_of_a_job_that_differs_from_its_spec_is_marked() -> None:
    assert shown(DUE)["phase"] == ["!", "cancelled", "running", "running"]
    assert shown(SAME)["phase"] == ["", "running", "running", "running"]
    assert shown(ENDED)["phase"] == ["~", "running", "running", "succeeded"]


def test_a_job_without_a_status_has_no_recorded_facts_and_no_mark() -> None:
    assert shown(observed(a_row("new"), recorded=None))["phase"] == ["", "running", "-", "running"]


def test_a_job_that_cannot_be_observed_has_no_live_facts() -> None:
    assert shown(AWAY)["phase"] == ["", "running", "-", "-"]


def test_the_wanted_age_is_the_limit_in_the_spec() -> None:
    row = replace(SAME, document=a_spec("same", limits={"maxAge": "24h"}))

    assert shown(row)["age"] == ["", "at most 1d", "5h15m", "5h15m"]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (DUE, "Different: the next pass requests a cancel."),
        (SAME, "No difference."),
        (ENDED, "No difference."),
        (WITHHELD, "Different, and no change is requested: WouldCancel: shadow mode: the cancel is not requested"),
        (REFUSED, "Different, and no change is requested: RefusedByGuard: too many"),
        (SUSPENDED, "Different, and no change is requested: Suspended: suspended: incident 7"),
        (ABSENT, "Different, and no change is requested: JobNotFound: look for a typo"),
        (AWAY, "Unknown: the job could not be observed: cannot connect"),
        (BROKEN, "Not compared: InvalidSpec: not valid"),
    ],
    ids=lambda value: value.name if isinstance(value, Row) else "",
)
def test_the_last_line_says_whether_the_job_differs_as_drift_does(row: Row, text: str) -> None:
    assert conclusion(row) == text
    assert is_drifting(row) == text.startswith("Different")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_comparison_fits_the_width(width: int) -> None:
    text = diff_text(Comparisons([DUE, ABSENT], is_complete=True), RenderContext(Canvas(width), NOW))

    assert max(map(len, text.splitlines())) <= width


def test_without_jobs_the_message_says_whether_all_could_be_observed() -> None:
    assert diff_text(Comparisons([], is_complete=True), CONTEXT) == "No differences.\n"
    assert "among the jobs that could be observed" in diff_text(Comparisons([], is_complete=False), CONTEXT)


def test_the_json_contains_the_same_facts_as_the_table() -> None:
    (found,) = json.loads(diff_json(Comparisons([DUE], is_complete=True), CONTEXT))

    assert (found["name"], found["isDifferent"]) == ("chat", True)
    assert found["facts"][0] == {"fact": "phase", "wanted": "cancelled", "recorded": "running", "live": "running"}
    assert {each["fact"] for each in found["facts"]} == set(shown(DUE))
