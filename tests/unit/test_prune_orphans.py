"""How the jobs of deleted specs are looked at, and what becomes of files that count as no status."""

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
    """Look at the jobs of deleted specs, where these jobs are there."""
    account = an_account()
    account.jobs = {f"ftjob-{name}": a_job(phase, id=f"ftjob-{name}") for name, phase in phases.items()}
    account.broken["ftjob-away"] = TransientError("no answer", delivered=Delivered.UNKNOWN)
    return asyncio.run(observe_orphans(account, a_target(), statuses, are_absences_doubted=are_absences_doubted))


def test_the_jobs_of_deleted_specs_are_seen_by_name() -> None:
    found = seen(asked_of("chat"), asked_of("code"), chat=Phase.CANCELLING)

    assert found == {
        "chat": Observed(a_job(Phase.CANCELLING, id="ftjob-chat")),
        "code": Observed(None),
    }


def test_of_a_job_that_cannot_be_looked_at_nothing_is_said() -> None:
    found = seen(asked_of("away"), asked_of("chat"), chat=Phase.RUNNING)

    assert set(found) == {"chat"}


def test_an_absence_is_not_told_where_absences_are_doubted() -> None:
    found = seen(asked_of("chat"), asked_of("code"), are_absences_doubted=True, chat=Phase.RUNNING)

    assert set(found) == {"chat"}


def cleared(world: World, *, busy: Collection[str] = (), limits: ChangeLimits = LOOSE) -> Pruned:
    """Remove the files that count as no status, and return what is said of that."""
    runtime = controlled(world)
    return remove_discarded(desired_in(runtime), busy, limits, runtime)


def with_discarded(*paths: str, told: Collection[str] = ("chat",), **snapshot: object) -> World:
    """Return a world with the spec `chat`, and files that count as no status."""
    return a_tree(Statuses.of(*map(status_of, told), discarded=paths), *named_specs("chat"), **snapshot)


def test_a_file_that_counts_as_no_status_goes_where_no_spec_will_write_over_it() -> None:
    world = with_discarded("old.yaml", "chat.yaml")

    assert cleared(world) == Pruned(notices=("specs/status/old.yaml: removed, because no spec has this status",))
    assert world.statuses.discarded == ("chat.yaml",)


def test_such_a_file_stays_until_every_spec_has_a_status() -> None:
    world = with_discarded("old.yaml", told=())

    assert cleared(world) == Pruned()
    assert world.statuses.discarded == ("old.yaml",)


def test_such_a_file_stays_while_any_spec_cannot_be_read() -> None:
    world = with_discarded("old.yaml", broken_files=frozenset({"broken.yaml"}))

    assert cleared(world) == Pruned()
    assert world.statuses.discarded == ("old.yaml",)


def test_such_a_file_stays_while_an_account_is_at_work_on_its_name() -> None:
    world = with_discarded("old.yaml")

    assert cleared(world, busy={"old"}) == Pruned()
    assert world.statuses.discarded == ("old.yaml",)


def test_more_such_files_than_the_guard_would_let_pass_stay() -> None:
    paths = ("a.yaml", "b.yaml", "c.yaml", "d.yaml")
    world = with_discarded(*paths)

    assert cleared(world, limits=ChangeLimits()) == Pruned(
        notices=("4 of 5 status files would be removed at once; they are kept",)
    )
    assert world.statuses.discarded == paths


def test_the_files_of_providers_are_no_specs_that_are_gone() -> None:
    world = with_discarded(*(f"_providers/{name}.yaml" for name in "abcd"))
    told = cleared(world, limits=ChangeLimits())

    assert len(told.notices) == 4
    assert world.statuses.discarded == ()


def test_such_a_file_that_cannot_be_removed_is_an_error() -> None:
    world = with_discarded("old.yaml")
    runtime = controlled(world)
    desired = desired_in(runtime)
    world.statuses.broken = FULL
    told = remove_discarded(desired, (), LOOSE, runtime)

    assert told.errors == ("specs/status/old.yaml could not be removed: No space left on device",)
    assert world.statuses.discarded == ("old.yaml",)


def test_what_is_said_of_two_parts_is_said_together() -> None:
    both = Pruned(("a",), ("b",), ("c",)) + Pruned(("d",), ("e",), ("f",))

    assert both == Pruned(("a", "d"), ("b", "e"), ("c", "f"))
