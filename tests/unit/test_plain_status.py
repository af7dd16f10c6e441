"""`plain_status` against the general functions that it replaces for most statuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.formats.plain_status import render_plain
from reconciler.model.job import JobCounts, JobError, Phase
from reconciler.model.kind import KINDS
from reconciler.model.reason import Reason
from reconciler.model.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    HistoryEntry,
    JobFacts,
    JobStatus,
    RememberedAttempt,
)
from tests.support.build import NOW, a_status
from tests.support.laws import is_rendered_alike
from tests.unit.test_status_writer import statuses, the_golden_batch_status, the_golden_status

TRICKY = (
    "ft:gpt-4o-mini-2024-07-18:acme::abc",
    "it's over: 12 %, see #4",
    "https://example.org/help?token=x",
    "tab\there",
    "two  spaces",
    " edge",
    "edge ",
    "",
    "null",
    "None",
    "No",
    "0x1f",
    "1.5e3",
    "2026-11-23T14:03:20Z",
    'a "word"',
    "back\\slash",
    "naïve",
    "\ud800",
    "\u2028",
    "-",
    "- x",
    "{a: b}",
    "'",
    "#",
    "x" * 1024,
    "x" * 1025,
    "two\nlines",
    "del\x7f",
)
texts = st.sampled_from(TRICKY) | st.text("ab :-'#?{&*!|>%@`,[]\"\\", max_size=6) | st.text(max_size=6)
words = st.from_regex(r"[a-z]{1,8}( [a-z]{1,8})?", fullmatch=True)
mostly_words = st.one_of(words, words, words, words, texts)
moments = st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
seconds = moments.map(lambda moment: moment.replace(microsecond=0))
mostly_seconds = st.one_of(seconds, seconds, seconds, moments)
counts = st.integers(0, 10**12)


def or_none(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


conditions = st.builds(
    Condition,
    type=st.sampled_from(ConditionType),
    status=st.sampled_from(ConditionStatus),
    reason=st.sampled_from(Reason),
    message=mostly_words,
    observed_generation=counts,
    last_transition_time=mostly_seconds,
)
facts = st.builds(
    JobFacts,
    account=mostly_words,
    id=mostly_words,
    provider_status=mostly_words,
    model=or_none(mostly_words),
    fine_tuned_model=or_none(mostly_words),
    created_at=or_none(mostly_seconds),
    started_at=or_none(mostly_seconds),
    finished_at=or_none(mostly_seconds),
    trained_tokens=or_none(counts),
)
nearly_plain = st.builds(
    JobStatus,
    name=mostly_words,
    observed_generation=counts,
    observed_spec=mostly_words,
    source=mostly_words,
    phase=st.sampled_from(Phase),
    final=st.booleans(),
    conditions=st.tuples(conditions),
    job=facts,
    history=st.tuples(st.builds(HistoryEntry, mostly_seconds, st.sampled_from(Phase), st.sampled_from(Reason))),
)


@given(nearly_plain | statuses)
@example(the_golden_status())
@example(the_golden_batch_status())
@example(a_status())
def test_a_plain_status_has_the_text_and_the_row_of_the_general_functions(status: JobStatus) -> None:
    assert is_rendered_alike(status)


@pytest.mark.parametrize("text", TRICKY)
def test_each_text_of_a_plain_status_is_written_as_the_general_functions_write_it(text: str) -> None:
    plain = a_status()
    assert plain.job is not None
    changed: list[dict[str, Any]] = [{name: text} for name in ("name", "source", "observed_spec")]
    changed += [{"conditions": (replace(plain.ready, message=text),)}]
    facts: list[dict[str, Any]] = [
        {name: text} for name in ("account", "id", "provider_status", "model", "fine_tuned_model")
    ]
    changed += [{"job": replace(plain.job, **each)} for each in facts]

    assert [each for each in changed if not is_rendered_alike(replace(plain, **each))] == []


@pytest.mark.parametrize(
    "text", ["ft:gpt-4o-mini-2024-07-18:acme::abc", "it's over: 12 %, see #4", "null", "0x1f", "-"]
)
def test_a_status_is_plain_even_if_a_text_of_its_job_needs_quotes(text: str) -> None:
    plain = a_status()
    assert plain.job is not None

    assert render_plain(replace(plain, job=replace(plain.job, fine_tuned_model=text))) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"job": None},
        {"observed_spec": None},
        {"conditions": ()},
        {"conditions": a_status().conditions * 2},
        {"history": ()},
        {"history": a_status().history * 2},
        {"history": (HistoryEntry(NOW + timedelta(microseconds=1), Phase.RUNNING, Reason.AS_DESIRED),)},
        {"history": (HistoryEntry(NOW.astimezone(timezone(timedelta(hours=1))), Phase.RUNNING, Reason.AS_DESIRED),)},
        {"receipts": the_golden_status().receipts},
        {"spent": (RememberedAttempt("", NOW),)},
        {"doubted_at": NOW},
        {"paused_elsewhere": "sha256:9f2c"},
        {"kind": KINDS["BatchJob"]},
    ],
    ids=str,
)
def test_a_status_with_other_fields_is_not_plain(changes: dict[str, Any]) -> None:
    assert render_plain(replace(a_status(), **changes)) is None


@pytest.mark.parametrize(
    "facts",
    [
        {"provider_status": None},
        {"error": JobError()},
        {"output_file": "file-1"},
        {"expires_at": NOW},
        {"counts": JobCounts()},
        {"tokens": 0},
        {"created_at": NOW + timedelta(microseconds=1)},
    ],
    ids=str,
)
def test_a_status_with_other_facts_is_not_plain(facts: dict[str, Any]) -> None:
    plain = a_status()
    assert plain.job is not None

    assert render_plain(plain) is not None
    assert render_plain(replace(plain, job=replace(plain.job, **facts))) is None
