"""Watches from seeds: what the continuous loop must do at each time, whatever faults occur."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.scenario.seed_runner import check_all_seeds, failure_report, failure_reports, run_watch_seed

WATCHES = (0, 1, 2, 8, 12)
"""The watches of an ordinary run: each is the first that detects one of the planted bugs in PROOFS.md."""


def test_no_watch_violates_a_law_or_a_promise(
    pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    one = pytestconfig.getoption("--watch")
    if one is not None:
        history, wrong = run_watch_seed(one)

        assert not wrong, failure_report(one, wrong, history.lines(), "watch")
        return
    count = pytestconfig.getoption("--watches") or (300 if pytestconfig.getoption("--long") else None)
    begun = time.perf_counter()
    results = check_all_seeds(WATCHES if count is None else range(count), run_watch_seed)
    record_property("watched", f"{results} ({time.perf_counter() - begun:.0f} s)")

    assert not results.wrong, failure_reports(results, run_watch_seed, "watch")
