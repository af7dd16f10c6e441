from datetime import timedelta

import pytest

from reconciler.core.backoff import (
    confirm_delay,
    failure_delay,
    is_attempt_due,
    is_exhausted,
    next_attempt_at,
)
from reconciler.model.status import Receipt
from tests.support.build import NOW
from tests.support.subjects import EDGES, HOUR, MINUTE, SECOND, a_receipt

UNANSWERED = {1: 5 * SECOND, 2: 10 * SECOND, 3: 20 * SECOND, 4: 40 * SECOND, 5: 6 * HOUR, 6: 6 * HOUR, 99: 6 * HOUR}
WHERE = [where for _, where in EDGES]


def accepted(age: timedelta, attempts: int = 1) -> Receipt:
    return a_receipt(age=age, attempts=attempts, accepted_at=NOW - age)


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
@pytest.mark.parametrize("attempts", UNANSWERED)
def test_an_unanswered_request_is_retried_after_5_seconds_and_doubling_delays(
    attempts: int, edge: timedelta, where: str
) -> None:
    receipt = a_receipt(age=UNANSWERED[attempts] + edge, attempts=attempts)

    assert is_attempt_due(receipt, NOW) == (where != "just before")


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_an_accepted_request_without_effect_is_repeated_after_10_minutes(
    attempts: int, edge: timedelta, where: str
) -> None:
    receipt = accepted(10 * MINUTE + edge, attempts)

    assert is_attempt_due(receipt, NOW) == (where != "just before")


def test_a_request_that_waited_for_its_turn_is_repeated_10_minutes_after_it_was_accepted() -> None:
    receipt = a_receipt(age=10 * MINUTE, accepted_at=NOW - 9 * MINUTE)

    assert not is_attempt_due(receipt, NOW)
    assert next_attempt_at(receipt) == NOW + MINUTE


def test_an_acceptance_more_than_five_minutes_in_the_future_makes_the_request_due() -> None:
    assert is_attempt_due(a_receipt(age=MINUTE, accepted_at=NOW + 6 * MINUTE), NOW)


def test_an_unanswered_retry_after_an_accepted_attempt_uses_the_unanswered_delay() -> None:
    receipt = a_receipt(age=MINUTE, attempts=2, accepted_at=NOW - HOUR)

    assert next_attempt_at(receipt) == receipt.last_attempt_at + 10 * SECOND


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_attempts_are_exhausted_after_the_delay_of_the_fifth(edge: timedelta, where: str) -> None:
    assert is_exhausted(a_receipt(age=80 * SECOND + edge, attempts=5), NOW) == (where != "just before")
    assert is_exhausted(accepted(10 * MINUTE + edge, attempts=5), NOW) == (where != "just before")


@pytest.mark.parametrize(("attempts", "is_over"), [(1, False), (4, False), (6, True)])
def test_attempts_are_never_exhausted_before_the_fifth_and_always_after_it(attempts: int, *, is_over: bool) -> None:
    assert is_exhausted(a_receipt(age=24 * HOUR, attempts=attempts), NOW) == is_over
    assert is_exhausted(a_receipt(attempts=attempts), NOW) == is_over


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_an_attempt_more_than_five_minutes_in_the_future_is_due(edge: timedelta, where: str) -> None:
    receipt = a_receipt(age=-(5 * MINUTE + edge))

    assert is_attempt_due(receipt, NOW) == (where == "just after")


@pytest.mark.parametrize(
    ("age", "delay"),
    [
        (timedelta(0), SECOND / 2),
        (SECOND, SECOND),
        (30 * SECOND, 30 * SECOND),
        (MINUTE, MINUTE),
        (HOUR, MINUTE),
        (-HOUR, SECOND / 2),
    ],
)
def test_the_confirm_delay_equals_the_age_of_the_receipt_up_to_one_minute(age: timedelta, delay: timedelta) -> None:
    assert confirm_delay(a_receipt(age=age), NOW) == delay


def test_the_confirm_delay_begins_at_the_acceptance_of_the_last_attempt() -> None:
    accepted = a_receipt(age=30 * SECOND, accepted_at=NOW - 2 * SECOND)

    assert confirm_delay(accepted, NOW) == 2 * SECOND


def test_the_delay_after_failed_observations_grows_up_to_eight_minutes() -> None:
    longest = [failure_delay(failures, jitter=1.0) for failures in range(1, 40)]
    shortest = [failure_delay(failures, jitter=0.0) for failures in range(1, 40)]

    assert longest == sorted(longest)
    assert set(shortest) == {0.5}
    assert longest[0] < 2
    assert longest[-1] == 450.5


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_the_failure_delay_is_at_least_the_retry_after_of_the_provider(jitter: float) -> None:
    assert failure_delay(1, jitter, retry_after_s=1234.0) == 1234.0
    assert failure_delay(30, jitter, retry_after_s=0.1) > 0.1
