"""`--once` in virtual time: how long it runs, what it waits for, and what it reports when a clock expires."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import looptime

from reconciler.controller.run_once import run_to_completion
from reconciler.controller.run_options import ChangeRules, RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.core.scope import ScopedLimits
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusDirectory
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from reconciler.model.report import Expired, ExpiredClock, Report
from tests.scenario.test_watch_loop import ENVIRONMENT, LOOSE, NO_ANSWER, SLOW, Jobs, TwoAccounts
from tests.support.cli import Checkout
from tests.support.clock import VirtualClock

FOR_EVER_S = 100_000.0
"""How long the process would wait for a missing response without a time limit."""


@dataclass(slots=True)
class World:
    """Two accounts, `main` and `slow`, whose jobs are all to be cancelled."""

    checkout: Checkout
    main: Jobs
    slow: Jobs

    @classmethod
    def of(cls, root: Path, *, main: int = 0, slow: int = 0) -> World:
        """Return a world with this many running jobs in each account."""
        clock = VirtualClock()
        jobs = Jobs(clock, {f"ftjob-{number}": Phase.RUNNING for number in range(main)})
        others = Jobs(clock, {f"ftjob-slow-{number}": Phase.RUNNING for number in range(slow)})
        checkout = Checkout(root)
        checkout.write("slow.yaml", SLOW)
        for job_id in jobs.phases:
            checkout.want(job_id, job_id, provider="openai")
        for job_id in others.phases:
            checkout.want(job_id, job_id, provider="slow")
        return cls(checkout, jobs, others)

    def run(self, *, wait_s: float | None, timeout_s: float) -> tuple[Report, float]:
        """Run to the end. Return the report and the duration in seconds."""

        async def main() -> tuple[Report, float]:
            accounts, clock = TwoAccounts(self.main, self.slow), self.main.clock
            runtime = Runtime(
                specs=SpecsDir(self.checkout.specs, self.checkout.status_dir, LocalDisk(self.checkout.specs), "specs"),
                statuses=StatusDirectory(self.checkout.status_dir, LocalDisk(self.checkout.status_dir)),
                policy=ENVIRONMENT,
                accounts=accounts,
                clock=clock,
                control=accounts.control,
            )
            begun, options = clock.monotonic(), RunOptions(rules=ChangeRules(ScopedLimits(LOOSE)))
            once = run_to_completion(runtime, options, wait_s=wait_s, timeout_s=timeout_s, jitter=lambda: 0.5)
            return await once, clock.monotonic() - begun

        with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
            return runner.run(main())


def test_an_ineffective_cancel_is_awaited_for_exactly_the_time_of_wait(tmp_path: Path) -> None:
    world = World.of(tmp_path, main=1)
    world.main.is_cancel_lost = True
    report, took_s = world.run(wait_s=10, timeout_s=300)

    assert report.exit_codes == {ExitCode.TIMED_OUT}
    assert report.expired == (Expired(ExpiredClock.WAIT, 10, ("ftjob-0",)),)
    assert took_s <= 10


def test_an_account_that_never_responds_is_abandoned_after_the_timeout(tmp_path: Path) -> None:
    world = World.of(tmp_path, slow=3)
    world.slow.trouble = lambda _: FOR_EVER_S
    report, took_s = world.run(wait_s=1800, timeout_s=20)

    assert report.exit_codes == {ExitCode.PROVIDER_UNOBSERVED}
    assert [(each.clock, len(each.names)) for each in report.expired] == [(ExpiredClock.TIMEOUT, 3)]
    assert [each.unobserved and each.unobserved.message for each in report.accounts] == ["no response within 20 s"]
    assert took_s <= 20.1


def test_an_account_that_fails_at_once_is_retried_until_the_timeout_and_not_until_wait(tmp_path: Path) -> None:
    world = World.of(tmp_path, main=1, slow=1)

    def away(_: str) -> None:
        raise NO_ANSWER

    world.slow.trouble = away
    report, took_s = world.run(wait_s=1800, timeout_s=20)

    assert report.exit_codes == {ExitCode.PROVIDER_UNOBSERVED}
    assert report.expired == (Expired(ExpiredClock.TIMEOUT, 20, ("ftjob-slow-0",)),)
    assert 10 <= took_s <= 20
    assert len(world.slow.asked_at) > 3


def test_an_account_that_hangs_does_not_delay_the_confirmation_of_another_ones_cancel(tmp_path: Path) -> None:
    world = World.of(tmp_path, main=1, slow=1)
    world.slow.trouble = lambda _: FOR_EVER_S
    report, took_s = world.run(wait_s=15, timeout_s=60)

    assert world.checkout.status("ftjob-0").is_ready
    assert report.exit_codes == {ExitCode.PROVIDER_UNOBSERVED}
    assert took_s <= 60.1


def test_a_slow_account_that_responds_is_observed_completely(tmp_path: Path) -> None:
    world = World.of(tmp_path, slow=12)
    world.slow.trouble = lambda what: 8.0 if what == "get" else None
    report, _ = world.run(wait_s=600, timeout_s=20)

    assert report.exit_codes == frozenset()
    assert all(world.checkout.status(row.name).is_ready for row in report.rows)


def test_one_failure_late_in_a_long_wait_does_not_end_it(tmp_path: Path) -> None:
    world = World.of(tmp_path, main=1)
    world.main.is_cancel_lost = True

    def late(_: str) -> None:
        now = world.main.clock.monotonic()
        if 1000 <= now < 1100:
            raise NO_ANSWER
        world.main.is_cancel_lost = now < 1100

    world.main.trouble = late
    report, took_s = world.run(wait_s=3600, timeout_s=300)

    assert report.exit_codes == frozenset()
    assert 1100 <= took_s <= 3600


def test_an_observation_that_hangs_is_aborted_when_wait_runs_out(tmp_path: Path) -> None:
    world = World.of(tmp_path, main=1)
    world.main.is_cancel_lost = True
    world.main.trouble = lambda what: FOR_EVER_S if what == "get" and world.main.cancels else None
    report, took_s = world.run(wait_s=10, timeout_s=300)

    assert report.exit_codes == {ExitCode.PROVIDER_UNOBSERVED, ExitCode.TIMED_OUT}
    assert [each.unobserved and each.unobserved.message for each in report.accounts] == [
        "no response within 10 s, then --wait expired"
    ]
    assert took_s <= 10.1
