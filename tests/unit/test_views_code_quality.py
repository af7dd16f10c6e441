from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from reconciler.model.action import Progress
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.report import Report
from reconciler.model.retirement import AnnouncedEnd
from reconciler.views.code_quality import code_quality_json
from reconciler.views.render_context import SourcePlace
from tests.support.reports import CONTEXT, a_row, a_stalled_row, a_suspended_row, a_waiting_row, with_cancel

CONTEXT_OF_A_TEAM = replace(
    CONTEXT, specs="specs", result="plan", find_source=lambda file, _line: SourcePlace(f"team/{file}")
)
WRONG = Diagnostic(file="specs/a.yaml", line=7, field="spec.jobId", message="is wrong", suggestion="mend it")
SEVERITIES = {"info", "minor", "major", "critical", "blocker"}


def entries(report: Report) -> list[dict[str, Any]]:
    """Return the entries of the report, which all have the properties that GitLab requires."""
    found: list[dict[str, Any]] = json.loads(code_quality_json(report, CONTEXT_OF_A_TEAM))
    for each in found:
        assert set(each) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert each["severity"] in SEVERITIES
        assert isinstance(each["location"]["lines"]["begin"], int)
        assert not each["location"]["path"].startswith(("/", "./"))
    return found


def fingerprints(*found: Diagnostic) -> list[str]:
    return [each["fingerprint"] for each in entries(Report(diagnostics=found))]


def test_a_problem_in_a_document_is_at_its_line_from_the_top_of_the_repository() -> None:
    (entry,) = entries(Report(diagnostics=(WRONG,)))

    assert entry["location"] == {"path": "team/specs/a.yaml", "lines": {"begin": 7}}
    assert (entry["check_name"], entry["severity"]) == ("InvalidDocument", "critical")
    assert entry["description"] == "specs/a.yaml:7: spec.jobId: is wrong; mend it"


def test_jobs_that_need_attention_are_at_their_specs() -> None:
    refused = with_cancel(a_waiting_row("dear"), progress=Progress.REFUSED)
    rows = (a_row("chat"), a_stalled_row("odd"), a_suspended_row("held"), refused, a_row("away", unobserved="HTTP 503"))
    found = entries(Report(rows=rows))

    assert [(each["description"].partition(":")[0], each["severity"]) for each in found] == [
        ("odd", "major"),
        ("dear", "major"),
        ("away", "minor"),
    ]
    assert {each["location"]["path"] for each in found} == {"team/specs/team-a/bots.yaml"}


def test_a_planned_change_is_no_problem() -> None:
    assert entries(Report(rows=(with_cancel(a_waiting_row()), a_row("chat")))) == []


def test_an_announced_end_is_at_the_spec_of_each_job_that_it_concerns() -> None:
    end = AnnouncedEnd(
        account="openai",
        what="the model gpt-4o",
        on=date(2027, 1, 14),
        days=45,
        jobs=("chat", "gone"),
        source="https://x.example",
    )
    (entry,) = entries(Report(rows=(a_row("chat"),), ends=(end,)))

    assert (entry["check_name"], entry["severity"]) == ("AnnouncedEnd", "minor")
    assert "the model gpt-4o ends on 2027-01-14" in entry["description"]


def test_a_fingerprint_stays_the_same_if_lines_are_added_above() -> None:
    assert fingerprints(WRONG) == fingerprints(replace(WRONG, line=900))


@pytest.mark.parametrize(
    "other",
    [replace(WRONG, file="specs/b.yaml"), replace(WRONG, field="spec.limits"), replace(WRONG, message="is odd")],
)
def test_other_problems_have_other_fingerprints(other: Diagnostic) -> None:
    assert len(set(fingerprints(WRONG, other))) == 2


def test_equal_problems_of_one_file_have_different_fingerprints() -> None:
    found = fingerprints(WRONG, replace(WRONG, line=9), replace(WRONG, line=11))

    assert len(set(found)) == 3
    assert found[:2] == fingerprints(WRONG, replace(WRONG, line=9))


def test_a_warning_is_minor_and_a_problem_of_a_whole_file_is_at_its_first_line() -> None:
    (entry,) = entries(Report(diagnostics=(replace(WRONG, line=None, severity=Severity.WARNING),)))

    assert (entry["severity"], entry["location"]["lines"]) == ("minor", {"begin": 1})


def test_characters_that_a_terminal_would_interpret_are_escaped() -> None:
    (entry,) = entries(Report(rows=(a_stalled_row("odd", message="\x1b[31m\ud800"),)))

    assert entry["description"] == "odd: \\x1b[31m\\ud800"
