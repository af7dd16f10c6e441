"""What a pass remembers of what the guard counts, for the next one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.applied import Applied
from reconciler.controller.budget_sources import budget_of, remember
from reconciler.controller.plan import JobPlan
from reconciler.core.change_budget import ApprovalUse
from reconciler.core.decide import decide
from reconciler.core.losses import mark_of
from reconciler.model.job import JobRef, Phase, Unobserved
from reconciler.model.journal import KnownStatuses, LostStatus
from reconciler.model.status import JobStatus
from tests.support.budget_worlds import DISK, RULES, UNREAD_FILE, budgeted, lost_world, nobody
from tests.support.build import ACCOUNT, NOW
from tests.support.in_memory import Statuses, World
from tests.support.named_specs import a_named_spec, a_named_status, a_world, loaded
from tests.support.subjects import UNSEEN, a_look, a_subject


def done(status: JobStatus, phase: Phase, unobserved: Unobserved | None = None) -> Applied:
    """Return what a pass did for the job of a status, which it saw in this phase."""
    document = a_named_spec(status.name)
    subject = replace(a_subject(), name=status.name, source=document.file, ref=JobRef(ACCOUNT, f"ftjob-{status.name}"))
    case = JobPlan(subject, None, decide(subject, a_look(phase), None, NOW), unobserved=unobserved)
    return Applied(case, replace(status, phase=phase), None)


def remembered(world: World, *applied: Applied, **rest: Any) -> KnownStatuses:
    """Return what the journal holds after a pass that did this."""
    runtime = world.runtime(**{"control": nobody} | rest)
    desired = loaded(world)
    target = next(iter(desired.resolved.targets.values()))
    errors = remember(
        budget_of(desired, RULES, ApprovalUse(), runtime), [AccountOutcome(target, "openai", None, applied)], runtime
    )

    assert errors == ()
    return world.journal.statuses


def test_a_pass_remembers_its_statuses_and_the_jobs_that_it_saw_unfinished() -> None:
    running, over, blind = (a_named_status(name) for name in ("running", "over", "blind"))
    world = a_world("running", "over", "blind", statuses=Statuses.of(running, over, blind))
    known = remembered(
        world, done(running, Phase.RUNNING), done(over, Phase.CANCELLED), done(blind, Phase.RUNNING, UNSEEN)
    )

    assert known.marks == {each.name: mark_of(each) for each in (running, over, blind)}
    assert known.unfinished == {"running": (str(ACCOUNT), "ftjob-running")}


def test_a_job_stays_known_as_unfinished_until_it_is_seen_to_have_ended_or_its_status_is_gone() -> None:
    statuses = [a_named_status(name) for name in ("unseen", "ended")]
    world = a_world("unseen", "ended", statuses=Statuses.of(*statuses))
    world.journal.statuses = KnownStatuses(
        unfinished={name: (str(ACCOUNT), f"ftjob-{name}") for name in ("unseen", "ended", "gone")}
    )

    assert remembered(world, done(statuses[1], Phase.FAILED)).unfinished == {"unseen": (str(ACCOUNT), "ftjob-unseen")}


def test_what_was_lost_is_remembered_with_when_that_was_noticed() -> None:
    assert remembered(lost_world("job-0")).lost == {"job-0": LostStatus(NOW, "0badcafe")}


def test_a_status_that_cannot_be_read_is_remembered_as_it_was() -> None:
    world = a_world("a", "b", statuses=Statuses.of(a_named_status("a"), unread=(UNREAD_FILE,)))
    before = KnownStatuses(marks={"b": "0badcafe"}, unfinished={"b": (str(ACCOUNT), "ftjob-b")})
    world.journal.statuses = before
    known = remembered(world)

    assert known.marks == {"a": mark_of(a_named_status("a")), **before.marks}
    assert known.unfinished == before.unfinished


def test_a_job_under_a_name_without_a_status_is_not_remembered() -> None:
    assert remembered(a_world("a"), done(a_named_status("a"), Phase.RUNNING)).unfinished == {}


def test_a_dry_run_remembers_nothing() -> None:
    world = a_world("a", statuses=Statuses.of(a_named_status("a")))

    assert remembered(world, control=None) == KnownStatuses()


def test_without_a_journal_nothing_is_remembered_and_nothing_goes_wrong() -> None:
    world = a_world("a", statuses=Statuses.of(a_named_status("a")))

    assert remembered(world, journal=None) == KnownStatuses()


def test_a_journal_that_could_not_be_read_is_not_written_over() -> None:
    world = a_world("a", statuses=Statuses.of(a_named_status("a")))
    world.journal.broken = DISK
    found = budgeted(world)
    world.journal.broken = None
    errors = remember(found, [], world.runtime(control=nobody))

    assert errors == ("/state/journal cannot be read: Permission denied",)
    assert world.journal.statuses == KnownStatuses()


def test_a_state_directory_that_cannot_be_written_is_an_error_of_the_pass() -> None:
    world = a_world("a")
    found = budgeted(world)
    world.journal.broken = DISK

    assert remember(found, [], world.runtime(control=nobody)) == (
        "the state directory could not be written: Permission denied: /state/journal",
    )
