"""A run of `--once`: what it plans and retries a second time, and how it is cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from reconciler.controller.run_once import run_to_completion
from reconciler.controller.run_options import RunOptions
from reconciler.errors import ConflictError, PublishError
from reconciler.model.action import Progress
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from reconciler.model.pinned_plan import PinnedPlan
from tests.support.build import NOW
from tests.support.clock import VirtualClock, in_virtual_time
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    SharedBranch,
    an_account,
    controlled,
)
from tests.unit.test_run_once import NO_ANSWER, Once, Winding, only


@dataclass
class Contested(SharedBranch):
    """A status branch to which another process publishes first, once."""

    conflicts: int = 1

    async def publish(self, message: str, is_valid: object = None) -> str | None:  # noqa: ARG002  not needed here
        """Publish, or raise `ConflictError` while conflicts are left."""
        if self.conflicts:
            self.conflicts -= 1
            raise ConflictError
        return await super().publish(message)

    async def publish_on_top(self, message: str) -> str | None:
        """Publish without a conflict."""
        return await super().publish(message)


def test_a_change_superseded_by_a_publish_conflict_is_planned_again_at_once() -> None:
    once, branch = Once(), Contested()
    report = once.run(publisher=branch)

    assert once.account.changes == ["cancel ftjob-abc123"]
    assert only(report).progress is Progress.ACCEPTED
    assert once.took_s <= 0.2
    assert report.published == f"commit-{len(branch.messages)}"


def test_an_error_repeated_in_several_passes_of_a_run_is_reported_once() -> None:
    once = Once(Winding(an_account().jobs))
    report = once.run(wait_s=60.0, publisher=SharedBranch(is_shared=False, trouble=PublishError("down")))

    assert report.errors == ("the statuses could not be published: down",)
    assert report.exit_code is ExitCode.SOFTWARE


def test_a_spec_named_for_retry_is_retried_at_once_and_only_once() -> None:
    once = Once()
    once.account.broken["cancel ftjob-abc123"] = NO_ANSWER
    once.run(timeout_s=0.0)
    once.run(wait_s=4.0, options=RunOptions(retry=frozenset({"support-triage"})))
    (status,) = once.world.statuses.jobs.values()

    assert once.account.changes == ["cancel ftjob-abc123"] * 2
    assert [receipt.attempts for receipt in status.receipts] == [2]


def test_a_change_in_the_pinned_plan_is_requested() -> None:
    planned = only(Once().run(control=None)).action
    assert planned is not None
    once = Once()
    report = once.run(options=RunOptions(pinned=PinnedPlan.of([planned])))

    assert once.account.changes == ["cancel ftjob-abc123"]
    assert report.exit_code is ExitCode.OK


def test_cancelling_a_run_cancels_its_account_workers() -> None:
    once = Once()
    once.account.takes_s["ftjob-abc123"] = 60.0

    async def main() -> None:
        runtime = replace(controlled(once.world), clock=VirtualClock(NOW))
        run = run_to_completion(runtime, RunOptions(), wait_s=None, timeout_s=600.0, jitter=lambda: 0.5)
        task = asyncio.ensure_future(run)
        await asyncio.sleep(30.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(600.0)
        assert once.account.asked == []

    in_virtual_time(main)


@pytest.mark.parametrize("account", [an_account("ftjob-x"), an_account(phase=Phase.FAILED)], ids=["gone", "failed"])
def test_a_run_with_wait_does_not_wait_for_an_absent_or_failed_job(account: InMemoryAccount) -> None:
    once = Once(account)
    once.run(wait_s=600.0)

    assert once.took_s == 0.0
