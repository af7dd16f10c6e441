"""The cases of the contract that an ordinary run selects."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.support.ordinary_run import LEFT_OUT, contract_of

BY_A_CASE_MIN = 3
"""The minimum number of providers that run a case of the contract."""


def placed(items: Iterable[pytest.Item]) -> set[tuple[str, str]]:
    """Return the provider and the case of each test of the contract."""
    found = ((contract_of(item), item) for item in items)
    return {(provider, item.name) for provider, item in found if provider is not None}


def test_each_provider_runs_each_test_of_the_contract_and_some_run_each_case(request: pytest.FixtureRequest) -> None:
    left_out = request.config.stash[LEFT_OUT]
    run = placed(request.session.items)
    every = run | placed(left_out)
    providers, cases = ({each[at] for each in every} for at in (0, 1))
    tests = {case.partition("[")[0] for case in cases}
    needed = min(BY_A_CASE_MIN, len(providers))

    assert {(provider, case.partition("[")[0]) for provider, case in run} == {
        (provider, test) for provider in providers for test in tests
    }
    assert {case for case in cases if sum((provider, case) in run for provider in providers) < needed} == set()
