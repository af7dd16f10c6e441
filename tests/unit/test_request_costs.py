"""Whether jobs are retrieved or listed depends on the cost of each at the current request rate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.controller.request_costs import RequestCosts
from reconciler.ports import Rate


def retrieved_at_most(rate: Rate, pages: int = 1) -> int:
    """Return the maximum number of jobs that are retrieved instead of listed."""
    costs = RequestCosts(lambda: rate, pages)
    return next(jobs for jobs in range(100_000) if costs.prefers_list(jobs)) - 1


def test_at_the_default_rate_few_jobs_are_retrieved_and_many_are_listed() -> None:
    assert 10 <= retrieved_at_most(Rate()) <= 20


def test_in_a_slow_account_only_a_burst_of_jobs_is_retrieved() -> None:
    slow = Rate(requests_per_second=1, burst=10, concurrency=4)

    assert retrieved_at_most(slow) == 10


def test_more_jobs_are_retrieved_if_the_list_is_longer() -> None:
    numbers = [retrieved_at_most(Rate(), pages) for pages in (1, 5, 100)]

    assert numbers == sorted(numbers)
    assert numbers[1] >= 2 * numbers[0]
    assert numbers[2] > 500


def test_more_jobs_are_retrieved_if_the_account_is_faster() -> None:
    fast = Rate(requests_per_second=1000, burst=1000, concurrency=64)

    assert retrieved_at_most(Rate()) < retrieved_at_most(fast) < 100


def test_a_list_ends_once_its_pages_cost_as_much_as_the_missing_jobs() -> None:
    costs = RequestCosts(Rate)

    assert costs.ends_list(1, 0, 8)
    assert not costs.ends_list(1, 0, 100)
    assert costs.ends_list(20, 0, 100)


def test_a_list_continues_while_its_pages_show_jobs_faster_than_retrieves_would() -> None:
    costs = RequestCosts(lambda: Rate(requests_per_second=1000, burst=1000, concurrency=8))

    assert not costs.ends_list(9, 900, 100), "the list continues, because one more page shows all jobs"
    assert costs.ends_list(9, 9, 100), "the list ends, because a page shows one job"


def test_the_costs_depend_on_the_current_request_rate() -> None:
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
def test_a_list_is_preferred_for_more_jobs_and_for_fewer_pages(rate: Rate, jobs: int, pages: int) -> None:
    costs = RequestCosts(lambda: rate, pages)

    assert not costs.prefers_list(1)
    assert costs.prefers_list(jobs) <= costs.prefers_list(jobs + 1)
    assert costs.prefers_list(jobs) >= replace(costs, pages=pages + 1).prefers_list(jobs)
    assert costs.ends_list(pages, 0, jobs) is not costs.prefers_list(jobs)


@pytest.mark.parametrize("concurrency", [1, 4, 64])
def test_the_number_of_concurrent_requests_is_that_of_the_rate(concurrency: int) -> None:
    assert RequestCosts(lambda: Rate(concurrency=concurrency)).at_once == concurrency
