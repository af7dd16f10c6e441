from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.ci.annotations import Annotation, Level, Places, annotations_of
from reconciler.ci.gitlab_text import (
    OUTPUT_PREFIX,
    annotation_lines,
    dotenv_text,
    note_text,
    section,
    section_title,
    without_sections,
)
from reconciler.ci.outputs import outputs
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.report import Report
from reconciler.views.markdown import escaped
from reconciler.views.plan_markdown import plan_markdown
from tests.support.reports import CONTEXT, a_row, a_stalled_row, a_waiting_row, with_cancel

HERE = Places(".", "specs")
VARIABLES_MAX, BYTES_MAX = 20, 5 * 1024
"""The limits of a dotenv report: https://docs.gitlab.com/administration/instance_limits/#limit-dotenv-variables."""
_SECTION = re.compile(r"section_(start|end):(\d+):([a-zA-Z0-9_.-]+)(\[.*\])?\r\x1b\[0K")
"""The beginning or the end of a section, as GitLab finds it in a log."""
_QUICK_ACTION = re.compile(r"^[ \t]*/\w", re.MULTILINE)


def test_a_section_is_collapsed_and_has_a_title() -> None:
    text = section("reconcile_1f", "2 errors", ["one", "two"], 1_764_000_000)

    assert text == (
        "\x1b[0Ksection_start:1764000000:reconcile_1f[collapsed=true]\r\x1b[0K2 errors\none\ntwo\n"
        "\x1b[0Ksection_end:1764000000:reconcile_1f\r\x1b[0K\n"
    )
    assert [found[1] for found in _SECTION.finditer(text)] == ["start", "end"]


def test_the_section_lists_problems_and_changes_with_the_addresses_of_their_specs() -> None:
    found = Diagnostic(file="specs/a.yaml", line=7, message="is wrong")
    annotations = annotations_of(Report(rows=(with_cancel(a_waiting_row()),), diagnostics=(found,)), HERE)
    change = "support-triage: running -> cancelled, because the spec wants it"
    lines = [*annotation_lines(annotations, lambda file, line: f"https://git.example/{file}#L{line}")]

    assert section_title(annotations) == "1 error and 1 notice about the specs"
    assert lines == [
        "error: InvalidDocument: specs/a.yaml:7: is wrong",
        "  https://git.example/specs/a.yaml#L7",
        f"notice: Would cancel: specs/team-a/bots.yaml:1: {change}",
        "  https://git.example/specs/team-a/bots.yaml#L1",
    ]


@pytest.mark.parametrize(
    ("levels", "title"),
    [
        ([Level.ERROR], "1 error about the specs"),
        ([Level.NOTICE, Level.NOTICE], "2 notices about the specs"),
        ([*Level], "1 error, 1 warning and 1 notice about the specs"),
    ],
)
def test_the_title_counts_each_level(levels: list[Level], title: str) -> None:
    assert section_title([Annotation(level=each, title="T", message="m") for each in levels]) == title


def test_a_message_cannot_begin_or_end_a_section() -> None:
    hostile = "\r\x1b[0K\nsection_end:1:reconcile_1f\r\x1b[0K"
    (line,) = annotation_lines([Annotation(level=Level.ERROR, title="T", message=hostile)], lambda *_: None)

    assert "\n" not in line
    assert not _SECTION.search(line)


@pytest.mark.parametrize("options", ["", "[collapsed=true]", "[a]b]"])
def test_text_of_the_log_cannot_begin_or_end_a_section(options: str) -> None:
    text = f"fine\n\x1b[0Ksection_start:1:x{options}\r\x1b[0Khidden\n"

    assert _SECTION.search(text)
    assert not _SECTION.search(without_sections(text))


def test_escaping_sections_does_not_change_the_value_of_json() -> None:
    data = {"message": "section_start:1:x\r\x1b[0K section_end:2:x"}

    assert json.loads(without_sections(json.dumps(data))) == data
    assert without_sections("the section_start: of a text") == "the section_start: of a text"


