"""A disk with errors for a moment: a file that could not be read is unknown, not missing."""

from __future__ import annotations

import errno
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.core.guard import ChangeLimits
from tests.scenario.history import ExternalEvent, FileWritten, HealthShown, History, PassEnded, ProviderRequest
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.oracles.convergence import endings
from tests.scenario.process import STATE, STATUSES
from tests.scenario.short_runs import a_job_spec, a_scenario, cancels, fault, last_status, reason
from tests.scenario.simulation import Pass, RunWatch, Scenario, Simulation, Sleep, TimedInjection, simulate
from tests.scenario.test_crashes import REFERENCE

NUMBERS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES)
LONGER = replace(REFERENCE, steps=(*REFERENCE.steps, Sleep(61.0), Pass()))
"""The run with one more pass, which can read a file that the pass before could not read."""
THREE_AN_HOUR = ChangeLimits(max_cancels=3, max_cancel_percent=0, max_cancels_absolute=3)


def refusing(
    asked: Callable[[Path], bool], number: int = errno.EIO, *, from_s: float, until_s: float
) -> Iterable[TimedInjection]:
    """Return injections that make the disk refuse these paths from one time to another."""

    def begin(simulation: Simulation) -> None:
        simulation.machine.refuse = lambda path: number if asked(path) else None

    def end(simulation: Simulation) -> None:
        simulation.machine.refuse = lambda _: None

    return TimedInjection(from_s, begin), TimedInjection(until_s, end)


def wanting(simulation: Simulation, *names: str) -> None:
    """Change these specs so that they request the cancel of their jobs."""
    revision = simulation.revision
    for name in names:
        revision = revision.changed(name, desired="cancelled")
    simulation.edit("more cancels", revision)


def pass_at(history: History, index: int) -> PassEnded:
    """Return the result of the pass with this number, from 0. A negative number counts from the last pass."""
    return [each for each in history.events if isinstance(each, PassEnded)][index]


# --- each read of a run, one at a time -----------------------------------------------------------------------


def one_refused(scenario: Scenario, number: int, wanted: int) -> tuple[History, int]:
    """Run a plan in which the n-th read fails. Return the run, and the number of its reads."""
    count = 0

    def refuse(_: Path) -> int | None:
        nonlocal count
        count += 1
        return number if count == wanted else None

    def begin(simulation: Simulation) -> None:
        simulation.machine.refuse = refuse

    return simulate(replace(scenario, schedule=(TimedInjection(0.0, begin),))), count


def problems(point: tuple[int, int, dict[str, tuple[str, str]], int]) -> list[str]:
    """Refuse one read, with one error. Return the problems that result, none if the run ends as without the error."""
    number, wanted, ending, requests = point
    history, _ = one_refused(LONGER, number, wanted)
    found = verdict(history, ALWAYS)
    if endings(history) != ending:
        found.append(f"it ends as {endings(history)}")
    if len(changes(history)) != requests:
        found.append(f"{len(changes(history))} requests, where {requests} are enough")
    what = [each.what for each in history.events if isinstance(each, ExternalEvent) and each.kind == "disk refuses"]
    return [f"{os.strerror(number)}, read {wanted} ({what}): {each}" for each in found]


def changes(history: History) -> list[ProviderRequest]:
    return [each for each in history.events if isinstance(each, ProviderRequest) and each.is_change]


