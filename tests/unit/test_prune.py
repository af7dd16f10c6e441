"""The pruning of the statuses of deleted specs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.desired_specs import DesiredSpecs, load_desired_specs
from reconciler.controller.prune import Pruned, attempt, prune_statuses, write_all
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.run_options import RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.core.guard import ChangeLimits
from reconciler.model.job import Observed, Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import JobStatus, Outcome
from tests.support.build import NOW, a_job, a_spec
from tests.support.in_memory import Statuses, World
from tests.support.in_memory_accounts import (
    PickyStatuses,
    a_target,
    a_world,
    an_account,
    controlled,
    named_specs,
)
from tests.support.subjects import HOUR, MINUTE, a_past, a_receipt, a_subject

LOOSE = ChangeLimits(max_cancels=100, max_cancel_percent=100, max_cancels_absolute=100)
FULL = OSError(28, "No space left on device", "x.yaml")
KEPT = (
    "disappeared at once; their statuses are kept. If you meant to delete the specs, restore them and delete a few at "
    "a time. At least one spec must remain."
)
UNREADABLE = "the file of the spec cannot be read, so it is unknown whether the spec was deleted"


def status_of(name: str, **rest: object) -> JobStatus:
    """Return the status of a running job that is only observed."""
    status = a_past(a_subject("observed"), Phase.RUNNING, age=HOUR)
    assert status.job is not None
    usual = {"name": name, "job": replace(status.job, id=f"ftjob-{name}")}
    return replace(status, **usual | rest)  # type: ignore[arg-type]  # the fields of a status


def asked_of(name: str, age: timedelta = MINUTE, **receipt: Any) -> JobStatus:
    """Return the status of a job whose cancel was requested `age` ago."""
    return status_of(name, receipts=(a_receipt(age=age, **receipt),))


def a_tree(statuses: Statuses, *jobs: FineTuningJob, **snapshot: object) -> World:
    """Return a world with these specs and statuses."""
    world = a_world(an_account(), *jobs, **snapshot)
    world.statuses = statuses
    return world


def desired_in(runtime: Runtime) -> DesiredSpecs:
    return load_desired_specs(runtime, RunOptions(), ResolutionCache(), by_content=True)


def pruned(
    world: World,
    *outcomes: AccountOutcome,
    busy: Collection[str] = (),
    limits: ChangeLimits = LOOSE,
) -> Pruned:
    """Prune the statuses of a world, and return the result."""
    runtime = controlled(world)
    return prune_statuses(desired_in(runtime), outcomes, busy, limits, runtime)


def names(world: World) -> set[str]:
    """Return the names of the statuses that are on the disk."""
    return {each.name for each in world.statuses.jobs.values()}


def reason(world: World, name: str) -> Reason:
    return next(each.ready.reason for each in world.statuses.jobs.values() if each.name == name)


def test_only_the_status_of_a_deleted_spec_is_removed() -> None:
    world = a_tree(Statuses.of(status_of("chat"), status_of("code")), *named_specs("chat"))

    assert pruned(world) == Pruned(removed=("code",))
    assert names(world) == {"chat"}


def test_a_status_that_a_running_account_worker_owns_is_not_pruned() -> None:
    world = a_tree(Statuses.of(status_of("code")), *named_specs("chat"))

    assert pruned(world, busy={"code"}) == Pruned()
    assert names(world) == {"code"}


def test_a_status_whose_spec_file_is_unreadable_is_kept_and_reports_it() -> None:
    lost = status_of("code", source="broken.yaml")
    world = a_tree(Statuses.of(lost), *named_specs("chat"), broken_files=frozenset({"broken.yaml"}))

    assert pruned(world) == Pruned()
    assert names(world) == {"code"}
    assert reason(world, "code") is Reason.INVALID_SPEC
    (status,) = world.statuses.jobs.values()
    assert (status.ready.message, status.phase) == (UNREADABLE, Phase.RUNNING)


def test_no_status_is_pruned_while_any_spec_file_is_unreadable() -> None:
    told = status_of("code")
    world = a_tree(Statuses.of(told), *named_specs("chat"), broken_files=frozenset({"broken.yaml"}))

    assert pruned(world) == Pruned()
    assert list(world.statuses.jobs.values()) == [told]


@pytest.mark.parametrize("why", [{"why_not_trusted": "the branch was rewound"}, {"is_settings_broken": True}], ids=str)
def test_no_status_is_pruned_by_a_revision_that_is_not_acted_on(why: dict[str, object]) -> None:
    world = a_tree(Statuses.of(status_of("code")), *named_specs("chat"), **why)

    assert pruned(world) == Pruned()
    assert names(world) == {"code"}


def test_no_status_is_pruned_if_all_specs_disappear() -> None:
    world = a_tree(Statuses.of(status_of("code")))
    told = pruned(world)

    assert told.removed == ()
    assert told.notices == (f"1 of 1 specs {KEPT}",)
    assert names(world) == {"code"}


def test_statuses_are_kept_if_more_specs_disappear_at_once_than_the_guard_allows() -> None:
    gone = [status_of(name) for name in ("a", "b", "c", "d")]
    world = a_tree(Statuses.of(*gone), *named_specs("chat", "code"))

    assert pruned(world, limits=ChangeLimits()) == Pruned(notices=(f"4 of 6 specs {KEPT}",))
    assert names(world) == {"a", "b", "c", "d"}


def test_the_statuses_of_three_specs_deleted_at_once_are_pruned() -> None:
    gone = [status_of(name) for name in ("a", "b", "c")]
    world = a_tree(Statuses.of(*gone), *named_specs("chat", "code"))

    assert pruned(world, limits=ChangeLimits()).removed == ("a", "b", "c")
    assert names(world) == set()


def test_specs_reported_as_deleted_before_are_not_counted_again() -> None:
    waiting = [asked_of(name) for name in ("a", "b", "c", "d")]
    world = a_tree(Statuses.of(*waiting, status_of("e")), *named_specs("chat"))
    told = pruned(world, limits=ChangeLimits())

    assert told.removed == ("e",)
    assert told.notices == ()


def test_a_status_with_an_open_request_is_kept_after_its_spec_is_deleted() -> None:
    world = a_tree(Statuses.of(asked_of("code")), *named_specs("chat"))

    assert pruned(world) == Pruned()
    assert reason(world, "code") is Reason.SPEC_DELETED
    assert world.statuses.durable == {"code"}


def test_a_status_whose_open_request_is_over_a_day_old_is_pruned() -> None:
    world = a_tree(Statuses.of(asked_of("code", 25 * HOUR)), *named_specs("chat"))

    assert pruned(world).removed == ("code",)
    assert names(world) == set()


def a_look_at(name: str, phase: Phase) -> AccountOutcome:
    """Return the outcome of an account that observed the job of a deleted spec."""
    return AccountOutcome(a_target(), "openai", None, orphans={name: Observed(a_job(phase, finished_at=NOW))})


def test_a_deleted_specs_confirmed_cancel_is_kept_while_the_guard_counts_it() -> None:
    world = a_tree(Statuses.of(asked_of("code", accepted_at=NOW - MINUTE)), *named_specs("chat"))
    told = pruned(world, a_look_at("code", Phase.CANCELLED))
    (status,) = world.statuses.jobs.values()

    assert told.removed == ()
    assert [each.outcome for each in status.receipts] == [Outcome.CANCELLED]
    assert status.ready.reason is Reason.SPEC_DELETED
    assert status.ready.message.startswith("the spec was deleted; the guard counts its requests until ")


def test_a_status_is_pruned_once_the_guard_no_longer_counts_its_confirmed_cancel() -> None:
    world = a_tree(Statuses.of(asked_of("code", 2 * HOUR, accepted_at=NOW - HOUR)), *named_specs("chat"))

    assert pruned(world, a_look_at("code", Phase.CANCELLED)).removed == ("code",)
    assert names(world) == set()


def test_the_old_status_of_a_renamed_spec_is_pruned_once_the_new_name_has_one() -> None:
    old = status_of("chat")
    world = a_tree(Statuses.of(old), a_spec("talk", jobId="ftjob-chat"))
    before = pruned(world)
    world.statuses.write(replace(old, name="talk"), durable=False)
    after = pruned(world)

    assert before == after == Pruned()
    assert names(world) == {"talk"}


def test_the_old_status_of_a_renamed_spec_is_kept_until_the_new_name_has_one() -> None:
    world = a_tree(Statuses.of(status_of("chat")), a_spec("talk", jobId="ftjob-chat"))
    pruned(world)

    assert names(world) == {"chat"}


def test_a_status_that_cannot_be_removed_is_an_error_and_the_others_are_removed() -> None:
    statuses = PickyStatuses.of(status_of("a"), status_of("b"), refuse=lambda name: FULL if name == "a" else None)
    world = a_tree(statuses, *named_specs("chat"))
    told = pruned(world)

    assert told.errors == ("the status of a could not be removed: No space left on device",)
    assert names(world) == {"a"}


def test_a_status_that_cannot_be_written_is_an_error_and_the_others_are_written() -> None:
    world = World(statuses=PickyStatuses(refuse=lambda name: FULL if name == "a" else None))
    errors = write_all([status_of("a"), status_of("b"), asked_of("c")], controlled(world))

    assert errors == ("the status of a could not be written: No space left on device",)
    assert names(world) == {"b", "c"}
    assert world.statuses.durable == {"c"}


def test_an_attempt_reports_an_os_error_and_raises_any_other_exception() -> None:
    def find_a_bug() -> None:
        raise ZeroDivisionError

    def tell_no_number() -> None:
        message = "the disk is gone"
        raise OSError(message)

    assert attempt("it", dict) == ()
    assert attempt("it", tell_no_number) == ("it could not be written: the disk is gone",)
    with pytest.raises(ZeroDivisionError):
        attempt("it", find_a_bug)
