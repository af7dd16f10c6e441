"""How a watch ends: what is under way is finished, nothing new begins, and a second signal is final."""

from __future__ import annotations

import signal
import time

import pytest

from reconciler.model.status import Outcome
from tests.support.cli import Checkout
from tests.support.sandbox_corner import Sandbox, wait_for
from tests.support.watching import watching


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_watch_ends_at_once_and_well(checkout: Checkout, sandbox: Sandbox, number: int) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id, "observed")

    with watching(checkout) as watch:
        wait_for((checkout.status_dir / "one.yaml").exists, "the first pass ends")
        code = watch.stop(number)
        said = watch.said()

    assert code == 0
    assert said.splitlines()[-1].endswith('"message": "stopped"}')


def test_a_request_that_is_out_is_finished_and_what_waits_behind_it_is_not_sent(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    checkout.name_provider(concurrency=1)
    ids = sandbox.create(3)
    sandbox.break_with({"fault": "slow", "on": "cancel", "for": "1s"})
    for number, job_id in enumerate(ids):
        checkout.want(f"job-{number}", job_id)

    with watching(checkout) as watch:
        wait_for(lambda: sandbox.cancels(*ids), "one is asked for")
        code = watch.stop()
    asked = sandbox.cancels(*ids)
    sandbox.heal()
    again = checkout.run("--once", "--wait")
    statuses = [checkout.status(f"job-{number}") for number in range(3)]

    assert code == 0
    assert len(asked) == 1
    assert again.code == 0
    assert [each.receipts[0].outcome for each in statuses] == [Outcome.CANCELLED] * 3
    assert sorted(sandbox.cancels(*ids)) == sorted(ids)


def test_a_second_signal_ends_it_at_once(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "slow", "on": "cancel", "job": job_id, "for": "20s"})
    checkout.want("one", job_id)

    with watching(checkout) as watch:
        wait_for(
            lambda: (
                checkout.status_dir.exists() and "one.yaml" in {each.name for each in checkout.status_dir.iterdir()}
            ),
            "the intent is on disk",
        )
        time.sleep(0.2)
        watch.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "stopping" in watch.said(), "it has heard the first")
        begun = time.monotonic()
        code = watch.stop()
        took_s = time.monotonic() - begun

    assert code == -signal.SIGTERM
    assert took_s < 5
