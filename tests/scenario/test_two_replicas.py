"""Two replicas from seeds: a leader acts alone as long as its lease is honest, and receipts fence it if it is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenario.replica_runs import run_replicas_seed

SEEDS = (0, 6, 11)
"""The first seeds that detect a leader without a check of the clock, and intents that are not published."""
LONG = 500


def test_two_replicas_cancel_what_is_wanted_once_whatever_happens_to_their_lease(
    pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    seeds = range(LONG) if pytestconfig.getoption("--long") else SEEDS
    outcomes = {seed: run_replicas_seed(seed) for seed in seeds}
    terms, cancels = (sum(getattr(each, name) for each in outcomes.values()) for name in ("terms", "cancels"))
    record_property("replicas", f"{len(outcomes)} runs, {terms} terms, {cancels} cancels")

    assert {seed: each.wrong for seed, each in outcomes.items() if each.wrong} == {}
    assert terms > 2 * len(outcomes), "leaders change"
