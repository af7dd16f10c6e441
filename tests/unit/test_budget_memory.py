"""What a pass records in the journal, so that the next pass can count lost statuses and unfinished jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.applied import Applied
from reconciler.controller.budget_sources import budget_of, remember
from reconciler.controller.plan import JobPlan
from reconciler.core.change_budget import ChangeBudget
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
    """Return the result of a pass for the job of a status, observed in this phase."""
    document = a_named_spec(status.name)
    subject = replace(a_subject(), name=status.name, source=document.file, ref=JobRef(ACCOUNT, f"ftjob-{status.name}"))
    case = JobPlan(subject, None, decide(subject, a_look(phase), None, NOW), unobserved=unobserved)
    return Applied(case, replace(status, phase=phase), None)


def remembered(world: World, *applied: Applied, **rest: Any) -> KnownStatuses:
    """Return the known statuses in the journal after a pass with these results."""
    runtime = world.runtime(**{"control": nobody} | rest)
    desired = loaded(world)
    target = next(iter(desired.resolved.targets.values()))
    errors = remember(
        budget_of(desired, RULES, ChangeBudget(), runtime), [AccountOutcome(target, "openai", None, applied)], runtime
    )

    assert errors == ()
    return world.journal.statuses


def test_a_pass_records_its_statuses_and_the_unfinished_jobs_that_it_observed() -> None:
    running, over, blind = (a_named_status(name) for name in ("running", "over", "blind"))
    world = a_world("running", "over", "blind", statuses=Statuses.of(running, over, blind))
    known = remembered(
        world, done(running, Phase.RUNNING), done(over, Phase.CANCELLED), done(blind, Phase.RUNNING, UNSEEN)
    )

    assert known.marks == {each.name: mark_of(each) for each in (running, over, blind)}
    assert known.unfinished == {"running": (str(ACCOUNT), "ftjob-running")}


def test_a_job_is_recorded_as_unfinished_until_it_ends_or_its_status_is_gone() -> None:
    statuses = [a_named_status(name) for name in ("unseen", "ended")]
    world = a_world("unseen", "ended", statuses=Statuses.of(*statuses))
    world.journal.statuses = KnownStatuses(
        unfinished={name: (str(ACCOUNT), f"ftjob-{name}") for name in ("unseen", "ended", "gone")}
    )

    assert remembered(world, done(statuses[1], Phase.FAILED)).unfinished == {"unseen": (str(ACCOUNT), "ftjob-unseen")}


def test_a_lost_status_is_recorded_with_the_time_of_its_discovery() -> None:
    assert remembered(lost_world("job-0")).lost == {"job-0": LostStatus(NOW, "0badcafe")}


def test_the_record_of_a_status_that_cannot_be_read_is_kept() -> None:
    world = a_world("a", "b", statuses=Statuses.of(a_named_status("a"), unread=(UNREAD_FILE,)))
    before = KnownStatuses(marks={"b": "0badcafe"}, unfinished={"b": (str(ACCOUNT), "ftjob-b")})
    world.journal.statuses = before
    known = remembered(world)

    assert known.marks == {"a": mark_of(a_named_status("a")), **before.marks}
    assert known.unfinished == before.unfinished


def test_a_job_without_a_status_is_not_recorded() -> None:
    assert remembered(a_world("a"), done(a_named_status("a"), Phase.RUNNING)).unfinished == {}


def test_a_dry_run_records_no_statuses() -> None:
    world = a_world("a", statuses=Statuses.of(a_named_status("a")))

    assert remembered(world, control=None) == KnownStatuses()


def test_a_pass_without_a_journal_records_no_statuses_and_has_no_error() -> None:
    world = a_world("a", statuses=Statuses.of(a_named_status("a")))

    assert remembered(world, journal=None) == KnownStatuses()


def test_a_journal_that_could_not_be_read_is_not_overwritten() -> None:
    world = a_world("a", statuses=Statuses.of(a_named_status("a")))
    world.journal.broken = DISK
    found = budgeted(world)
    world.journal.broken = None
    errors = remember(found, [], world.runtime(control=nobody))

    assert errors == ("/state/journal cannot be read: Permission denied",)
    assert world.journal.statuses == KnownStatuses()


def test_a_read_only_state_directory_is_an_error_of_the_pass() -> None:
    world = a_world("a")
    found = budgeted(world)
    world.journal.broken = DISK

    assert remember(found, [], world.runtime(control=nobody)) == (
        "the state directory could not be written: Permission denied: /state/journal",
    )
