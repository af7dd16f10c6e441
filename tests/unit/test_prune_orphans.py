"""The observation of the jobs of deleted specs, and the removal of discarded status files."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from reconciler.controller.prune import Pruned, observe_orphans, remove_discarded
from reconciler.core.guard import ChangeLimits
from reconciler.errors import Delivered, TransientError
from reconciler.model.job import Observed, Phase
from reconciler.model.status import JobStatus
from tests.support.build import a_job
from tests.support.in_memory import Statuses, World
from tests.support.in_memory_accounts import (
    a_target,
    an_account,
    controlled,
    named_specs,
)
from tests.unit.test_prune import FULL, LOOSE, a_tree, asked_of, desired_in, status_of


def seen(*statuses: JobStatus, are_absences_doubted: bool = False, **phases: Phase) -> dict[str, Observed]:
    """Observe the jobs of deleted specs in an account that has these jobs."""
    account = an_account()
    account.jobs = {f"ftjob-{name}": a_job(phase, id=f"ftjob-{name}") for name, phase in phases.items()}
    account.broken["ftjob-away"] = TransientError("no answer", delivered=Delivered.UNKNOWN)
    return asyncio.run(observe_orphans(account, a_target(), statuses, are_absences_doubted=are_absences_doubted))


def test_observations_of_deleted_specs_are_returned_by_spec_name() -> None:
    found = seen(asked_of("chat"), asked_of("code"), chat=Phase.CANCELLING)

    assert found == {
        "chat": Observed(a_job(Phase.CANCELLING, id="ftjob-chat")),
        "code": Observed(None),
    }


def test_a_job_of_a_deleted_spec_that_cannot_be_observed_is_omitted() -> None:
    found = seen(asked_of("away"), asked_of("chat"), chat=Phase.RUNNING)

    assert set(found) == {"chat"}


def test_an_absent_job_of_a_deleted_spec_is_omitted_while_absences_are_doubted() -> None:
    found = seen(asked_of("chat"), asked_of("code"), are_absences_doubted=True, chat=Phase.RUNNING)

    assert set(found) == {"chat"}


def cleared(world: World, *, busy: Collection[str] = (), limits: ChangeLimits = LOOSE) -> Pruned:
    """Remove the discarded status files, and return the result."""
    runtime = controlled(world)
    return remove_discarded(desired_in(runtime), busy, limits, runtime)


def with_discarded(*paths: str, told: Collection[str] = ("chat",), **snapshot: object) -> World:
    """Return a world with the spec `chat` and these discarded status files."""
    return a_tree(Statuses.of(*map(status_of, told), discarded=paths), *named_specs("chat"), **snapshot)


def test_a_discarded_status_file_is_removed_unless_a_spec_will_overwrite_it() -> None:
    world = with_discarded("old.yaml", "chat.yaml")

    assert cleared(world) == Pruned(notices=("specs/status/old.yaml: removed, because no spec has this status",))
    assert world.statuses.discarded == ("chat.yaml",)


def test_a_discarded_status_file_is_kept_until_every_spec_has_a_status() -> None:
    world = with_discarded("old.yaml", told=())

    assert cleared(world) == Pruned()
    assert world.statuses.discarded == ("old.yaml",)


def test_a_discarded_status_file_is_kept_while_any_spec_is_unreadable() -> None:
    world = with_discarded("old.yaml", broken_files=frozenset({"broken.yaml"}))

    assert cleared(world) == Pruned()
    assert world.statuses.discarded == ("old.yaml",)


def test_a_discarded_status_file_is_kept_while_an_account_worker_owns_its_name() -> None:
    world = with_discarded("old.yaml")

    assert cleared(world, busy={"old"}) == Pruned()
    assert world.statuses.discarded == ("old.yaml",)


def test_discarded_status_files_are_kept_if_there_are_more_than_the_guard_allows() -> None:
    paths = ("a.yaml", "b.yaml", "c.yaml", "d.yaml")
    world = with_discarded(*paths)

    told = cleared(world, limits=ChangeLimits())
    assert (told.removed, told.errors) == ((), ())
    (notice,) = told.notices
    assert notice.startswith(
        "4 of 5 ignored status files that belong to no spec would be removed at once; they are kept"
    )
    assert world.statuses.discarded == paths


def test_discarded_files_of_account_statuses_are_not_limited_by_the_guard() -> None:
    world = with_discarded(*(f"_providers/{name}.yaml" for name in "abcd"))
    told = cleared(world, limits=ChangeLimits())

    assert len(told.notices) == 4
    assert world.statuses.discarded == ()


def test_a_discarded_status_file_that_cannot_be_removed_is_an_error() -> None:
    world = with_discarded("old.yaml")
    runtime = controlled(world)
    desired = desired_in(runtime)
    world.statuses.broken = FULL
    told = remove_discarded(desired, (), LOOSE, runtime)

    assert told.errors == ("specs/status/old.yaml could not be removed: No space left on device",)
    assert world.statuses.discarded == ("old.yaml",)


def test_two_prune_results_are_added_part_by_part() -> None:
    both = Pruned(("a",), ("b",), ("c",)) + Pruned(("d",), ("e",), ("f",))

    assert both == Pruned(("a", "d"), ("b", "e"), ("c", "f"))