def test_the_outputs_of_a_job_stay_within_the_limits_of_a_dotenv_report() -> None:
    sha = "a" * 40
    values = outputs(Report(rows=(a_row(),), published=sha)) | {
        "version": "0.1.0",
        "plan-json": '{"changes": []}',
        "plan-digest": f"sha256:{sha}",
        "plan-file": "reconcile-reports/plan.json",
        "summary-path": "reconcile-reports/reconcile-plan.md",
        "result-json": '[{"type": "version"}]',
        "result-file": "reconcile-reports/reconcile-plan.json",
        "comment-id": "9007199254740991",
    }
    lines = dotenv_text("", values).splitlines()

    assert len(lines) == VARIABLES_MAX
    assert sum(len(each) + 1 for each in lines) < BYTES_MAX
    assert f"{OUTPUT_PREFIX}COMMIT_SHA={sha}" in lines
    assert f"{OUTPUT_PREFIX}AS_DESIRED=1" in lines
    assert not [each for each in lines if "JSON" in each]


def test_a_later_command_of_a_job_replaces_outputs_and_keeps_the_others() -> None:
    first = dotenv_text("", {"exit-code": "2", "changes": "2", "commit-sha": "abc"})

    assert dotenv_text(first, {"changes": "3", "commit-sha": ""}) == (
        f"{OUTPUT_PREFIX}EXIT_CODE=2\n{OUTPUT_PREFIX}CHANGES=3\n"
    )


@given(st.text() | st.sampled_from(["a b", "$CI_JOB_TOKEN", "x\nPATH=/tmp", '"', "'", "`id`", "é", "a=b", "\x00"]))
def test_an_output_cannot_add_a_variable_or_be_expanded(value: str) -> None:
    text = dotenv_text(f"PATH=/tmp\nLD_PRELOAD=x\n\n# {value}\n{value}", {"plan-file": value})

    assert all(re.fullmatch(rf"{OUTPUT_PREFIX}[A-Z_]+=[\w./:@+-]+", line) for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/close", "\\/close"),
        ("fine\n  /approve\n", "fine\n  \\/approve\n"),
        ("### Plan: 1 to cancel", "### Plan: 1 to cancel"),
        ("see !12, %4 and ^alert#1", "see \\!12, \\%4 and \\^alert\\#1"),
        ("@<!-- -->ada and \\#1", "\\@<!-- -->ada and \\#1"),
        ("30 % of 3!", "30 % of 3!"),
        ("| a! | 3% |", "| a! | 3% |"),
        ("[a.yaml](https://git.example/a%20b/-/blob/1#L3)", "[a.yaml](https://git.example/a%20b/-/blob/1#L3)"),
        ("`!12`", "`!12`"),
        ("```text\n/close !12\n```", "```text\n/close !12\n```"),
        ("```text\none\n/close\n", "```text\none\n\\/close\n"),
    ],
)
def test_a_note_contains_no_quick_action_and_no_reference(text: str, shown: str) -> None:
    assert note_text(text) == shown


FOREIGN = st.lists(
    st.sampled_from(["/close", "\n", "\r", " ", "@ada", "#1", "!2", "%3", "~bug", "$4", "&5", "^alert#6", "`", "\\"])
    | st.text(max_size=3),
    max_size=8,
).map("".join)


@given(FOREIGN, FOREIGN)
def test_the_text_of_a_spec_cannot_run_a_quick_action(why: str, said: str) -> None:
    rows = (with_cancel(a_waiting_row(), why=why), a_stalled_row("odd", message=said))
    text = note_text(plan_markdown(Report(rows=rows, errors=(said,)), CONTEXT))

    assert not _QUICK_ACTION.search(text)


@given(FOREIGN)
def test_each_sign_of_a_reference_in_the_text_of_a_spec_is_escaped(said: str) -> None:
    text = note_text(escaped(said))
    unescaped = re.sub(r"\\.|<!-- -->", "", text)

    assert not re.search(r"[@#!%^~&$](?=[^\s|])", unescaped)
    assert len(text) <= 2 * len(escaped(said))
