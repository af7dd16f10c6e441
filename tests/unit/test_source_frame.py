"""The line of a document below a problem: the marks are below the part that is wrong, and no secret is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.formats.spec_parser import read_documents
from reconciler.local.operator_file import parse_rules
from reconciler.model.diagnostic import Diagnostic
from reconciler.views.problems import document_problems, problems_text
from reconciler.views.render_context import SourcePlace
from reconciler.views.source_frame import LINE_MAX
from tests.support.reports import CONTEXT

HIDDEN_WORD = "sk-live-77"
HEADER = "apiVersion: jobs.reconciler/v1\nkind: {}\nmetadata: {{name: a}}\n"
FOUND = Diagnostic(file="a.yaml", line=7, field="spec.desiredSate", message="unknown key")


def frame(found: Diagnostic, line: str) -> list[str]:
    """Return the lines below the message of a diagnostic, if its line in the file is this one."""
    text = problems_text(document_problems([found]), CONTEXT.canvas, lambda file, _: SourcePlace(file, line))
    return text.splitlines()[1:]


def output(text: str, kind: str = "FineTuningJob") -> str:
    """Return what is shown of the problems in a document of this kind."""
    text = HEADER.format(kind) + text
    if kind == "OperatorConfig":
        found = parse_rules(text.encode(), "a.yaml").diagnostics
    else:
        found = read_documents(text.encode(), file="a.yaml", shown="a.yaml").diagnostics
    lines = text.split("\n")
    return problems_text(
        document_problems(found), CONTEXT.canvas, lambda file, line: SourcePlace(file, lines[(line or 1) - 1])
    )


@pytest.mark.parametrize(
    ("line", "shown", "marks"),
    [
        ("  desiredSate: running", "7 |   desiredSate: …", "  |   ^^^^^^^^^^^"),
        ("spec: {desiredSate: running}", "7 | spec: {desiredSate: …}", "  |        ^^^^^^^^^^^"),
        ("  desiredSate: x # see #4", "7 |   desiredSate: … # …", "  |   ^^^^^^^^^^^"),
        ("spec:", "7 | spec:", "  | ^^^^"),
        ("  a.desiredSate: x", "7 |   …: …", "  |   ^"),
        ("  - other", "7 |   - …", "  |   ^^^"),
    ],
)
def test_the_key_is_marked_and_values_are_hidden(line: str, shown: str, marks: str) -> None:
    assert frame(FOUND, line) == ["  |", shown, marks]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("  maxAge: 3 days", "3 days"),
        ('limits: {maxQueued: 6h, maxAge: "3 days"}', '"3 days"'),
        ("  maxAge: 3 days   # too long", "3 days"),
        ("limits: {maxAge: 3 days, maxQueued: 6h}", "3 days"),
    ],
)
def test_a_value_that_the_message_quotes_is_shown_and_marked(line: str, value: str) -> None:
    found = replace(FOUND, field="spec.limits.maxAge", message="'3 days' is not a duration")
    _, shown, marks = frame(found, line)

    assert shown[marks.index("^") : marks.rindex("^") + 1] == value


def test_an_item_that_the_message_quotes_is_marked() -> None:
    _, shown, marks = frame(replace(FOUND, field="spec.trust.KEY[0]", message="'a b' is not a host"), "    - a b")

    assert (shown, marks) == ("7 |     - a b", "  |       ^^^")


def test_a_key_with_a_dot_is_marked() -> None:
    found = replace(FOUND, field="spec.templates.job.cancelled")

    assert frame(found, "  job.cancelled: x")[1:] == ["7 |   job.cancelled: …", "  |   ^^^^^^^^^^^^^"]


def test_a_wide_character_moves_the_marks() -> None:
    found = replace(FOUND, field=None, column=6)
    line = "名: '" + "x'y"

    assert frame(found, line)[1:] == ["7 | …: '…'…", "  |      ^"]


@pytest.mark.parametrize(("line", "number"), [("", 7), ("  x: 1", None), ("x" * (LINE_MAX + 1), 7)])
def test_a_line_that_is_unknown_or_unreadable_or_too_long_has_no_frame(line: str, number: int | None) -> None:
    assert frame(replace(FOUND, line=number), line) == []


def test_a_long_line_is_cut_around_the_marked_part() -> None:
    line = f"spec: {{{', '.join(['jobId: x'] * 30)}, desiredSate: x, {', '.join(['jobId: x'] * 30)}}}"
    _, shown, marks = frame(FOUND, line)

    assert len(shown) < 120
    assert shown[marks.index("^") : marks.rindex("^") + 1] == "desiredSate"


def test_a_syntax_error_is_marked_at_its_character() -> None:
    assert output("spec:\n  reason: too: high\n").splitlines()[2:] == [
        "5 |   reason: …: …",
        "  |            ^",
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"spec: {{apiKey: {HIDDEN_WORD}}}\n",
        f"spec: {{provider: {{key: {HIDDEN_WORD}}}}}\n",
        f"spec:\n  limits: {{maxAge: 1h, token: '{HIDDEN_WORD}'}}\n",
        f"spec:\n  desiredSate: running # {HIDDEN_WORD}\n",
        f'spec:\n  reason: "{HIDDEN_WORD}\n',
        f"spec:\n  reason: {HIDDEN_WORD}: {HIDDEN_WORD}\n",
        f"spec:\n\treason: {HIDDEN_WORD}\n",
        f"spec:\n  reason: @{HIDDEN_WORD}\n",
        f"spec: [{HIDDEN_WORD}\n",
        f"{HIDDEN_WORD}\n",
    ],
)
@pytest.mark.parametrize("kind", ["FineTuningJob", "Provider", "OperatorConfig"])
def test_text_that_no_message_names_is_hidden(text: str, kind: str) -> None:
    shown = output(text, kind)

    assert "a.yaml:" in shown
    assert HIDDEN_WORD not in shown


@pytest.mark.parametrize(
    "text",
    [
        f"spec:\n  type: openai\n  credentials: {HIDDEN_WORD}\n",
        f"spec: {{type: openai, credentials: {HIDDEN_WORD}}}\n",
        f"spec: {{typ: openai, credentials: {{env: {HIDDEN_WORD}}}}}\n",
        f"spec: {{type: openai, credentials: {{hunter: {HIDDEN_WORD}}}}}\n",
        f"spec: {{type: openai, credentials: {{{HIDDEN_WORD}: hunter}}}}\n",
        f"spec: {{type: openai, credentials: [{HIDDEN_WORD}, hunter]}}\n",
    ],
)
def test_a_misplaced_credential_is_hidden(text: str) -> None:
    shown = output(text, "Provider")

    assert "^" in shown
    assert HIDDEN_WORD not in shown
    assert "hunter" not in shown


@pytest.mark.parametrize("field", ["url", "secret", "key"])
@pytest.mark.parametrize("type_", ["slack", "webhook", "pagerduty", "slak"])
def test_a_misplaced_secret_of_a_sink_is_hidden(field: str, type_: str) -> None:
    shown = output(
        f"spec:\n  notify:\n  - {{name: a, type: {type_}, {field}: 'https://h/{HIDDEN_WORD}'}}\n", "OperatorConfig"
    )

    assert "^" in shown
    assert HIDDEN_WORD not in shown


@given(st.text(st.sampled_from("ab7-:{}[],'\"# \t|é名"), max_size=60), st.integers(1, 60))
def test_the_marks_are_below_the_line_for_any_text(line: str, column: int) -> None:
    shown = frame(replace(FOUND, field=None, column=column), line)

    assert len(shown) in {0, 3}
    assert not any(word in "".join(shown[1:2]).partition("|")[2] for word in ("a", "b", "7", "é", "名"))
