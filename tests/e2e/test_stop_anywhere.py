"""SIGTERM at random moments of a busy watch: it ends in time, tears nothing, and the next one goes on from there.

`RECONCILE_STOPS` says at how many moments.
"""

from __future__ import annotations

import os
import random
import time

from reconciler.model.status import Outcome
from tests.support.cli import Checkout
from tests.support.sandbox_corner import Sandbox
from tests.support.watching import watching

MOMENTS = int(os.environ.get("RECONCILE_STOPS", "3"))
JOBS_EACH = 3
ENDS_WITHIN_S = 25


def test_a_stop_at_any_moment_tears_nothing_and_asks_for_nothing_twice(checkout: Checkout, sandbox: Sandbox) -> None:
    rng = random.Random(7)  # noqa: S311  a seed is a run
    ids = sandbox.create(MOMENTS * JOBS_EACH)
    sandbox.break_with({"fault": "slow", "on": "cancel", "for": "0.3s"})
    loose = ("--max-cancels", "1000", "--max-cancels-absolute", "1000")
    ends = []
    for turn in range(MOMENTS):
        for number in range(turn * JOBS_EACH, (turn + 1) * JOBS_EACH):
            checkout.want(f"job-{number}", ids[number])
        with watching(checkout, *loose) as watch:
            time.sleep(rng.uniform(0, 0.5))
            begun = time.monotonic()
            ends.append((watch.stop(), time.monotonic() - begun < ENDS_WITHIN_S))
    torn = list(checkout.specs.rglob(".*.tmp"))
    sandbox.heal()
    again = checkout.run("--once", "--wait", *loose)
    outcomes = {checkout.status(f"job-{number}").receipts[0].outcome for number in range(len(ids))}

    assert ends == [(0, True)] * MOMENTS
    assert torn == []
    assert again.code == 0
    assert outcomes == {Outcome.CANCELLED}
    assert sorted(sandbox.cancels(*ids)) == sorted(ids)
