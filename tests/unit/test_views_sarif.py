from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.source_lines import SIZE_MAX, find_source
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.report import Report
from reconciler.views.render_context import SourcePlace
from reconciler.views.sarif import RULE_ID, sarif_text
from tests.support.reports import CONTEXT

MISSPELT = Diagnostic(
    file="specs/a.yaml", line=7, field="spec.desiredSate", message="unknown key", suggestion="did you mean 'x'?"
)
WHOLE = Diagnostic(file="specs/b c.yaml", message="is empty", severity=Severity.WARNING)


def run_of(*found: Diagnostic, line: str = "", errors: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the run for these diagnostics, which are all at a line with this text."""
    context = replace(CONTEXT, find_source=lambda file, _: SourcePlace(f"top/{file}", line))
    log = json.loads(sarif_text(Report(diagnostics=found, errors=errors), context))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


def region(found: Diagnostic, line: str) -> tuple[int, int, int, int]:
    place = run_of(found, line=line)["results"][0]["locations"][0]["physicalLocation"]["region"]
    return place["startLine"], place["startColumn"], place["endLine"], place["endColumn"]


def test_each_diagnostic_is_a_result_with_a_rule_a_level_and_a_place() -> None:
    run = run_of(WHOLE, MISSPELT, line="  desiredSate: running")
    first, second = run["results"]

    assert [each["id"] for each in run["tool"]["driver"]["rules"]] == [RULE_ID]
    assert {each["ruleId"] for each in run["results"]} == {RULE_ID}
    assert first["message"]["text"] == "spec.desiredSate: unknown key; did you mean 'x'?"
    assert (first["level"], second["level"]) == ("error", "warning")
    assert second["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "top/specs/b%20c.yaml"


def test_without_a_problem_the_results_are_empty_and_present() -> None:
    run = run_of()

    assert run["results"] == []
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_a_file_that_could_not_be_read_is_a_notification() -> None:
    (invocation,) = run_of(errors=("specs/status/a.yaml cannot be read",))["invocations"]

    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "specs/status/a.yaml cannot be read"


@pytest.mark.parametrize(
    ("field", "line", "columns"),
    [
        ("spec.desiredSate", "  desiredSate: running", (3, 14)),
        ("spec.desiredSate", "spec: {desiredSate: running}", (8, 19)),
        ("spec.desiredSate", '  "desiredSate" : running', (4, 15)),
        ("spec.limits.age", "  maxage: 1h, age: 2h", (15, 18)),
        ("spec.jobId", "  provider: openai", (3, 19)),
        ("spec.paths[0]", "  paths: [x]", (3, 8)),
        (None, "  text  ", (3, 7)),
        (None, "", (1, 2)),
        ("spec.jobId", "   ", (4, 5)),
    ],
)
def test_the_region_is_the_key_or_else_the_line_and_never_empty(
    field: str | None, line: str, columns: tuple[int, int]
) -> None:
    assert region(replace(MISSPELT, field=field), line) == (7, columns[0], 7, columns[1])


def test_a_problem_of_a_whole_file_is_at_its_beginning() -> None:
    assert region(WHOLE, "") == (1, 1, 1, 2)


def test_a_source_is_named_from_the_top_of_its_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "team" / "specs").mkdir(parents=True)
    (tmp_path / "team" / "specs" / "a.yaml").write_text("first\nsecond\n")
    monkeypatch.chdir(tmp_path / "team")

    assert find_source("specs/a.yaml", 2) == SourcePlace("team/specs/a.yaml", "second")
    assert find_source("specs/a.yaml", 9) == SourcePlace("team/specs/a.yaml")
    assert find_source("specs/missing.yaml", 1) == SourcePlace("team/specs/missing.yaml")
    assert find_source("specs", 1) == SourcePlace("team/specs")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.yaml"
    with file.open("wb") as opened:
        opened.truncate(SIZE_MAX + 1)

    assert find_source(str(file), 1).line == ""
