from __future__ import annotations

import json
from itertools import count

import pytest
import yaml

from reconciler.ci.annotations import Annotation, Level, Places, annotations_of
from reconciler.ci.github_text import ANNOTATIONS_MAX, OUTPUT_MAX, commands, output_text, without_commands
from reconciler.ci.outputs import outputs
from reconciler.model.action import Progress
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from reconciler.model.report import Report
from tests.support.markdown_table import ROOT
from tests.support.reports import CONFIRMED, OPEN, a_row, a_stalled_row, a_suspended_row, a_waiting_row, with_cancel

HERE = Places(".", "specs")


def told(report: Report) -> list[str]:
    return commands(annotations_of(report, HERE)).splitlines()


def test_the_annotation_of_a_diagnostic_has_its_file_and_line() -> None:
    found = Diagnostic(file="specs/a.yaml", line=7, message="is wrong")

    assert told(Report(diagnostics=(found,))) == [
        "::error file=specs/a.yaml,line=7,title=InvalidDocument::specs/a.yaml:7: is wrong"
    ]


def test_a_planned_change_is_a_notice_at_its_spec() -> None:
    lines = told(Report(rows=(with_cancel(a_waiting_row(), why="too dear"),)))

    place, _, message = lines[0].partition("title=")

    assert len(lines) == 1
    assert place == "::notice file=specs/team-a/bots.yaml,line=1,"
    assert message == "Would cancel::support-triage: running -> cancelled, because the spec wants it: too dear"


def test_annotation_paths_are_relative_to_the_root_of_the_repository() -> None:
    places = Places("teams/a", "specs")

    assert places.spec("bots.yaml") == "teams/a/specs/bots.yaml"
    assert places.file("../shared/specs/b.yaml") == "teams/shared/specs/b.yaml"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("100%", "100%25"),
        ("a\r\n::error::b", "a  ::error::b"),
        ("%0A::set-output name=x::y", "%250A::set-output name=x::y"),
        ("\x1b[2J", "\\x1b[2J"),
    ],
)
def test_a_message_cannot_end_an_annotation_or_begin_another(text: str, shown: str) -> None:
    assert commands([Annotation(level=Level.ERROR, title="T", message=text)]) == f"::error title=T::{shown}\n"


def test_a_file_name_cannot_add_a_property_to_an_annotation() -> None:
    annotation = Annotation(level=Level.ERROR, title="a,b:c%", message="m", file="x,line=9::y.yaml", line=1)

    assert commands([annotation]) == "::error file=x%2Cline=9%3A%3Ay.yaml,line=1,title=a%2Cb%3Ac%25::m\n"


@pytest.mark.parametrize("jobs", [1, 10, 11, 500])
def test_each_level_has_at_most_ten_annotations_and_the_last_counts_the_omitted(jobs: int) -> None:
    warnings = tuple(Diagnostic(file="a", line=n + 1, message="odd", severity=Severity.WARNING) for n in range(jobs))
    rows = (
        *(a_stalled_row(f"stalled-{number}") for number in range(jobs)),
        *(with_cancel(a_waiting_row(f"job-{number}")) for number in range(jobs)),
    )
    lines = told(Report(rows=rows, diagnostics=warnings))

    for level in Level:
        mine = [line for line in lines if line.startswith(f"::{level} ")]
        assert len(mine) == min(jobs, ANNOTATIONS_MAX)
        assert ("more: the summary lists all of them" in mine[-1]) is (jobs > ANNOTATIONS_MAX)
        assert jobs <= ANNOTATIONS_MAX or f"{jobs - ANNOTATIONS_MAX + 1:,} more" in mine[-1]


def test_errors_of_the_pass_come_before_diagnostics_and_stalled_jobs() -> None:
    found = Diagnostic(file="a.yaml", line=1, message="is wrong")
    lines = told(Report(rows=(a_stalled_row("odd"),), errors=("a disk failed",), diagnostics=(found,)))

    assert ["a disk failed" in lines[0], "is wrong" in lines[1], "odd" in lines[2]] == [True, True, True]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x\n", "\\x3a:error::x\n"),
        ("fine\n  ::add-mask::a\n", "fine\n  \\x3a:add-mask::a\n"),
        ("said ##[error]x", "said ##\\u005berror]x"),
        ("specs/a.yaml:7: two :: inside", "specs/a.yaml:7: two :: inside"),
    ],
)
def test_workflow_commands_in_text_are_escaped(text: str, shown: str) -> None:
    assert without_commands(text) == shown


def test_escaping_workflow_commands_does_not_change_the_value_of_json() -> None:
    data = {"message": "::error::a ##[error]b \\##[c"}

    assert json.loads(without_commands(json.dumps(data))) == data


def test_the_outputs_contain_the_exit_code_and_the_numbers_of_changes() -> None:
    rows = (with_cancel(a_waiting_row()), with_cancel(a_waiting_row("other"), progress=Progress.REFUSED), a_row("chat"))
    values = outputs(Report(rows=rows, exit_codes=frozenset({ExitCode.REFUSED})))

    assert values["exit-code"] == "3"
    assert (values["has-changes"], values["changes"], values["cancels"]) == ("true", "1", "1")
    assert values["converged"] == "false"


def test_the_outputs_count_confirmed_and_failed_changes() -> None:
    rows = (
        a_row("done", phase=Phase.CANCELLED, receipts=(CONFIRMED,)),
        a_waiting_row("open", receipts=(OPEN,)),
        with_cancel(a_waiting_row("tried"), progress=Progress.REJECTED),
        with_cancel(a_waiting_row("lost"), progress=Progress.NOT_DELIVERED),
        with_cancel(a_waiting_row("sent"), progress=Progress.ACCEPTED),
    )
    values = outputs(Report(rows=rows))

    assert (values["confirmed"], values["failed"]) == ("1", "2")


def test_the_action_passes_on_every_output() -> None:
    action = ROOT / ".github" / "actions" / "reconcile" / "action.yml"
    passed_on = {each["value"] for each in yaml.safe_load(action.read_text(encoding="utf-8"))["outputs"].values()}

    assert {f"${{{{ steps.run.outputs.{name} }}}}" for name in outputs(Report())} <= passed_on


def test_a_report_of_desired_and_suspended_jobs_is_converged() -> None:
    values = outputs(Report(rows=(a_row(), a_suspended_row("held")), published="4be1f0c"))

    assert values["converged"] == "true"
    assert values["has-changes"] == "false"
    assert values["commit-sha"] == "4be1f0c"


def test_each_output_has_its_own_delimiter() -> None:
    numbers = count()
    text = output_text({"a": "one\nw0\n", "b": "two"}, lambda: f"w{next(numbers) + 7}")

    assert text == "a<<w7\none\nw0\n\nw7\nb<<w8\ntwo\nw8\n"


def test_an_output_that_is_too_long_is_written_as_empty() -> None:
    assert output_text({"a": "x" * (OUTPUT_MAX + 1)}, lambda: "end") == "a<<end\n\nend\n"
