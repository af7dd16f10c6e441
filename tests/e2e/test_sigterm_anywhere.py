"""SIGTERM at random moments of a busy watch: it ends in time, leaves no torn file, and the next watch continues.

With `--long`, there are fifty moments.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from reconciler.model.status import Outcome
from tests.support.cli import LOOSE, Checkout
from tests.support.sandbox_client import Sandbox
from tests.support.watch_process import watching

JOBS_EACH = 3
ENDS_WITHIN_S = 25


def test_sigterm_at_any_moment_tears_no_file_and_repeats_no_request(
    checkout: Checkout,
    sandbox: Sandbox,
    record_property: Callable[[str, object], None],
    pytestconfig: pytest.Config,
) -> None:
    moments = 50 if pytestconfig.getoption("long") else 3
    rng = random.Random(7)  # noqa: S311  a seed determines the run
    ids = sandbox.create(moments * JOBS_EACH)
    sandbox.break_with({"fault": "slow", "on": "cancel", "for": "0.3s"})
    ends = []
    for turn in range(moments):
        for number in range(turn * JOBS_EACH, (turn + 1) * JOBS_EACH):
            checkout.want(f"job-{number}", ids[number])
        with watching(checkout, *LOOSE) as watch:
            time.sleep(rng.uniform(0, 0.5))
            begun = time.monotonic()
            ends.append((watch.stop(), time.monotonic() - begun))
    torn = list(checkout.specs.rglob(".*.tmp"))
    sandbox.heal()
    again = checkout.run("--once", "--wait", *LOOSE)
    outcomes = {checkout.status(f"job-{number}").receipts[0].outcome for number in range(len(ids))}

    record_property(f"stopped at {moments} moments", f"the slowest end took {max(took_s for _, took_s in ends):.1f} s")

    assert {code for code, _ in ends} == {0}
    assert max(took_s for _, took_s in ends) < ENDS_WITHIN_S
    assert torn == []
    assert again.code == 0
    assert outcomes == {Outcome.CANCELLED}
    assert sorted(sandbox.cancels(*ids)) == sorted(ids)
