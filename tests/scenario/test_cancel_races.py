"""Cancels that the provider refuses because the job has ended, or accepts without showing them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenario.history import History, PassEnded, ProviderRequest
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.oracles.status_yaml import Tree
from tests.scenario.provider import ODDLY_TAKEN, ResponseFault
from tests.scenario.short_runs import ACCOUNT, a_job_spec, a_scenario, cancels, every, fault, last_status, reason
from tests.scenario.simulation import Simulation, Step, TimedInjection, simulate

SLOW_LOOK = fault(0.0, **{"fault": "slow", "for": "4s", "on": "retrieve", "times": 1})
"""The response to the first observation takes 4 s, so that something can happen before the cancel is sent."""
MEANWHILE_S = 2.0
ENDS_MEANWHILE: dict[str, Any] = {"life": [{"phase": "running", "for": "3602s"}, {"phase": "succeeded"}]}
"""The life of a job that is an hour old and ends after another two seconds."""


def cancelled_elsewhere(simulation: Simulation) -> None:
    simulation.providers[ACCOUNT].world.cancel("ftjob-a", simulation.clock.now())


def keep_it(simulation: Simulation) -> None:
    simulation.edit("it is to run", simulation.revision.changed("job-a", desired="running"))


def receipt(history: History) -> Tree:
    (found,) = last_status(history, "job-a")["status"]["receipts"]
    return dict(found)


def refused(*schedule: TimedInjection, steps: tuple[Step, ...] = every(61.0, 2), **job: Any) -> History:
    history = simulate(a_scenario(a_job_spec(), steps=steps, jobs={"ftjob-a": job}, schedule=[SLOW_LOOK, *schedule]))

    assert not verdict(history, ALWAYS)
    assert [each.status for each in history.events if isinstance(each, ProviderRequest) and each.is_change] == [400]
    return history


def test_a_job_that_ends_while_its_cancel_waits_finished_before_the_cancel() -> None:
    history = refused(**ENDS_MEANWHILE)
    told = receipt(history)

    assert reason(history, "job-a") == "FinishedBeforeCancel"
    assert (told["acceptedAt"], told["outcome"], told["attempts"]) == (None, "succeeded", 1)


def test_the_job_returned_with_a_rejection_settles_the_status_in_the_same_pass() -> None:
    history = refused(steps=every(61.0, 1), **ENDS_MEANWHILE)
    (told,) = [each for each in history.events if isinstance(each, PassEnded)]

    assert last_status(history, "job-a")["status"]["final"] is True
    assert "ALREADY_OVER" in told.report
    assert "Progress.ACCEPTED" not in told.report


def test_a_job_that_others_cancelled_is_not_claimed_if_its_spec_desires_running() -> None:
    by_others = TimedInjection(MEANWHILE_S, cancelled_elsewhere)
    before, after = refused(by_others), refused(by_others, TimedInjection(30.0, keep_it))

    assert reason(before, "job-a") == "Cancelled"
    assert reason(after, "job-a") == "CancelledElsewhere"
    assert receipt(after)["acceptedAt"] is None


@pytest.mark.parametrize("status", ["400", "403", "409"])
@pytest.mark.parametrize(("cancelled_at_s", "kept_at_s"), [(3.0, 70.0), (70.0, 30.0)], ids=["confirmed", "withdrawn"])
def test_a_job_cancelled_by_others_after_a_rejection_is_not_claimed(
    status: str, cancelled_at_s: float, kept_at_s: float
) -> None:
    refusal = fault(fault="status", status=status, on="cancel", times=1)
    others = [TimedInjection(cancelled_at_s, cancelled_elsewhere), TimedInjection(kept_at_s, keep_it)]
    history = simulate(a_scenario(a_job_spec(), steps=every(61.0, 4), schedule=[refusal, *others]))

    assert not verdict(history, ALWAYS)
    assert reason(history, "job-a") == "CancelledElsewhere"
    assert receipt(history)["confirmedAt"] is None


@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_a_job_that_ends_after_its_cancel_was_accepted_finished_despite_the_cancel(end: str) -> None:
    life = [{"phase": "running", "for": "3700s"}, {"phase": end}]
    jobs = {"ftjob-a": {"life": life, "cancelTakes": "9m"}}
    history = simulate(a_scenario(a_job_spec(), steps=every(61.0, 4), jobs=jobs))

    assert not verdict(history, ALWAYS)
    assert reason(history, "job-a") == "FinishedDespiteCancel"
    assert receipt(history)["acceptedAt"] is not None


def test_a_second_attempt_that_finds_the_job_over_may_credit_the_first_attempt() -> None:
    lost_answer = fault(fault="reset-after-acting", on="cancel", times=1)
    stale = fault(0.5, **{"fault": "stale-read", "for": "1h", "on": "retrieve", "times": 1})
    history = simulate(
        a_scenario(a_job_spec(), steps=every(7.0, 4), schedule=[lost_answer, stale, TimedInjection(12.0, keep_it)])
    )
    told = receipt(history)

    assert [each.status for each in history.events if isinstance(each, ProviderRequest) and each.is_change] == [
        None,
        400,
    ]
    assert (told["acceptedAt"], told["outcome"], told["attempts"]) == (None, "cancelled", 2)
    assert reason(history, "job-a") == "CancelledByUs"


@pytest.mark.parametrize("kind", ODDLY_TAKEN)
def test_a_cancel_with_a_lost_response_and_a_delayed_effect_is_requested_once(kind: str) -> None:
    def answer_oddly(simulation: Simulation) -> None:
        simulation.providers[ACCOUNT].response_faults.append(ResponseFault(kind, times=9))

    jobs = {"ftjob-a": {"cancelTakes": "60s"}}
    history = simulate(
        a_scenario(a_job_spec(), steps=every(6.0, 15), jobs=jobs, schedule=[TimedInjection(0.0, answer_oddly)])
    )

    assert not verdict(history, ALWAYS)
    assert len(cancels(history)) == 1
    assert reason(history, "job-a") == "Cancelled"
    assert receipt(history)["acceptedAt"] is not None
