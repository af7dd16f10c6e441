"""A run of `--once`: when it ends, what it retries, and what its report contains."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from reconciler.controller.run_once import run_to_completion
from reconciler.controller.run_options import RunOptions
from reconciler.errors import Delivered, TransientError
from reconciler.model.action import Progress
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Accepted, Account, AlreadyOver, JobRef, Phase
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.reason import Reason
from reconciler.model.report import Expired, ExpiredClock, Report, Row
from reconciler.model.spec import FineTuningJob
from tests.support.build import ACCOUNT, NOW, a_spec
from tests.support.clock import VirtualClock, in_virtual_time
from tests.support.documents import a_provider, located
from tests.support.in_memory import World
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    a_world,
    an_account,
    controlled,
    named_specs,
)
from tests.support.in_memory_operator import Operator
from tests.support.watch_in_memory import TimedAccount

NO_ANSWER = TransientError("no answer", delivered=Delivered.UNKNOWN)
SLOW = Account("openai", "https://slow.example.org/v1")


@dataclass
class Winding(InMemoryAccount):
    """An account whose cancels take effect after `winds_down_s` seconds."""

    winds_down_s: float = 10.0

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Begin to cancel a job."""
        accepted = await self._become("cancel", ref, Phase.CANCELLING)
        asyncio.get_running_loop().call_later(self.winds_down_s, self._end, ref.id)
        return accepted

    def _end(self, id_: str) -> None:
        self.jobs[id_] = replace(self.jobs[id_], phase=Phase.CANCELLED, provider_status="cancelled")


@dataclass
class Once:
    """A run over a world, in virtual time."""

    account: InMemoryAccount = field(default_factory=an_account)
    specs: tuple[FineTuningJob, ...] = (a_spec(),)
    world: World = field(init=False)
    took_s: float = 0.0

    def __post_init__(self) -> None:
        """Create the world with these specs."""
        self.world = a_world(self.account, *self.specs)

    def run(
        self, *, wait_s: float | None = None, timeout_s: float = 60.0, options: RunOptions | None = None, **rest: Any
    ) -> Report:
        """Run until it ends, and return its report."""
        reports = []

        async def main() -> None:
            clock = VirtualClock(NOW)
            runtime = replace(controlled(self.world, **rest), clock=clock)
            done = await run_to_completion(
                runtime, options or RunOptions(), wait_s=wait_s, timeout_s=timeout_s, jitter=lambda: 0.5
            )
            self.took_s = clock.monotonic()
            reports.append(done)

        in_virtual_time(main)
        return reports[0]


def only(report: Report) -> Row:
    (row,) = report.rows
    return row


def test_a_run_without_wait_ends_once_its_request_was_accepted() -> None:
    once = Once()
    report = once.run()

    assert once.account.changes == ["cancel ftjob-abc123"]
    assert once.took_s == 0.0
    assert (only(report).progress, only(report).status.ready.reason) == (Progress.ACCEPTED, Reason.CANCEL_PENDING)
    assert report.exit_code is ExitCode.OK


def test_a_run_with_wait_ends_once_its_cancel_is_confirmed() -> None:
    once = Once(Winding(an_account().jobs))
    report = once.run(wait_s=60.0)

    assert only(report).status.ready.reason is Reason.CANCELLED
    assert only(report).progress is Progress.ACCEPTED  # an earlier pass of this run has sent the cancel
    assert only(report).action is not None
    assert only(report).before is None
    assert 10.0 <= once.took_s < 25.0
    assert once.account.changes == ["cancel ftjob-abc123"]
    assert (report.expired, report.exit_code) == ((), ExitCode.OK)


def test_a_run_whose_wait_expires_reports_the_job_and_ends_in_time() -> None:
    once = Once(Winding(an_account().jobs, winds_down_s=600.0))
    report = once.run(wait_s=30.0)

    assert report.expired == (Expired(ExpiredClock.WAIT, 30.0, ("support-triage",)),)
    assert report.exit_code is ExitCode.TIMED_OUT
    assert 28.0 <= once.took_s <= 30.0


