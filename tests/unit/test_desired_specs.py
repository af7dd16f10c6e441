"""The input of a pass: the specs of one revision, each with the last status of its job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.controller.desired_specs import load_desired_specs
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.run_options import RunOptions
from reconciler.core.subject import INTERVAL
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import ConditionStatus, JobStatus
from reconciler.ports import Snapshot, StoredStatuses, Unread
from tests.support.build import ACCOUNT, NOW, a_spec
from tests.support.documents import a_settings, located
from tests.support.in_memory import HandClock, Specs, Statuses
from tests.support.in_memory_accounts import SharedBranch
from tests.support.in_memory_operator import Operator
from tests.support.named_specs import a_named_status, a_world, loaded, only

NOBODY = Operator()
FIVE_MINUTES = (located(a_settings(interval="5m")),)
UNREAD_FILE = Unread("second.yaml", "Permission denied", "allow it to be read")


def test_each_spec_has_its_last_status_and_a_status_without_a_spec_is_an_orphan() -> None:
    first, gone = a_named_status("first"), a_named_status("gone")
    desired = loaded(a_world("first", "new", statuses=Statuses.of(first, gone)))

    assert [each.name for each in desired.specs] == ["first", "new"]
    assert desired.last == {0: first}
    assert desired.matched.orphans == (gone,)
    assert desired.selected == desired.chosen == (0, 1)
    assert desired.is_whole


def test_a_run_with_a_selection_chooses_only_those_specs_and_is_not_whole() -> None:
    desired = loaded(a_world("first", "second"), only("second"))

    assert [desired.specs[key].name for key in desired.selected] == ["second"]
    assert not desired.is_whole


def test_the_operators_suspend_option_suspends_each_spec() -> None:
    desired = loaded(a_world("first"), RunOptions(is_suspended=True))

    assert desired.specs[0].subject is not None
    assert desired.specs[0].subject.suspension is not None


def test_an_unchanged_spec_is_resolved_only_once() -> None:
    runtime, cache = a_world("first").runtime(), ResolutionCache()
    before, after = (load_desired_specs(runtime, RunOptions(), cache, by_content=True) for _ in range(2))

    assert after.specs[0] is before.specs[0]


# The order in which specs, statuses and the edition are read


@dataclass
class BusySpecs(Specs):
    """Specs with an event that occurs while they are read."""

    meanwhile: Callable[[], object] = lambda: None

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Return the revision from before the event."""
        found = super().snapshot(by_content=by_content)
        self.meanwhile()
        return found


@dataclass
class BusyStatuses(Statuses):
    """Statuses with an event that occurs before they are read."""

    meanwhile: Callable[[], object] = lambda: None

    def load(self, *, by_content: bool = True) -> StoredStatuses:
        """Return the statuses from after the event."""
        self.meanwhile()
        return super().load(by_content=by_content)


def test_a_status_that_is_written_while_specs_are_read_is_loaded() -> None:
    world = a_world("first")
    first = a_named_status("first")
    world.specs = BusySpecs(world.specs.revision, meanwhile=lambda: world.statuses.write(first, durable=True))

    assert loaded(world).last == {0: first}


def test_the_edition_is_that_from_before_the_statuses_were_read() -> None:
    branch = SharedBranch(edition=4)

    def publish() -> None:
        branch.edition += 1

    desired = loaded(a_world("first", statuses=BusyStatuses(meanwhile=publish)), publisher=branch)

    assert desired.edition == 4
    assert branch.edition == 5


def test_without_a_publisher_the_edition_is_zero() -> None:
    assert loaded(a_world("first")).edition == 0


@pytest.mark.parametrize("by_content", [True, False])
def test_statuses_on_a_shared_branch_are_read_in_each_pass(*, by_content: bool) -> None:
    world = a_world("first")
    loaded(world, by_content=by_content, publisher=SharedBranch())

    assert world.specs.reads == world.statuses.reads == [by_content]


def test_unshared_statuses_are_not_read_again_in_a_pass_over_changes() -> None:
    world = a_world("first", statuses=Statuses.of(a_named_status("first")))
    desired = loaded(world, by_content=False)

    assert world.statuses.reads == []
    assert desired.last == {0: a_named_status("first")}


def test_statuses_are_read_again_if_one_of_them_could_not_be_read() -> None:
    world = a_world("first", statuses=Statuses.of(unread=(UNREAD_FILE,)))
    loaded(world, by_content=False)

    assert world.statuses.reads == [False]


# Statuses that cannot be used


def test_a_spec_whose_status_a_later_version_wrote_is_excluded_and_reported() -> None:
    by_name = Statuses.of(too_new=("first.yaml",))
    by_job = Statuses.of(too_new=("old-name.yaml",), too_new_jobs=frozenset({(str(ACCOUNT), "ftjob-first")}))

    for statuses in (by_name, by_job):
        desired = loaded(a_world("first", "second", statuses=statuses))

        assert [each.name for each in desired.specs] == ["second"]
        assert [each.name for each in desired.resolved.candidates] == ["first", "second"]
        (diagnostic,) = desired.diagnostics(NOBODY)
        assert diagnostic.file == f"specs/status/{statuses.too_new[0]}"
        assert (
            diagnostic.message
            == "a later version of reconcile wrote this status, so it is not changed: update reconcile"
        )


