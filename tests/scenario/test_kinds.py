"""Fine-tuning jobs and batches in one account at a provider, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler.core.guard import ChangeLimits
from reconciler.model.job import Phase
from tests.scenario.history import History, ProviderRequest
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.short_runs import (
    ACCOUNT,
    BATCHES,
    a_batch_spec,
    a_job_spec,
    a_scenario,
    cancels,
    every,
    last_status,
    reason,
    writes,
)
from tests.scenario.simulation import CrashAfter, Pass, Simulation, Sleep, TimedInjection, simulate

SHARED = "000000000007"
"""An ID that a fine-tuning job and a batch have."""


def wanted(name: str, desired: str = "cancelled") -> Callable[[Simulation], None]:
    return lambda simulation: simulation.edit(desired, simulation.revision.changed(name, desired=desired))


def messages(history: History, name: str) -> str:
    conditions = last_status(history, name)["status"]["conditions"]
    return " ".join(each["message"] for each in conditions)


def test_a_cancel_of_a_batch_leaves_the_fine_tuning_job_with_its_id_alone() -> None:
    job, batch = a_job_spec(SHARED, "running"), a_batch_spec(SHARED)
    history = simulate(a_scenario(job, batch, steps=every(61.0, 4)))

    assert verdict(history) == []
    assert (cancels(history, account=ACCOUNT), len(cancels(history, account=BATCHES))) == ([], 1)
    assert (reason(history, job.name), reason(history, batch.name)) == ("AsDesired", "Cancelled")


def test_a_spec_that_changes_its_kind_takes_neither_status_nor_receipt_of_the_other_job() -> None:
    batch = a_batch_spec(SHARED)
    other = a_job_spec(SHARED, "running")

    def change_kind(simulation: Simulation) -> None:
        job_specs = (replace(batch, account=ACCOUNT, desired="running"),)
        simulation.edit("another kind", replace(simulation.revision, job_specs=job_specs))

    scenario = a_scenario(batch, other, steps=every(61.0, 6), schedule=[TimedInjection(90.0, change_kind)])
    history = simulate(replace(scenario, revision=replace(scenario.revision, job_specs=(batch,))))
    tree = last_status(history, batch.name)

    assert verdict(history) == []
    assert (cancels(history, account=ACCOUNT), len(cancels(history, account=BATCHES))) == ([], 1)
    assert (tree["kind"], tree["status"]["phase"], tree["status"]["receipts"]) == ("FineTuningJob", "running", [])


def test_batches_that_run_do_not_let_the_guard_cancel_all_fine_tuning_jobs() -> None:
    jobs = [a_job_spec(f"ftjob-{number}") for number in range(10)]
    batches = [a_batch_spec(f"batch_{number:03}", "observed") for number in range(60)]
    scenario = a_scenario(*jobs, *batches, steps=every(61.0, 3))
    history = simulate(replace(scenario, change_limits=ChangeLimits()))

    assert verdict(history) == []
    assert cancels(history) == []
    assert {reason(history, each.name) for each in jobs} == {"RefusedByGuard"}


def test_a_cancelled_batch_counts_once_among_all_changes_of_the_last_hour() -> None:
    jobs = [a_job_spec(f"ftjob-{number}", "running") for number in range(2)]
    edits = [TimedInjection(90.0, wanted(each.name)) for each in jobs]
    scenario = a_scenario(a_batch_spec(), *jobs, steps=every(61.0, 5), schedule=edits)
    history = simulate(replace(scenario, change_limits=ChangeLimits(3, 0, 3)))

    assert verdict(history) == []
    assert (len(cancels(history, account=ACCOUNT)), len(cancels(history, account=BATCHES))) == (2, 1)


@pytest.mark.parametrize("max_age", [None, timedelta(days=400)])
def test_the_counters_of_a_running_batch_alone_never_cause_a_write(max_age: timedelta | None) -> None:
    life = [{"phase": "running", "for": "40h"}, {"phase": "succeeded"}]
    batch = a_batch_spec(desired="running", max_age=max_age)
    history = simulate(
        a_scenario(batch, steps=every(61.0, 30), jobs={batch.job_id: {"life": life, "requests": 100_000}})
    )

    assert verdict(history) == []
    assert len(writes(history)) == 1


def test_a_cancel_that_takes_ten_minutes_is_requested_once_and_proven() -> None:
    batch = a_batch_spec()
    history = simulate(a_scenario(batch, steps=every(61.0, 14), jobs={batch.job_id: {"cancelTakes": "10m"}}))
    (receipt,) = last_status(history, batch.name)["status"]["receipts"]

    assert verdict(history) == []
    assert len(cancels(history)) == 1
    assert (reason(history, batch.name), receipt["outcome"]) == ("Cancelled", "cancelled")
    took = datetime.fromisoformat(receipt["confirmedAt"]) - datetime.fromisoformat(receipt["acceptedAt"])
    assert took >= timedelta(minutes=10)


@pytest.mark.parametrize(("end", "said"), [(Phase.SUCCEEDED, "FinishedBeforeCancel"), (Phase.CANCELLED, "Cancelled")])
def test_a_refused_cancel_of_a_batch_that_has_just_ended_is_not_reported_as_accepted(end: Phase, said: str) -> None:
    def end_first(simulation: Simulation) -> None:
        simulation.providers[BATCHES].overtakers.append(end)

    batch = a_batch_spec()
    history = simulate(a_scenario(batch, steps=every(61.0, 3), schedule=[TimedInjection(0.0, end_first)]))
    refusals = [each.status for each in history.events if isinstance(each, ProviderRequest) and each.verb == "cancel"]

    assert verdict(history) == []
    assert refusals == [409]
    (receipt,) = last_status(history, batch.name)["status"]["receipts"]
    assert (reason(history, batch.name), receipt["acceptedAt"], receipt["outcome"]) == (said, None, end)


def test_an_expired_batch_has_failed_with_its_code() -> None:
    life = [{"phase": "running", "for": "62m"}, {"phase": "failed"}]
    batch = a_batch_spec(desired="running")
    jobs = {batch.job_id: {"life": life, "error": {"code": "expired"}}}
    history = simulate(a_scenario(batch, steps=every(61.0, 5), jobs=jobs))

    assert verdict(history) == []
    assert reason(history, batch.name) == "JobFailed"
    assert last_status(history, batch.name)["status"]["job"]["error"]["code"] == "expired"
    assert "expired" in messages(history, batch.name)


def test_a_batch_that_should_be_paused_has_an_invalid_spec_and_gets_no_request() -> None:
    batch = a_batch_spec(desired="paused")
    history = simulate(a_scenario(batch, steps=every(61.0, 3)))

    assert verdict(history) == []
    assert not [each for each in history.events if isinstance(each, ProviderRequest)]
    assert reason(history, batch.name) == "InvalidSpec"
    assert "no provider can pause a batch" in messages(history, batch.name)


def test_batches_that_disappear_at_once_cast_no_doubt_on_fine_tuning_jobs() -> None:
    batches = [a_batch_spec(f"batch_{number}", "observed") for number in range(6)]
    job = a_job_spec("ftjob-a", "running")

    def vanish(simulation: Simulation) -> None:
        for each in batches[:5]:
            simulation.providers[BATCHES].world.cut(each.job_id, Phase.ABSENT, simulation.clock.now())
        wanted(job.name)(simulation)

    history = simulate(a_scenario(*batches, job, steps=every(61.0, 5), schedule=[TimedInjection(90.0, vanish)]))

    assert verdict(history, ALWAYS) == []
    assert [each.total_seconds() for each in cancels(history, job.job_id)] == [122.0]
    assert reason(history, job.name) == "Cancelled"
    assert last_status(history, batches[0].name)["status"]["phase"] == "running"


def test_a_crash_after_the_cancel_of_a_batch_sends_no_request_for_the_job_with_its_id() -> None:
    job, batch = a_job_spec(SHARED, "running"), a_batch_spec(SHARED)
    for effects in range(0, 40, 6):
        steps = (CrashAfter(effects), *every(61.0, 4), Sleep(700.0), Pass())
        history = simulate(a_scenario(job, batch, steps=steps))

        assert verdict(history) == []
        assert cancels(history, account=ACCOUNT) == []
        assert len(cancels(history, account=BATCHES)) <= 2
