from __future__ import annotations

import pytest
from pydantic import ValidationError

from reconciler.sandbox.faults import FAULTS, Call, Faults, Operation

LIST = Call(Operation.LIST)
CANCEL_A = Call(Operation.CANCEL, "ftjob-a")
CANCEL_B = Call(Operation.CANCEL, "ftjob-b")
RETRIEVE_A = Call(Operation.RETRIEVE, "ftjob-a")


def faults(*rules: dict[str, object]) -> Faults:
    return Faults(FAULTS.validate_python(rules))


def names(book: Faults, *calls: Call) -> list[str | None]:
    picked = (book.pick(call) for call in calls)
    return [None if fault is None else fault.fault for fault in picked]


def test_a_fault_without_an_operation_applies_to_every_call() -> None:
    book = faults({"fault": "hang"})

    assert names(book, LIST, CANCEL_A, *(Call(each, "ftjob-x") for each in Operation)) == ["hang"] * 10


def test_a_fault_applies_only_to_its_operation_and_its_job() -> None:
    book = faults({"fault": "hang", "on": "cancel", "job": "ftjob-a"})

    assert names(book, LIST, RETRIEVE_A, CANCEL_B, CANCEL_A) == [None, None, None, "hang"]


def test_the_first_matching_fault_applies() -> None:
    book = faults({"fault": "empty", "on": "list"}, {"fault": "hang"}, {"fault": "html"})

    assert names(book, LIST, CANCEL_A) == ["empty", "hang"]


def test_times_and_after_count_only_matching_calls() -> None:
    book = faults({"fault": "hang", "on": "cancel", "after": "1", "times": "2"})

    assert names(book, CANCEL_A, LIST, CANCEL_A, CANCEL_B, CANCEL_A) == [None, None, "hang", "hang", None]


def test_the_next_fault_applies_once_the_times_of_the_first_are_used_up() -> None:
    book = faults({"fault": "hang", "times": "1"}, {"fault": "empty", "times": "1"})

    assert names(book, LIST, LIST, LIST) == ["hang", "empty", None]


@pytest.mark.parametrize(
    ("rule", "met"),
    [
        ({"fault": "lost-cancel"}, {Operation.CANCEL}),
        ({"fault": "late-cancel", "for": "30s"}, {Operation.CANCEL}),
        ({"fault": "endless"}, {Operation.LIST}),
        ({"fault": "stale-read", "for": "30s"}, {Operation.LIST, Operation.RETRIEVE}),
        ({"fault": "unknown-word"}, set(Operation) - {Operation.EVENTS, Operation.CHECKPOINTS}),
    ],
)
def test_a_fault_applies_only_to_operations_that_support_it(rule: dict[str, object], met: set[Operation]) -> None:
    book = faults(rule)

    assert {each for each in Operation if book.pick(Call(each, "ftjob-a")) is not None} == met


def test_a_partial_page_fault_applies_only_to_its_page() -> None:
    book = faults({"fault": "partial-page", "page": "3"})
    pages = [Call(Operation.LIST, page=number) for number in (1, 2, 3, 4)]

    assert names(book, *pages) == [None, None, "partial-page", None]


def test_an_unknown_word_fault_for_one_job_also_applies_to_lists() -> None:
    book = faults({"fault": "unknown-word", "job": "ftjob-a"})

    assert names(book, LIST, RETRIEVE_A, CANCEL_B) == ["unknown-word", "unknown-word", None]


def test_faults_can_be_added_and_cleared() -> None:
    book = faults({"fault": "hang", "times": "1"})
    book.add(FAULTS.validate_python([{"fault": "html"}]))
    before = names(book, LIST, LIST)
    book.clear()

    assert before == ["hang", "html"]
    assert names(book, LIST) == [None]


def test_the_counts_of_unchanged_faults_are_restored_after_a_restart() -> None:
    rules: list[dict[str, object]] = [{"fault": "hang", "times": "1"}, {"fault": "empty", "times": "1"}]
    old = faults(*rules)
    names(old, LIST)
    same = faults(*rules)
    same.restore(old.tallies())
    other = faults({"fault": "hang", "times": "2"})
    other.restore(old.tallies())

    assert names(same, LIST) == ["empty"]
    assert names(other, LIST, LIST, LIST) == ["hang", "hang", None]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"fault": "gremlins"}, "does not match any of the expected tags"),
        ({"fault": "status"}, "Field required"),
        ({"fault": "status", "status": "200"}, "greater than or equal to 400"),
        ({"fault": "slow"}, "Field required"),
        ({"fault": "hang", "for": "30s"}, "Extra inputs"),
        ({"fault": "hang", "times": "0"}, "greater than or equal to 1"),
        ({"fault": "hang", "on": "delete"}, "any"),
        ({"fault": "lost-cancel", "on": "list"}, "this fault never applies to list; use any or one of cancel"),
    ],
)
def test_the_error_for_an_invalid_fault_says_what_is_wrong(rule: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        faults(rule)
