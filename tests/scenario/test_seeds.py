from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.scenario.seed_runner import check_all_seeds, failure_report, failure_reports, run_seed
from tests.scenario.seeded_run import scenario
from tests.scenario.simulation import simulate

SEEDS = (0, 1, 2, 3, 4, 5, 6, 9, 11, 13, 14, 15, 17, 18, 19, 21, 23, 29, 31, 38, 41, 43)
"""The seeds of an ordinary run: each is the first that detects one of the planted bugs in PROOFS.md."""
FAULTS_MIN = 9
"""The minimum number of faults in a seed, on average."""


def test_no_seed_violates_a_law(pytestconfig: pytest.Config, record_property: Callable[[str, object], None]) -> None:
    one = pytestconfig.getoption("--seed")
    if one is not None:
        history, wrong = run_seed(one)

        assert not wrong, failure_report(one, wrong, history.lines())
        return
    count = pytestconfig.getoption("--seeds") or (1000 if pytestconfig.getoption("--long") else None)
    seeds = SEEDS if count is None else range(count)
    begun = time.perf_counter()
    results = check_all_seeds(seeds)
    record_property("simulated", f"{results} ({time.perf_counter() - begun:.0f} s)")

    assert not results.wrong, failure_reports(results)
    # A few seeds may have too few faults, so the minimum does not apply to them.
    assert len(seeds) < len(SEEDS) or results.faults.total() >= FAULTS_MIN * len(seeds)


def fingerprint(seed: int) -> str:
    return hashlib.sha256("\n".join(simulate(scenario(seed)).lines()).encode()).hexdigest()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", [3, 11])
def test_a_seed_produces_the_same_story_in_every_process(seed: int) -> None:
    # A spawned process has its own hash seed, so a result that depends on the order of a set would differ.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        elsewhere = pool.submit(fingerprint, seed).result()

    assert elsewhere == fingerprint(seed)
