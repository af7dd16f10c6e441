from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.scenario.history import PassStarted
from tests.scenario.oracles import verdict
from tests.scenario.short_runs import a_job_spec, a_scenario, cancels, every, last_status, reason, writes
from tests.scenario.simulation import RunToCompletion, Simulation, TimedInjection, simulate

DAY_S = 86_400.0
PASSES_MAX = 400


def test_in_thirty_days_a_limit_cancels_once_and_few_statuses_are_written() -> None:
    job_spec = a_job_spec("ftjob-a", "running", max_age=timedelta(days=10))
    history = simulate(a_scenario(job_spec, steps=every(DAY_S / 8, 240)))
    passes = sum(isinstance(each, PassStarted) for each in history.events)

    assert not verdict(history)
    assert len(cancels(history)) == 1
    assert reason(history, "job-a") == "LimitReached"
    assert passes <= PASSES_MAX, "too many passes: the watch does not settle"
    assert len(writes(history)) <= 4


def test_once_with_wait_cancels_for_a_limit_and_waits_for_the_confirmation() -> None:
    job_spec = a_job_spec("ftjob-a", "running", max_age=timedelta(minutes=30))
    history = simulate(a_scenario(job_spec, steps=[RunToCompletion(120.0)]))

    assert len(cancels(history)) == 1
    assert last_status(history, "job-a")["status"]["final"] is True


@pytest.mark.parametrize("skew_h", [-48, 48])
def test_a_wrong_provider_clock_does_not_trigger_a_limit(skew_h: int) -> None:
    def skew_clock(simulation: Simulation) -> None:
        simulation.providers["one"].host.skew = timedelta(hours=skew_h)

    job_spec = a_job_spec("ftjob-a", "running", max_age=timedelta(minutes=30))
    history = simulate(a_scenario(job_spec, steps=every(61.0, 5), schedule=[TimedInjection(0.0, skew_clock)]))

    assert not cancels(history)
    assert reason(history, "job-a") == "AsDesired"


def test_max_queued_never_cancels_a_job_that_has_started() -> None:
    job_spec = a_job_spec("ftjob-a", "running", max_queued=timedelta(minutes=90))
    life = [{"phase": "queued", "for": "80m"}, {"phase": "running", "for": "20m"}, {"phase": "queued"}]
    history = simulate(a_scenario(job_spec, steps=every(300.0, 24), jobs={"ftjob-a": {"life": life}}))

    assert not cancels(history)


def test_max_queued_cancels_a_job_that_is_queued_too_long() -> None:
    job_spec = a_job_spec("ftjob-a", "running", max_queued=timedelta(minutes=90))
    history = simulate(a_scenario(job_spec, steps=every(300.0, 12), jobs={"ftjob-a": {"life": [{"phase": "queued"}]}}))

    assert len(cancels(history)) == 1
    assert reason(history, "job-a") == "LimitReached"


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "damaged",
    [
        lambda data: b"<<<<<<< HEAD\n" + data,
        lambda data: data.replace(b"final: false", b"final: false "),
        lambda data: data[:20],
        lambda data: data[:90],
        lambda _: b"",
    ],
    ids=["in conflict", "edited", "cut off in its first line", "cut off in its second", "emptied"],
)
@pytest.mark.parametrize("new_name", ["job-a", "job-b"])
def test_max_queued_does_not_cancel_a_job_whose_status_was_lost(
    damaged: Callable[[bytes], bytes], new_name: str
) -> None:
    def spoil(simulation: Simulation) -> None:
        simulation.tamper("job-a.yaml", "damaged", damaged(simulation.statuses()["job-a.yaml"]))
        simulation.edit("renamed", simulation.revision.changed("job-a", name=new_name))

    job_spec = a_job_spec("ftjob-a", "running", max_queued=timedelta(minutes=90))
    life = [{"phase": "queued", "for": "70m"}, {"phase": "running", "for": "20m"}, {"phase": "queued"}]
    schedule = [TimedInjection(3630.0, spoil)]
    history = simulate(
        a_scenario(job_spec, steps=every(300.0, 24), jobs={"ftjob-a": {"life": life}}, schedule=schedule)
    )

    assert not cancels(history)
    assert reason(history, new_name) == "AsDesired"
