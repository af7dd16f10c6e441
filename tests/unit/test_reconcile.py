"""One pass from end to end: what it observes, what it leaves to the next pass, and what it remembers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.controller.build_report import PassResult
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.run_options import RunOptions
from reconciler.model.action import Progress
from reconciler.model.job import JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import FineTuningJob
from tests.support.build import ACCOUNT, NOW, a_spec
from tests.support.clock import VirtualClock, in_virtual_time
from tests.support.documents import a_settings, located
from tests.support.in_memory import World
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    SharedBranch,
    a_revision,
    a_world,
    an_account,
    controlled,
    named_specs,
)
from tests.support.subjects import MINUTE

NOTHING: frozenset[JobRef] = frozenset()


@dataclass
class Process:
    """A process that makes passes a minute apart."""

    account: InMemoryAccount = field(default_factory=an_account)
    specs: tuple[FineTuningJob, ...] = (a_spec(),)
    memory: PassMemory = field(default_factory=PassMemory)
    world: World = field(init=False)

    def __post_init__(self) -> None:
        """Create the world with these specs."""
        self.world = a_world(self.account, *self.specs)

    def make_pass(
        self, due: frozenset[JobRef] | None = None, *, options: RunOptions | None = None, **runtime: Any
    ) -> PassResult:
        """Make a pass, and advance the clock by a minute."""
        self.account.asked.clear()
        made = reconcile_once(controlled(self.world, **runtime), options or RunOptions(), self.memory, due)
        result = asyncio.run(made)
        self.world.clock.moment += MINUTE
        return result

    def reasons(self) -> dict[str, Reason]:
        """Return the reason of each status."""
        return {each.name: each.ready.reason for each in self.world.statuses.jobs.values()}


def of_both(**spec: str) -> Process:
    """Return a process over the specs `chat` and `code`, whose jobs run."""
    return Process(an_account("ftjob-chat", "ftjob-code"), tuple(named_specs("chat", "code", **spec)))


def test_two_specs_that_name_one_job_by_its_two_ids_are_reported_and_request_no_change() -> None:
    process = of_both()
    chat = replace(process.account.jobs["ftjob-chat"], aliases=("ftjob-code",))
    process.account.jobs.update({"ftjob-chat": chat, "ftjob-code": chat})
    process.make_pass()

    assert process.account.changes == []
    assert process.reasons() == dict.fromkeys(("chat", "code"), Reason.DUPLICATE_JOB)


def test_a_pass_cancels_a_job_and_the_next_pass_confirms_the_cancel() -> None:
    process = Process()
    first = process.make_pass()
    told = process.reasons()
    second = process.make_pass()

    assert first.report.rows[0].progress is Progress.ACCEPTED
    assert told == {"support-triage": Reason.CANCEL_PENDING}
    assert process.account.asked == ["ftjob-abc123"]
    assert second.report.rows[0].progress is None
    assert process.reasons() == {"support-triage": Reason.CANCELLED}


def test_a_pass_without_changes_leaves_the_statuses_unchanged() -> None:
    process = of_both(desiredState="observed")
    process.make_pass()
    before = dict(process.world.statuses.jobs)
    process.make_pass()

    assert process.world.statuses.jobs == before


def test_a_pass_observes_only_the_jobs_that_are_due() -> None:
    process = of_both(desiredState="observed")
    process.make_pass()
    process.make_pass(frozenset({JobRef(ACCOUNT, "ftjob-code")}))

    assert process.account.asked == ["ftjob-code"]
    process.make_pass(NOTHING)
    assert process.account.asked == []


def test_the_job_of_a_changed_spec_is_observed_even_if_it_is_not_due() -> None:
    process = of_both(desiredState="observed")
    process.make_pass()
    chat = named_specs("chat")[0]
    process.world.specs.revision = a_revision(chat, *named_specs("code", desiredState="observed"))
    process.make_pass(NOTHING)

    assert process.account.asked == ["ftjob-chat", "cancel ftjob-chat"]


def test_every_job_is_observed_in_the_first_pass_after_a_halt() -> None:
    process = of_both()
    process.world.specs.revision = replace(process.world.specs.revision, why_not_trusted="the branch was rewound")
    halted = process.make_pass()
    asked = list(process.account.changes)
    process.world.specs.revision = replace(process.world.specs.revision, why_not_trusted=None)
    process.make_pass(NOTHING)

    assert halted.is_halted
    assert asked == []
    assert process.account.changes == ["cancel ftjob-chat", "cancel ftjob-code"]


def test_the_interval_of_settings_applies_and_is_kept_while_they_are_unreadable() -> None:
    process = of_both(desiredState="observed")
    revision = process.world.specs.revision
    process.world.specs.revision = replace(revision, settings=(located(a_settings(interval="30s")),))
    read = process.make_pass()
    process.world.specs.revision = replace(revision, is_settings_broken=True)

    assert read.interval == timedelta(seconds=30)
    assert process.make_pass().interval == timedelta(seconds=30)


def test_the_guard_refuses_a_batch_over_its_limits_and_the_rows_show_the_refusal() -> None:
    names = ("a", "b", "c", "d", "e")
    process = Process(an_account(*(f"ftjob-{name}" for name in names)), tuple(named_specs(*names)))
    report = process.make_pass().report

    assert process.account.changes == []
    assert {row.progress for row in report.rows} == {Progress.REFUSED}
    assert set(process.reasons().values()) == {Reason.REFUSED_BY_GUARD}
    assert len(report.refusals) == 1


def test_the_journal_counts_first_attempts_whose_statuses_were_removed() -> None:
    names = ("a", "b", "c", "d")
    process = Process(an_account(*(f"ftjob-{name}" for name in names)), tuple(named_specs(*names[:3])))
    process.make_pass()
    process.world.statuses.jobs.clear()
    process.world.specs.revision = a_revision(*named_specs("d"))
    process.make_pass()

    assert process.account.changes == []
    assert process.account.jobs["ftjob-d"].phase is Phase.RUNNING


def test_a_pass_is_published_once() -> None:
    branch = SharedBranch(is_shared=False)
    report = Process().make_pass(publisher=branch).report

    assert len(branch.messages) == 1
    assert report.published == "commit-1"


def test_a_job_whose_provider_type_has_a_bug_is_remembered_as_unobserved() -> None:
    process = of_both(desiredState="observed")
    process.account.broken["ftjob-chat"] = ZeroDivisionError()
    report = process.make_pass().report

    assert {ref.id for ref in process.memory.unobserved.jobs} == {"ftjob-chat"}
    assert len(report.errors) == 1
    assert report.errors[0].startswith("chat: a bug in the provider type: ZeroDivisionError")


def test_the_result_of_a_slow_account_is_reported_by_a_later_pass() -> None:
    process = Process()
    process.account.takes_s["ftjob-abc123"] = 10.0

    async def main() -> None:
        runtime = replace(controlled(process.world), clock=VirtualClock(NOW))

        async def make_pass() -> PassResult:
            return await reconcile_once(
                runtime, RunOptions(), process.memory, NOTHING, yield_signal=lambda: asyncio.sleep(1.0)
            )

        first = await make_pass()
        second = await make_pass()
        await asyncio.sleep(20.0)
        third = await make_pass()

        assert (first.looked, second.looked) == (frozenset(), frozenset())
        assert process.account.asked == ["ftjob-abc123", "cancel ftjob-abc123"]  # one retrieve and one cancel
        assert third.looked == {"support-triage"}
        assert third.report.rows[0].progress is Progress.ACCEPTED

    in_virtual_time(main)


def test_a_spec_changed_during_a_slow_observation_is_observed_again() -> None:
    process = of_both(desiredState="observed")
    process.account.takes_s = dict.fromkeys(("ftjob-chat", "ftjob-code"), 10.0)

    async def main() -> None:
        runtime = replace(controlled(process.world), clock=VirtualClock(NOW))

        async def make_pass() -> PassResult:
            return await reconcile_once(
                runtime, RunOptions(), process.memory, NOTHING, yield_signal=lambda: asyncio.sleep(1.0)
            )

        await make_pass()
        process.world.specs.revision = a_revision(
            *named_specs("chat", desiredState="running"), *named_specs("code", desiredState="observed")
        )
        await make_pass()
        await asyncio.sleep(60.0)
        process.account.asked.clear()
        await make_pass()
        await asyncio.sleep(60.0)

        assert "ftjob-chat" in process.account.asked
        await process.memory.workers.abandon()

    in_virtual_time(main)


@pytest.mark.parametrize("by_content", [True, False])
def test_a_pass_reads_every_file_by_content_only_if_requested(*, by_content: bool) -> None:
    process = Process()
    asyncio.run(reconcile_once(controlled(process.world), RunOptions(), process.memory, by_content=by_content))

    assert process.world.specs.reads == [by_content]
