"""The statuses that a pass writes without an account's worker: of blocked specs, deleted specs and accounts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.budget_sources import budget_of
from reconciler.controller.desired_specs import load_desired_specs
from reconciler.controller.other_statuses import OtherStatuses, write_other_statuses
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.plan import AccountPlan
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.run_options import RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.core.change_budget import ChangeBudget
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus
from reconciler.ports import BrokenJob, Snapshot
from tests.support.build import ACCOUNT, a_spec
from tests.support.documents import a_provider, located
from tests.support.in_memory import Statuses, World
from tests.support.in_memory_accounts import (
    PickyStatuses,
    a_case,
    a_target,
    a_world,
    an_account,
    controlled,
    named_specs,
)
from tests.support.subjects import a_past, a_subject

AWAY = Unobserved(Reason.AUTHENTICATION_FAILED, "401", is_transient=False)
BROKEN = BrokenJob(
    name="code", file="code.yaml", diagnostics=(Diagnostic(file="code.yaml", field="spec.jobId", message="is missing"),)
)


def written(
    runtime: Runtime, *outcomes: AccountOutcome, memory: PassMemory | None = None, **options: Any
) -> OtherStatuses:
    """Write the other statuses of a pass."""
    memory, run = memory or PassMemory(), RunOptions(**options)
    desired = load_desired_specs(runtime, run, ResolutionCache(), by_content=True)
    memory.unobserved.take_in([each.plan for each in outcomes if each.plan], desired.unfinished)
    budget = budget_of(desired, run.rules, ChangeBudget(), runtime)
    return write_other_statuses(desired, outcomes, budget, memory, runtime)


def reasons(world: World) -> dict[str, Reason]:
    return {each.name: each.ready.reason for each in world.statuses.jobs.values()}


def with_a_broken_spec() -> World:
    return a_world(an_account("ftjob-chat"), *named_specs("chat"), broken_jobs=(BROKEN,))


def a_status_of(name: str) -> JobStatus:
    return replace(a_past(a_subject("observed")), name=name)


def test_a_blocked_spec_gets_a_status_with_the_reason() -> None:
    world = with_a_broken_spec()
    others = written(controlled(world))
    (status,) = world.statuses.jobs.values()

    assert (status.name, status.ready.reason) == ("code", Reason.INVALID_SPEC)
    assert status.ready.message == "spec.jobId: is missing"
    assert status.is_stalled
    assert list(others.blocked.values()) == [status]
    assert others.errors == ()


def test_the_status_of_a_blocked_spec_keeps_the_known_phase_of_its_job() -> None:
    world = with_a_broken_spec()
    world.statuses = Statuses.of(replace(a_status_of("code"), source="code.yaml"))
    written(controlled(world))
    (status,) = world.statuses.jobs.values()

    assert (status.ready.reason, status.phase) == (Reason.INVALID_SPEC, Phase.RUNNING)


def test_a_dry_run_reports_blocked_specs_and_changes_no_status() -> None:
    world = with_a_broken_spec()
    gone = a_status_of("gone")
    world.statuses = Statuses.of(gone)
    others = written(world.runtime())

    assert [each.name for each in others.blocked.values()] == ["code"]
    assert others.removed == ()
    assert list(world.statuses.jobs.values()) == [gone]


def test_a_status_that_a_running_account_worker_owns_is_not_changed() -> None:
    world, memory = with_a_broken_spec(), PassMemory()
    world.statuses = Statuses.of(a_status_of("gone"))

    async def main() -> None:
        memory.workers.begin(ACCOUNT, {"code", "gone"}, forever(), 0.0)
        written(controlled(world), memory=memory)
        await memory.workers.abandon()

    asyncio.run(main())

    assert reasons(world) == {"gone": a_status_of("gone").ready.reason}


async def forever() -> AccountOutcome:
    await asyncio.Event().wait()
    raise AssertionError


def test_the_status_of_two_specs_with_one_name_keeps_the_known_job() -> None:
    other, code = a_spec("code", jobId="ftjob-other"), a_spec("code")
    world = a_world(an_account())
    world.specs.revision = Snapshot(jobs=(located(other, "later.yaml"), located(code, "code.yaml")))
    world.statuses = Statuses.of(replace(a_status_of("code"), source="code.yaml"))
    written(controlled(world))
    (status,) = world.statuses.jobs.values()

    assert (status.source, status.phase, status.ready.reason) == ("code.yaml", Phase.RUNNING, Reason.DUPLICATE_JOB)


def test_a_blocked_spec_writes_no_status_under_the_name_of_an_allowed_spec() -> None:
    chat = a_spec("chat", provider="research")
    world = a_world(an_account(), providers=(located(a_provider(allowedPaths=["bots.yaml"])),))
    world.specs.revision = replace(
        world.specs.revision, jobs=(located(chat), located(chat, "elsewhere/intruder.yaml", line=2))
    )
    others = written(controlled(world))

    assert [each.source for each in others.blocked.values()] == ["elsewhere/intruder.yaml"]
    assert world.statuses.jobs == {}


def test_the_statuses_of_deleted_specs_are_removed() -> None:
    world = a_world(an_account("ftjob-chat"), *named_specs("chat"))
    world.statuses = Statuses.of(a_status_of("gone"))
    others = written(controlled(world))

    assert others.removed == ("gone",)
    assert world.statuses.jobs == {}


def test_a_run_with_a_filter_removes_no_status() -> None:
    world = a_world(an_account("ftjob-chat"), *named_specs("chat"))
    world.statuses = Statuses.of(a_status_of("gone"), a_status_of("chat"), discarded=("old.yaml",))
    others = written(controlled(world), is_selected=lambda _: True)

    assert others == OtherStatuses()
    assert set(reasons(world)) == {"gone", "chat"}
    assert world.statuses.discarded == ("old.yaml",)


def test_discarded_status_files_are_removed_once_every_spec_has_a_status() -> None:
    world = a_world(an_account("ftjob-chat"), *named_specs("chat"))
    world.statuses = Statuses.of(a_status_of("chat"), discarded=("old.yaml",))
    others = written(controlled(world))

    assert others.notices == ("specs/status/old.yaml: removed, because no spec has this status",)
    assert world.statuses.discarded == ()


def test_discarded_status_files_are_kept_while_the_revision_is_not_trusted() -> None:
    world = a_world(an_account("ftjob-chat"), *named_specs("chat"), why_not_trusted="the branch was rewound")
    world.statuses = Statuses.of(a_status_of("chat"), discarded=("old.yaml",))

    assert written(controlled(world)).notices == ()
    assert world.statuses.discarded == ("old.yaml",)


def away() -> AccountOutcome:
    """Return the outcome of an account that could not be observed."""
    return AccountOutcome(
        a_target(), "openai", AccountPlan(ACCOUNT, (a_case(a_spec(), unobserved=AWAY),), AWAY, (), ())
    )


def test_an_account_that_cannot_be_observed_gets_a_status() -> None:
    world = a_world(an_account(), a_spec())
    written(controlled(world), away())

    assert [each.reason for each in world.statuses.providers.values()] == [Reason.AUTHENTICATION_FAILED]


def test_a_stopping_run_writes_no_account_status() -> None:
    world = a_world(an_account(), a_spec())
    written(controlled(world, is_stopping=lambda: True), away())

    assert world.statuses.providers == {}


def test_the_status_of_an_account_is_removed_with_its_last_spec() -> None:
    world = a_world(an_account(), a_spec())
    written(controlled(world), away())
    world.specs.revision = a_world(an_account(), a_spec(provider="nobody")).specs.revision
    written(controlled(world))

    assert world.statuses.providers == {}


def test_each_status_that_cannot_be_written_or_removed_is_an_error() -> None:
    world = with_a_broken_spec()
    full = OSError(28, "No space left on device")
    world.statuses = PickyStatuses.of(a_status_of("gone"), refuse=lambda _: full)
    others = written(controlled(world))

    assert others.errors == (
        "the status of code could not be written: No space left on device",
        "the status of gone could not be removed: No space left on device",
    )
