from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.action import Progress
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import UNSET
from reconciler.model.report import Report, Row
from reconciler.model.spec import DesiredState, FineTuningJob
from reconciler.views.json_lines import report_lines
from reconciler.views.render_context import RenderContext, SourcePlace
from reconciler.views.status_json import get_json
from tests.support.reports import CONFIRMED, CONTEXT, a_counted_batch, a_row, a_stalled_row, a_waiting_row, with_cancel


def lines_of(report: Report, operation: str = "apply") -> list[dict[str, Any]]:
    text = report_lines(report, replace(CONTEXT, find_version=lambda: "1.2.3", result=operation))
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("progress", "types"),
    [
        (None, ["planned_change"]),
        (Progress.PLANNED, ["planned_change"]),
        (Progress.REFUSED, ["planned_change"]),
        (Progress.WITHHELD, ["planned_change"]),
        (Progress.ACCEPTED, ["planned_change", "apply_start", "apply_complete"]),
        (Progress.UNANSWERED, ["planned_change", "apply_start", "apply_errored"]),
        (Progress.FORBIDDEN, ["planned_change", "apply_start", "apply_errored"]),
        (Progress.NOT_DELIVERED, ["planned_change", "apply_errored"]),
        (Progress.OVERTAKEN, ["planned_change", "apply_errored"]),
    ],
)
def test_a_change_is_reported_as_planned_started_and_completed_or_errored(
    progress: Progress | None, types: list[str]
) -> None:
    lines = lines_of(Report(rows=(with_cancel(a_waiting_row(), progress=progress), a_row("chat"))))

    assert [line["type"] for line in lines] == ["version", *types, "change_summary"]


def test_a_job_that_is_not_as_desired_without_a_planned_change_is_reported_as_drift() -> None:
    row = replace(a_stalled_row("gone"), wanted=DesiredState.RUNNING)
    line = lines_of(Report(rows=(row, a_row("chat"))), "plan")[1]

    assert (line["type"], line["change"]["resource"]["name"]) == ("drift", "gone")
    assert line["change"]["resource"]["phase"] == "absent"


def test_a_planned_change_contains_its_job_and_its_reason() -> None:
    change = lines_of(Report(rows=(with_cancel(a_waiting_row(), why="too dear"),)), "plan")[1]["change"]

    assert change["resource"]["name"] == "support-triage"
    assert change["resource"]["jobId"] == "ftjob-support-triage"
    assert (change["action"], change["because"], change["reason"]) == ("cancel", "DesiredState", "too dear")


def test_the_summary_contains_all_exit_codes_with_the_worst_first() -> None:
    codes = frozenset({ExitCode.STALLED, ExitCode.PROVIDER_UNOBSERVED, ExitCode.REFUSED})
    summary = lines_of(Report(rows=(a_stalled_row("old-run"), a_row()), exit_codes=codes), "plan")[-1]

    assert summary["exitCode"] == 3
    assert summary["exitCodes"] == [3, 1, 69]
    assert summary["changes"] == {"cancel": 0, "pause": 0, "resume": 0, "operation": "plan"}
    assert (summary["jobs"]["stalled"], summary["jobs"]["as_desired"]) == (1, 1)


def test_a_diagnostic_in_json_contains_its_file_and_line() -> None:
    line = lines_of(Report(diagnostics=(Diagnostic(file="specs/a.yaml", line=7, message="no"),)), "validate")[1]

    assert line["diagnostic"]["severity"] == "error"
    assert line["diagnostic"]["range"] == {"filename": "specs/a.yaml", "start": {"line": 7}}


def test_every_json_line_is_ascii_and_has_a_timestamp() -> None:
    report = Report(rows=(with_cancel(a_waiting_row(), why="trop élevé \x1b[31m\u202e"),))

    assert report_lines(report, replace(CONTEXT, result="plan")).isascii()
    assert {line["@timestamp"] for line in lines_of(report)} == {"2026-11-23T14:15:00Z"}


def one(row: Row) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(get_json(Report(rows=(row,)), CONTEXT))
    return found[0]


def test_a_status_in_json_has_the_field_names_of_the_status_file() -> None:
    document = one(a_row(receipts=(CONFIRMED,)))

    assert list(document) == ["apiVersion", "kind", "metadata", "spec", "status"]
    assert document["metadata"] == {"name": "support-triage"}
    assert document["spec"] == {"provider": "openai", "jobId": "ftjob-support-triage", "desiredState": "running"}
    assert document["status"]["observedSpec"] == "sha256:1"
    assert document["status"]["conditions"][0] == {
        "type": "Ready",
        "status": "True",
        "reason": "AsDesired",
        "message": "as its spec wants it",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-11-23T14:15:00Z",
    }
    assert document["status"]["receipts"][0]["outcome"] == "cancelled"
    assert document["status"]["job"]["finishedAt"] is None


def test_the_observed_counters_replace_those_of_the_status_in_json() -> None:
    job = one(a_counted_batch(done=7, tokens=12_345))["status"]["job"]

    assert job["counts"] == {"total": 10, "done": 7, "failed": 0}
    assert job["tokens"] == 12_345


def test_a_counter_that_was_not_observed_keeps_its_value_in_json() -> None:
    job = one(a_counted_batch(done=7, tokens=UNSET))["status"]["job"]

    assert (job["counts"]["done"], job["tokens"]) == (7, 100)


def test_a_status_in_json_contains_its_spec_and_the_observation_error() -> None:
    document = FineTuningJob.model_validate(
        {
            "apiVersion": "jobs.reconciler/v1",
            "kind": "FineTuningJob",
            "metadata": {"name": "support-triage", "labels": {"team": "support"}},
            "spec": {
                "provider": "openai",
                "jobId": "ftjob-1",
                "desiredState": "running",
                "reason": "the best so far",
                "limits": {"maxAge": "24h"},
            },
        }
    )
    told = one(replace(a_row(unobserved="cannot connect"), document=document))

    assert told["metadata"]["labels"] == {"team": "support"}
    assert (told["spec"]["reason"], told["spec"]["limits"]) == ("the best so far", {"maxAge": "1d"})
    assert told["unobserved"] == "cannot connect"


def test_without_jobs_the_json_output_is_an_empty_array() -> None:
    assert json.loads(get_json(Report(), CONTEXT)) == []


def test_a_problem_in_a_document_has_the_columns_of_the_part_that_is_wrong() -> None:
    found = Diagnostic(file="a.yaml", line=7, field="spec.desiredSate", message="unknown key")
    shown = replace(CONTEXT, find_source=lambda file, _: SourcePlace(file, "  desiredSate: x"))

    def range_in(context: RenderContext) -> dict[str, Any]:
        lines = map(json.loads, report_lines(Report(diagnostics=(found,)), context).splitlines())
        (line,) = [each for each in lines if each["type"] == "diagnostic"]
        place: dict[str, Any] = line["diagnostic"]["range"]
        return place

    assert range_in(shown) == {
        "filename": "a.yaml",
        "start": {"line": 7, "column": 3},
        "end": {"line": 7, "column": 14},
    }
    assert range_in(CONTEXT) == {"filename": "a.yaml", "start": {"line": 7}}
