from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.scenario.history import History, PassEnded, PassStarted, ProviderRequest
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.oracles.status_yaml import read, ready
from tests.scenario.short_runs import a_job_spec, a_scenario, cancels, every, fault, healed, last_status, reason, writes
from tests.scenario.simulation import Pass, Sleep, simulate


def minutes(history: History) -> list[int]:
    return [round(at.total_seconds() / 60) for at in cancels(history)]


@pytest.mark.long
def test_a_lost_cancel_is_retried_five_times_at_ten_minutes_then_every_six_hours() -> None:
    lost = fault(fault="lost-cancel")
    history = simulate(a_scenario(a_job_spec(), steps=every(60.0, 60 * 14), schedule=[lost]))

    assert not verdict(history, ALWAYS)
    assert minutes(history) == [0, 10, 20, 30, 40, 400, 760]
    assert reason(history, "job-a") == "CancelNotHonoured"


def test_a_cancel_that_is_not_honoured_is_reported_after_fifty_minutes_and_still_polled() -> None:
    history = simulate(a_scenario(a_job_spec(), steps=every(60.0, 90), schedule=[fault(fault="lost-cancel")]))
    told = [
        each.at - history.began_at
        for each in history.events
        if isinstance(each, PassEnded)
        and (tree := read(each.statuses["job-a.yaml"]))
        and ready(tree)["reason"] == "CancelNotHonoured"
    ]
    looks = [each for each in history.events if isinstance(each, ProviderRequest) and each.verb == "retrieve"]

    assert round(told[0].total_seconds() / 60) == 50
    assert len(looks) == 90


def test_a_job_that_stops_late_becomes_ready() -> None:
    schedule = [fault(fault="lost-cancel"), healed(3600.0)]
    history = simulate(a_scenario(a_job_spec(), steps=every(300.0, 12 * 8), schedule=schedule))

    assert reason(history, "job-a") == "Cancelled"
    assert len(last_status(history, "job-a")["status"]["receipts"]) == 1


@pytest.mark.parametrize("what", ["status", "hang", "reset-after-acting", "garbage", "empty"])
def test_an_ambiguous_response_causes_at_most_one_more_cancel(what: str) -> None:
    rule: dict[str, Any] = {"fault": what, "on": "cancel", "times": 1}
    if what == "status":
        rule["status"] = "500"
    history = simulate(a_scenario(a_job_spec(), steps=every(61.0, 6), schedule=[fault(**rule)]))

    assert not verdict(history, ALWAYS)
    assert len(cancels(history)) <= 2
    assert reason(history, "job-a") == "Cancelled"


def test_a_slow_cancel_is_requested_once() -> None:
    history = simulate(a_scenario(a_job_spec(), steps=every(61.0, 12), jobs={"ftjob-a": {"cancelTakes": "9m"}}))

    assert len(cancels(history)) == 1
    assert reason(history, "job-a") == "Cancelled"


@pytest.mark.long
def test_a_thousand_idle_passes_request_nothing_and_write_nothing() -> None:
    job_specs = (a_job_spec("ftjob-a"), a_job_spec("ftjob-b", "running"), a_job_spec("ftjob-c", "paused"))
    history = simulate(a_scenario(*job_specs, steps=[*every(61.0, 4), Sleep(3600.0), *every(61.0, 1000)]))
    passes = [index for index, each in enumerate(history.events) if isinstance(each, PassStarted)]
    idle = history.events[passes[4] :]
    kinds = Counter(each.verb for each in idle if isinstance(each, ProviderRequest))

    assert kinds.keys() == {"retrieve"}
    assert not [each for each in writes(history) if each in idle]


def test_the_whole_account_waits_for_a_retry_after() -> None:
    patience = fault(fault="status", status="429", retryAfter="10m", times=1)
    job_specs = tuple(a_job_spec(f"ftjob-{name}") for name in "abc")
    history = simulate(a_scenario(*job_specs, steps=[*every(30.0, 30), Pass()], schedule=[patience]))
    times = sorted(
        {(each.at - history.began_at).total_seconds() for each in history.events if isinstance(each, ProviderRequest)}
    )

    assert times[0] == pytest.approx(0, abs=1)
    assert times[1] >= 600
    assert {reason(history, each.name) for each in job_specs} == {"Cancelled"}