def test_a_spec_with_an_unreadable_status_is_reported_as_unknown_and_not_chosen() -> None:
    statuses = Statuses.of(a_named_status("first"), unread=(UNREAD_FILE,))
    desired = loaded(a_world("first", "second", "third", statuses=statuses))

    # No status of the job of `third` was read. The unreadable status may be that of this job.
    assert desired.selected == (0, 1, 2)
    assert desired.chosen == (0,)
    assert {key: each.ready.reason for key, each in desired.unknown.items()} == dict.fromkeys(
        (1, 2), Reason.STATUS_UNKNOWN
    )
    assert {each.ready.status for each in desired.unknown.values()} == {ConditionStatus.UNKNOWN}
    assert [each.partition(":")[0] for each in desired.errors(NOBODY)] == ["specs/status/second.yaml cannot be read"]


def test_the_unknown_status_of_a_spec_that_is_not_selected_is_not_reported() -> None:
    statuses = Statuses.of(a_named_status("first"), unread=(UNREAD_FILE,))

    assert loaded(a_world("first", "second", statuses=statuses), only("first")).unknown == {}


def test_a_corrupt_status_is_discarded_and_reported_with_a_time_in_whole_seconds() -> None:
    world = a_world("first", statuses=Statuses.of(discarded=("first.yaml",)))
    world.clock = HandClock(NOW.replace(microsecond=999_999))
    desired = loaded(world)

    assert desired.last[0].ready.reason is Reason.STATUS_DISCARDED
    assert desired.last[0].ready.last_transition_time == NOW
    assert desired.notices(NOBODY) == (
        "specs/status/first.yaml: the status is damaged or was edited by hand, so it is ignored (StatusDiscarded)",
    )


# Unfinished jobs


def test_a_job_is_unfinished_until_it_is_final_and_not_doubted() -> None:
    statuses = Statuses.of(
        a_named_status("running"),
        a_named_status("over", phase=Phase.CANCELLED, final=True),
        a_named_status("doubted", phase=Phase.CANCELLED, final=True, doubted_at=NOW),
    )
    world = a_world("running", "over", "doubted", "new", statuses=statuses)
    refs = {name: JobRef(ACCOUNT, f"ftjob-{name}") for name in ("running", "doubted", "new")}
    desired = loaded(world)

    assert desired.unfinished == desired.unfinished_here == frozenset(refs.values())
    assert loaded(world, only("new", "over")).unfinished_here == {refs["new"]}


def test_an_invalid_spec_has_no_unfinished_job() -> None:
    world = a_world()
    world.specs.revision = Snapshot(jobs=(located(a_spec(jobId="../x")),))

    assert loaded(world).unfinished == frozenset()


# Whether changes may be requested


@pytest.mark.parametrize(
    ("rest", "may_ask", "halt"),
    [
        ({}, True, None),
        (
            {"is_settings_broken": True},
            False,
            "no change is requested for any job until the Settings are valid: run reconcile validate",
        ),
        ({"why_not_trusted": "the branch was rewound"}, False, "the branch was rewound"),
        ({"why_not_trusted": "it changed while it was read", "is_torn": True}, False, None),
    ],
    ids=["usually", "Settings are not valid", "the revision is not trusted", "it changed while it was read"],
)
def test_changes_may_be_requested_only_with_valid_settings_and_a_trusted_revision(
    rest: dict[str, Any], *, may_ask: bool, halt: str | None
) -> None:
    desired = loaded(a_world("first", **rest))

    assert (desired.may_ask, desired.halt) == (may_ask, halt)


def test_the_notices_contain_an_untrusted_revision_and_the_notices_of_the_snapshot() -> None:
    desired = loaded(a_world(why_not_trusted="the branch was rewound", notices=("the remote is away",)))

    assert desired.notices(NOBODY) == ("the remote is away", "the branch was rewound (RevisionNotTrusted)")
    assert loaded(a_world()).notices(NOBODY) == ()


def test_the_diagnostics_contain_errors_in_documents_and_in_their_providers() -> None:
    unread = Diagnostic(file="specs/a.yaml", line=1, message="invalid YAML")
    world = a_world()
    world.specs.revision = Snapshot(jobs=(located(a_spec(provider="opnai")),), diagnostics=(unread,))

    assert [each.field for each in loaded(world).diagnostics(NOBODY)] == [None, "spec.provider"]


# How often jobs are polled


@pytest.mark.parametrize(
    ("rest", "interval"),
    [
        ({}, INTERVAL),
        ({"settings": (located(a_settings()),)}, INTERVAL),
        ({"settings": FIVE_MINUTES}, timedelta(minutes=5)),
        (
            {"settings": (located(a_settings(interval="5m")),), "broken_files": frozenset({"x.yaml"})},
            timedelta(hours=1),
        ),
        ({"is_settings_broken": True}, timedelta(hours=1)),
    ],
    ids=["without Settings", "where they leave it out", "as they say", "a file cannot be read", "Settings are broken"],
)
def test_the_interval_is_unchanged_while_settings_are_invalid_or_may_be_unreadable(
    rest: dict[str, Any], interval: timedelta
) -> None:
    assert loaded(a_world(**rest)).interval(timedelta(hours=1)) == interval


# Deleted specs


def told_gone(status: JobStatus) -> JobStatus:
    """Return a status whose spec an earlier pass reported as deleted."""
    (ready,) = status.conditions
    return replace(status, conditions=(replace(ready, reason=Reason.SPEC_DELETED),))


def test_a_deleted_spec_is_reported_once_and_not_while_its_file_is_unreadable() -> None:
    gone, spoilt = a_named_status("gone"), a_named_status("spoilt")
    statuses = Statuses.of(gone, told_gone(a_named_status("told")), spoilt)
    world = a_world("first", statuses=statuses, broken_files=frozenset({"spoilt.yaml"}))

    assert loaded(world).new_orphans() == (gone,)
    assert loaded(world, only("first")).new_orphans() == ()