@pytest.mark.long
def test_a_failed_read_loses_no_receipt_and_repeats_no_request(
    pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    undisturbed, reads = one_refused(REFERENCE, errno.EIO, 0)
    numbers = NUMBERS if pytestconfig.getoption("--long") else NUMBERS[:1]
    points = [
        (number, wanted, endings(undisturbed), len(changes(undisturbed)))
        for number in numbers
        for wanted in range(1, reads + 1)
    ]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        wrong = [each for found in pool.map(problems, points, chunksize=8) for each in found]
    record_property("refused reads", f"{reads} of a run, each with {len(numbers)} errors")

    assert not wrong, "\n".join(wrong[:10])
    assert reads > 50


# --- the changes that an unreadable file prevents ------------------------------------------------------------


def six_jobs(schedule: Iterable[TimedInjection], passes: int = 4) -> Scenario:
    """Return a run of six jobs: the cancel of three is requested at once, and that of the others a minute later."""
    first = [a_job_spec(f"ftjob-{name}", "cancelled", file=f"team/job-{name}.yaml") for name in "abc"]
    later = [a_job_spec(f"ftjob-{name}", "running", file=f"other/job-{name}.yaml") for name in "def"]
    scenario = a_scenario(
        *first,
        *later,
        steps=(Pass(), Sleep(61.0)) * passes,
        jobs={each.job_id: {"cancelTakes": "5m"} for each in first},
        schedule=[TimedInjection(30.0, lambda simulation: wanting(simulation, "job-d", "job-e", "job-f")), *schedule],
    )
    return replace(scenario, change_limits=THREE_AN_HOUR)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("where", ["", "team"], ids=["the statuses", "one folder of them"])
def test_an_unreadable_status_directory_blocks_every_first_request(number: int, where: str) -> None:
    refused = refusing(lambda path: path == STATUSES / where, number, from_s=40.0, until_s=100.0)
    history = simulate(six_jobs(refused))
    during, after = pass_at(history, 1), pass_at(history, 2)

    assert not verdict(history, ALWAYS)
    assert len(cancels(history)) == 3
    assert len(during.errors) == 1
    assert f"specs/status{'/team' if where else ''} cannot be read: {os.strerror(number)}" in during.errors[0]
    assert not after.errors
    assert {f"team/job-{name}.yaml" for name in "abc"} <= after.statuses.keys()
    assert b"RefusedByGuard" in after.statuses["other/job-d.yaml"]


def test_an_unreadable_status_directory_blocks_every_first_request_on_a_machine_without_a_journal() -> None:
    def forget(simulation: Simulation) -> None:
        for entry in simulation.machine.disk.list(STATE):
            simulation.machine.disk.remove(STATE / entry.name)

    refused = refusing(lambda path: path == STATUSES / "team", from_s=40.0, until_s=100.0)
    history = simulate(six_jobs([*refused, TimedInjection(35.0, forget)], passes=2))

    assert not verdict(history, ALWAYS)
    assert len(cancels(history)) == 3
    assert b"specs/status/team cannot be read" in pass_at(history, 1).statuses["other/job-d.yaml"]


def test_an_unreadable_status_blocks_its_account_and_stays_unchanged() -> None:
    path = STATUSES / "team/job-a.yaml"
    history = simulate(six_jobs(refusing(lambda asked: asked == path, errno.ESTALE, from_s=40.0, until_s=100.0)))
    before, during = pass_at(history, 0), pass_at(history, 1)

    assert not verdict(history, ALWAYS)
    assert len(cancels(history)) == 3
    assert during.statuses["team/job-a.yaml"] == before.statuses["team/job-a.yaml"]
    assert "specs/status/team/job-a.yaml cannot be read: Stale file handle" in during.report
    assert b"cannot be counted" in during.statuses["other/job-d.yaml"]


def test_the_receipt_of_another_job_is_confirmed_despite_an_unreadable_status() -> None:
    job_specs = (a_job_spec("ftjob-a"), a_job_spec("ftjob-b"))
    path = STATUSES / "job-a.yaml"
    history = simulate(
        a_scenario(
            *job_specs,
            steps=(Pass(), Sleep(61.0)) * 3,
            jobs={"ftjob-a": {"cancelTakes": "30s"}, "ftjob-b": {"cancelTakes": "30s"}},
            schedule=refusing(lambda asked: asked == path, from_s=10.0, until_s=1000.0),
        )
    )

    assert reason(history, "job-b") == "Cancelled"
    assert not last_status(history, "job-a")["status"]["receipts"][0]["confirmedAt"]
    assert len(cancels(history)) == 2


def test_a_job_continues_where_it_was_once_its_status_is_readable_again() -> None:
    path = STATUSES / "job-a.yaml"
    history = simulate(
        a_scenario(
            a_job_spec("ftjob-a"),
            steps=(Pass(), Sleep(61.0)) * 4,
            jobs={"ftjob-a": {"cancelTakes": "30s"}},
            schedule=refusing(lambda asked: asked == path, errno.EMFILE, from_s=10.0, until_s=130.0),
        )
    )

    assert not verdict(history, ALWAYS)
    assert reason(history, "job-a") == "Cancelled"
    assert len(cancels(history)) == 1


def test_an_unreadable_provider_status_blocks_no_job() -> None:
    def is_providers(path: Path) -> bool:
        return path == STATUSES / "_providers"

    history = simulate(a_scenario(a_job_spec(), steps=(Pass(), Sleep(61.0)) * 2, schedule=away_then(is_providers)))

    assert not verdict(history, ALWAYS)
    assert len(cancels(history)) == 1
    assert "specs/status/_providers cannot be read" in pass_at(history, -1).errors[0]


def test_an_outage_keeps_its_start_time_while_its_provider_status_is_unreadable() -> None:
    outage = fault(0.0, fault="status", status="500")
    refused = refusing(lambda asked: asked == STATUSES / "_providers", from_s=200.0, until_s=300.0)
    story = a_scenario(a_job_spec(), steps=(Pass(), Sleep(61.0)) * 6, schedule=[outage, *refused])
    history = simulate(story)
    errors_naming = [
        each for each in history.events if isinstance(each, FileWritten) and each.path == "_providers/one.yaml"
    ]

    assert not verdict(history, ALWAYS)
    assert [each for each in history.events if isinstance(each, ExternalEvent) and each.kind == "disk refuses"]
    assert len(errors_naming) == 1, "a file that cannot be read is not overwritten"


def away_then(asked: Callable[[Path], bool]) -> list[TimedInjection]:
    """Return injections that write the status of a provider and make the paths of `asked` unreadable."""

    def put(simulation: Simulation) -> None:
        simulation.tamper("_providers/one.yaml", "put", b"apiVersion: jobs.reconciler/v1\n")

    return [TimedInjection(0.0, put), *refusing(asked, from_s=0.0, until_s=1000.0)]


def test_a_watch_treats_a_job_with_an_unreadable_status_as_unobserved() -> None:
    job_specs = [a_job_spec(f"ftjob-{name}", "observed") for name in "ab"]
    unread = refusing(lambda path: path == STATUSES / "job-a.yaml", from_s=600.0, until_s=1200.0)
    history = simulate(a_scenario(*job_specs, steps=[RunWatch(2000.0)], schedule=unread))
    shown = [each for each in history.events if isinstance(each, HealthShown)]

    def age_s(at_s: float) -> float:
        at = history.began_at + timedelta(seconds=at_s)
        (seen_at,) = [each for each in shown if each.at <= at][-1].seen_at.values()
        return (at - seen_at).total_seconds()

    assert age_s(1150.0) > 450
    assert age_s(1900.0) < 330
