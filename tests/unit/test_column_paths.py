from __future__ import annotations

import itertools
import re
import time
from typing import Any

import pytest

from reconciler.model.report import Report
from reconciler.views.column_paths import parse_columns, split_columns
from reconciler.views.custom_columns import get_custom_columns, get_names
from tests.support.reports import CONFIRMED, CONTEXT, a_counted_batch, a_row

DOCUMENT = {
    "metadata": {"name": "chat", "labels": {"team": "support", "example.org/cost": "high"}},
    "status": {
        "final": False,
        "phase": None,
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "False"}],
    },
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("metadata.name", ["chat"]),
        (".metadata.name", ["chat"]),
        ("{.metadata.name}", ["chat"]),
        (".metadata.labels.example\\.org/cost", ["high"]),
        (".metadata.owner", []),
        (".metadata.name.first", []),
        (".metadata.name[0]", []),
        (".status.final", [False]),
        (".status.phase", [None]),
        (".status.conditions[0].type", ["Ready"]),
        (".status.conditions[7].type", []),
        (".status.conditions[*].type", ["Ready", "Stalled"]),
        ('.status.conditions[?(@.type=="Stalled")].status', ["False"]),
        (".status.conditions[?(@.type=='Other')].status", []),
    ],
)
def test_a_path_selects_values_as_in_kubectl(path: str, values: list[Any]) -> None:
    (column,) = parse_columns(f"VALUE:{path}")

    assert column.title == "VALUE"
    assert column.select(DOCUMENT) == values


def test_a_comma_in_a_filter_does_not_end_the_column() -> None:
    columns = parse_columns('A:.items[?(@.text=="a,b")].id, B:.b')

    assert [each.title for each in columns] == ["A", "B"]
    assert columns[0].select({"items": [{"text": "a,b", "id": 7}]}) == [7]


def test_a_comma_ends_a_column_unless_the_next_bracket_closes() -> None:
    for chars in itertools.chain.from_iterable(itertools.product(",[]a", repeat=length) for length in range(8)):
        text = "".join(chars)

        assert split_columns(text) == re.split(r",(?![^\[]*\])", text)


def test_an_argument_of_100_kb_is_parsed_in_less_than_a_second() -> None:
    begun = time.thread_time()
    parsed = parse_columns(",".join(["A:.a"] * 20_000))
    with pytest.raises(ValueError, match="write HEADER:PATH"):
        parse_columns("A:.a" + "," * 100_000)

    assert len(parsed) == 20_000
    assert time.thread_time() - begun < 1


@pytest.mark.parametrize(
    "text", ["NAME", "NAME:", ":.a", "", "A:.a,", "A:[x]", "A:.a[", "A:.a[?(@.b)]", "A:{.a", "A:.a}."]
)
def test_another_form_is_an_error_that_shows_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="write HEADER:PATH"):
        parse_columns(text)


def columns(argument: str) -> list[list[str]]:
    rows = (a_row("chat", receipts=(CONFIRMED,)), a_row("ranker"))
    context = CONTEXT.__class__(CONTEXT.canvas, CONTEXT.now, argument=argument)
    return [line.split() for line in get_custom_columns(Report(rows=rows), context).splitlines()]


def test_a_table_has_the_chosen_columns_and_marks_missing_values() -> None:
    assert columns("NAME:.metadata.name,VERB:.status.receipts[*].verb,FINAL:.status.final") == [
        ["NAME", "VERB", "FINAL"],
        ["chat", "cancel", "false"],
        ["ranker", "<none>", "false"],
    ]


@pytest.mark.parametrize("argument", ["", "?"])
def test_without_columns_every_path_is_listed_and_can_be_used(argument: str) -> None:
    paths = [words[0] for words in columns(argument)]

    assert ".status.receipts[*].verb" in paths
    assert len(paths) == len(set(paths))
    assert [columns(f"X:{path}")[1] for path in paths if path in (".metadata.name", ".status.phase")] == [
        ["chat"],
        ["running"],
    ]


def test_the_name_of_each_job_follows_its_kind() -> None:
    rows = (a_row("chat"), a_counted_batch(done=1, tokens=2))

    assert get_names(Report(rows=rows), CONTEXT) == "finetuningjob/chat\nbatchjob/support-triage\n"
