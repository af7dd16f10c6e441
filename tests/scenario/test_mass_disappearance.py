from __future__ import annotations

from typing import Any

import pytest

from tests.scenario.history import History
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.short_runs import ACCOUNT, a_job_spec, a_scenario, cancels, every, fault, last_status, reason
from tests.scenario.simulation import Simulation, TimedInjection, simulate

LOST = fault(fault="lost-cancel")
"""Cancels are accepted, and have no effect."""
BACK_S = 1500.0


def vanishing(after_m: int) -> dict[str, Any]:
    """Return the life of a job that is an hour old when the run begins, and unknown to its provider from then on."""
    return {"life": [{"phase": "running", "for": f"{60 + after_m}m"}, {"phase": "absent"}]}


def switch(simulation: Simulation) -> None:
    simulation.providers[ACCOUNT].host.is_wrong_project = not simulation.providers[ACCOUNT].host.is_wrong_project


def told(history: History) -> tuple[str, bool]:
    return reason(history, "job-a"), last_status(history, "job-a")["status"]["final"]


def test_the_only_job_is_gone_after_an_accepted_cancel_and_two_observations() -> None:
    history = simulate(a_scenario(a_job_spec(), steps=every(61.0, 10), jobs={"ftjob-a": vanishing(3)}, schedule=[LOST]))

    assert not verdict(history, ALWAYS)
    assert told(history) == ("JobGone", False)
    assert len(cancels(history)) == 1


def test_the_only_job_of_an_account_is_never_gone_without_an_accepted_cancel() -> None:
    refused = fault(fault="status", status="500", on="cancel")
    history = simulate(
        a_scenario(a_job_spec(), steps=every(61.0, 10), jobs={"ftjob-a": vanishing(1)}, schedule=[refused])
    )

    assert not verdict(history, ALWAYS)
    assert reason(history, "job-a") == "CancelPending"
    assert last_status(history, "job-a")["status"]["phase"] == "running"


@pytest.mark.parametrize("other", ["running", "observed"])
def test_a_wrong_key_does_not_make_a_job_gone_if_the_account_had_another_job(other: str) -> None:
    steps = every(61.0, 12)
    history = simulate(
        a_scenario(
            a_job_spec(), a_job_spec("ftjob-b", other), steps=steps, schedule=[LOST, TimedInjection(90.0, switch)]
        )
    )

    assert not verdict(history, ALWAYS)
    assert "JobGone" not in {reason(history, name) for name in ("job-a", "job-b")}


def test_a_job_that_seemed_gone_under_a_wrong_key_is_observed_and_cancelled_again() -> None:
    schedule = [LOST, TimedInjection(90.0, switch), TimedInjection(BACK_S, switch)]
    history = simulate(a_scenario(a_job_spec(), steps=every(61.0, 60), schedule=schedule))
    after = [each for each in cancels(history) if each.total_seconds() > BACK_S]

    assert not verdict(history, ALWAYS)
    assert after, "the job is cancelled again under the right key"
    assert reason(history, "job-a") == "CancelPending"


def test_three_of_ten_jobs_that_vanish_at_once_are_not_considered_gone() -> None:
    job_specs = tuple(a_job_spec(f"ftjob-{number}", "running") for number in range(10))
    jobs = {job_spec.job_id: vanishing(3) for job_spec in job_specs[:3]}
    history = simulate(a_scenario(*job_specs, steps=every(61.0, 8), jobs=jobs))

    assert not verdict(history, ALWAYS)
    assert {reason(history, job_spec.name) for job_spec in job_specs} == {"AsDesired"}


def test_jobs_in_a_list_are_not_gone_even_if_retrieving_them_returns_404() -> None:
    denied = fault(30.0, fault="status", status="404", code="fine_tune_not_found", on="retrieve")
    job_specs = (a_job_spec(), a_job_spec("ftjob-b", "running"))
    history = simulate(a_scenario(*job_specs, steps=every(61.0, 6), schedule=[LOST, denied]))

    assert not verdict(history, ALWAYS)
    assert [reason(history, name) for name in ("job-a", "job-b")] == ["CancelPending", "AsDesired"]
    assert {last_status(history, name)["status"]["phase"] for name in ("job-a", "job-b")} == {"running"}