@dataclass
class Recovering(InMemoryAccount):
    """An account whose first `failures` requests fail."""

    failures: int = 2

    def ask(self, what: str) -> None:
        """Record a request, and fail while failures are left."""
        super().ask(what)
        if self.failures:
            self.failures -= 1
            raise NO_ANSWER


def test_a_transient_error_is_retried_until_the_request_succeeds() -> None:
    once = Once(Recovering(an_account().jobs))
    report = once.run()

    assert once.account.asked == ["ftjob-abc123"] * 3 + ["cancel ftjob-abc123"]
    assert only(report).unobserved is None
    assert only(report).progress is Progress.ACCEPTED
    assert report.exit_code is ExitCode.OK
    assert 0.0 < once.took_s < 10.0


def test_a_persistent_error_is_given_up_when_the_timeout_expires() -> None:
    once = Once(Recovering(an_account().jobs, failures=10_000))
    report = once.run(timeout_s=20.0)

    assert report.expired == (Expired(ExpiredClock.TIMEOUT, 20.0, ("support-triage",)),)
    assert report.exit_code is ExitCode.PROVIDER_UNOBSERVED
    assert 17.0 <= once.took_s <= 20.0
    assert once.account.changes == []


def test_a_timeout_of_zero_allows_one_attempt() -> None:
    once = Once(Recovering(an_account().jobs))
    report = once.run(timeout_s=0.0)

    assert once.account.asked == ["ftjob-abc123"]
    assert report.exit_code is ExitCode.PROVIDER_UNOBSERVED


def test_a_silent_account_is_given_up_when_the_timeout_expires() -> None:
    once = Once()
    once.account.takes_s["ftjob-abc123"] = 10_000.0
    report = once.run(timeout_s=20.0)
    unobserved = only(report).unobserved

    assert unobserved is not None
    assert unobserved.message.startswith("no response within 20 s")
    assert once.took_s == pytest.approx(20.0)


def test_a_slow_account_does_not_delay_another_one() -> None:
    chat, code = named_specs("chat")[0], named_specs("code", provider="slow")[0]
    quick, slow = TimedAccount(an_account("ftjob-chat").jobs), TimedAccount(an_account("ftjob-code").jobs)
    slow.takes_s["ftjob-code"] = 30.0
    once = Once(quick, (chat, code))
    revision = once.world.specs.revision
    once.world.specs.revision = replace(
        revision, providers=(located(a_provider("slow", baseUrl=SLOW.base_url), "slow.yaml"),)
    )
    once.world.operator = Operator({"RECONCILE_TRUST": "OPENAI_API_KEY=slow.example.org"})
    once.world.accounts.readers = {ACCOUNT: quick, SLOW: slow}
    report = once.run(wait_s=120.0, timeout_s=120.0)

    assert [row.status.ready.reason for row in report.rows] == [Reason.CANCELLED, Reason.CANCELLED]
    assert quick.asked == ["ftjob-chat", "cancel ftjob-chat", "ftjob-chat"]
    assert quick.when("ftjob-chat")[-1] < 30.0
    assert slow.when("ftjob-code")[0] == pytest.approx(30.0)
    assert {each.account for each in report.accounts} == {ACCOUNT, SLOW}


def test_a_run_with_one_slow_account_reads_the_specs_once() -> None:
    once = Once()
    once.account.takes_s["ftjob-abc123"] = 30.0
    report = once.run()

    assert only(report).progress is Progress.ACCEPTED
    assert len(once.world.specs.reads) == 1


def test_a_change_missing_from_the_pinned_plan_causes_no_request_and_no_write() -> None:
    once = Once()
    report = once.run(options=RunOptions(pinned=PinnedPlan(frozenset())))

    assert [action.name for action in report.unplanned] == ["support-triage"]
    assert report.exit_code is ExitCode.REFUSED
    assert once.account.changes == []
    assert once.world.statuses.jobs == {}


def test_a_dry_run_is_one_pass_that_requests_and_writes_nothing() -> None:
    once = Once()
    report = once.run(control=None, wait_s=60.0)

    assert report.is_dry
    assert (only(report).progress, once.took_s) == (Progress.PLANNED, 0.0)
    assert once.account.changes == []
    assert once.world.statuses.jobs == {}
