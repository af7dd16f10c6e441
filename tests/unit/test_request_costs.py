"""Whether jobs are retrieved or listed: by what it costs at the present request rate, not by a fixed number."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.controller.request_costs import RequestCosts
from reconciler.ports import Rate


def retrieved_at_most(rate: Rate, pages: int = 1) -> int:
    """Return up to how many jobs the costs prefer to retrieve."""
    costs = RequestCosts(lambda: rate, pages)
    return next(jobs for jobs in range(100_000) if costs.prefers_list(jobs)) - 1


def test_an_account_with_the_default_rate_has_few_jobs_retrieved_and_more_listed() -> None:
    assert 10 <= retrieved_at_most(Rate()) <= 20


def test_a_slow_account_has_no_job_retrieved_that_would_wait_for_its_turn() -> None:
    slow = Rate(requests_per_second=1, burst=10, concurrency=4)

    assert retrieved_at_most(slow) == 10


def test_the_longer_the_list_the_more_jobs_are_retrieved_instead() -> None:
    numbers = [retrieved_at_most(Rate(), pages) for pages in (1, 5, 100)]

    assert numbers == sorted(numbers)
    assert numbers[1] >= 2 * numbers[0]
    assert numbers[2] > 500


def test_the_faster_the_account_the_more_jobs_are_retrieved_but_never_for_free() -> None:
    fast = Rate(requests_per_second=1000, burst=1000, concurrency=64)

    assert retrieved_at_most(Rate()) < retrieved_at_most(fast) < 100


def test_a_list_ends_once_its_pages_cost_as_much_as_the_missing_jobs() -> None:
    costs = RequestCosts(Rate)

    assert costs.ends_list(1, 0, 8)
    assert not costs.ends_list(1, 0, 100)
    assert costs.ends_list(20, 0, 100)


def test_a_list_goes_on_while_its_pages_show_more_jobs_than_could_be_retrieved_in_the_same_time() -> None:
    costs = RequestCosts(lambda: Rate(requests_per_second=1000, burst=1000, concurrency=8))

    assert not costs.ends_list(9, 900, 100), "one more page shows them all"
    assert costs.ends_list(9, 9, 100), "a page shows one"


def test_the_costs_follow_the_rate_of_the_moment() -> None:
    rates = [Rate(), Rate(requests_per_second=0.5, burst=1, concurrency=8)]
    costs = RequestCosts(lambda: rates[-1])
    throttled = costs.prefers_list(8)
    rates.pop()

    assert throttled
    assert not costs.prefers_list(8)
    assert costs.are_few(8)
    assert not costs.are_few(11)


@given(
    rate=st.builds(
        Rate, requests_per_second=st.floats(0.02, 1000), burst=st.integers(1, 1000), concurrency=st.integers(1, 64)
    ),
    jobs=st.integers(1, 20_000),
    pages=st.integers(1, 1000),
)
def test_more_jobs_never_make_a_list_less_attractive_and_a_list_of_more_pages_never_more(
    rate: Rate, jobs: int, pages: int
) -> None:
    costs = RequestCosts(lambda: rate, pages)

    assert not costs.prefers_list(1)
    assert costs.prefers_list(jobs) <= costs.prefers_list(jobs + 1)
    assert costs.prefers_list(jobs) >= replace(costs, pages=pages + 1).prefers_list(jobs)
    assert costs.ends_list(pages, 0, jobs) is not costs.prefers_list(jobs)


@pytest.mark.parametrize("concurrency", [1, 4, 64])
def test_as_many_requests_are_sent_at_once_as_the_rate_allows(concurrency: int) -> None:
    assert RequestCosts(lambda: Rate(concurrency=concurrency)).at_once == concurrency
