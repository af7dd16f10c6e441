"""What people and machines are told during a day with 300 jobs and an outage, and while the machine crashes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from reconciler.core.storm import BURST, WINDOW
from reconciler.sandbox.config import SandboxOptions
from tests.scenario.history import Crashed, History
from tests.scenario.listeners import Heard, Listeners
from tests.scenario.oracles.status_yaml import read
from tests.scenario.repository import Revision
from tests.scenario.short_runs import ACCOUNT, URL, a_job_spec, fault, healed
from tests.scenario.simulation import (
    EndFaults,
    RunWatch,
    Scenario,
    Simulation,
    Step,
    TimedInjection,
    simulate,
)

HOUR_S = 3600
FAILED = range(200, 240)
"""The jobs that fail at the same time."""
MANY = range(100, 160)
"""The jobs that one commit cancels."""
SINGLE = range(10)
"""The jobs that are cancelled one by one."""
MOST_EFFECTS = 60
"""More effects than the run with one cancel has."""
MERGED = re.compile(r"(\d+) notifications in one: ")


def a_job(number: int) -> dict[str, object]:
    life = [{"phase": "running", "for": "7h"}, {"phase": "failed"}] if number in FAILED else [{"phase": "running"}]
    return {"id": f"ftjob-{number:03}", "age": "1h", "life": life}


def cancelled(after_s: float, *numbers: int) -> TimedInjection:
    """Return a commit that requests cancels."""

    def commit(simulation: Simulation) -> None:
        revision = simulation.revision
        for number in numbers:
            revision = revision.changed(f"job-{number:03}", desired="cancelled")
        simulation.edit(f"cancel {len(numbers)}", revision)

    return TimedInjection(after_s, commit)


def crash(after_s: float, effects: int) -> TimedInjection:
    """Return a crash of the machine, this many effects after a time."""

    def begin(simulation: Simulation) -> None:
        simulation.life.crash_before = simulation.life.effects + effects

    return TimedInjection(after_s, begin)


def away(after_s: float, *sinks: str) -> TimedInjection:
    """Return the beginning of an outage of these receivers, and the end of that of all others."""

    def begin(simulation: Simulation) -> None:
        listeners = simulation.machine.listeners
        assert listeners is not None
        listeners.away = set(sinks)

    return TimedInjection(after_s, begin)


def heard_in(jobs: range, *steps: Step, schedule: tuple[TimedInjection, ...]) -> tuple[History, Listeners]:
    """Simulate a run with receivers. Return its history, and what they heard."""
    found: list[Listeners] = []

    def keep(simulation: Simulation) -> None:
        assert simulation.machine.listeners is not None
        found.append(simulation.machine.listeners)

    specs = tuple(a_job_spec(f"ftjob-{number:03}", "running") for number in jobs)
    history = simulate(
        Scenario(
            seed=0,
            worlds={ACCOUNT: SandboxOptions.model_validate({"jobs": [a_job(number) for number in jobs]})},
            revision=Revision(job_specs=specs, accounts={ACCOUNT: URL}),
            steps=steps,
            schedule=(TimedInjection(0.0, keep), *schedule),
            has_small_pages=False,
            has_listeners=True,
        )
    )
    return history, found[0]


def proven(history: History) -> set[str]:
    """Return the jobs whose status has a confirmed receipt at the end of the run."""
    trees = [read(each) for each in history.left.statuses.values()]
    return {
        tree["status"]["job"]["id"]
        for tree in trees
        if tree is not None and any(each.get("confirmedAt") for each in tree["status"].get("receipts", []))
    }


def told(heard: list[Heard], type_: str) -> Counter[str]:
    """Return how many different notifications of a type each job has."""
    kept = {each.id: each.content for each in heard}
    return Counter(each["data"]["facts"]["jobId"] for each in kept.values() if each["type"] == type_)


@pytest.mark.long
def test_a_day_with_three_hundred_jobs_and_an_outage_is_told_completely_and_in_few_messages(
    record_property: Callable[[str, object], None],
) -> None:
    singles = [cancelled(HOUR_S * (1.5 + turn), turn) for turn in SINGLE]
    schedule = (
        *singles,
        cancelled(4.2 * HOUR_S, *MANY),
        fault(12 * HOUR_S, fault="status", status="503"),
        healed(14 * HOUR_S),
        away(16 * HOUR_S, "slack", "webhook"),
        cancelled(16.5 * HOUR_S, 20, 21, 22),
        away(17 * HOUR_S),
    )
    history, listeners = heard_in(range(300), RunWatch(24 * HOUR_S), schedule=schedule)
    signed, slack, pages = (listeners.at(each) for each in ("webhook", "slack", "pagerduty"))
    types = Counter(each.content["type"] for each in signed)
    texts = [each.content["text"] for each in slack]
    summaries = [int(match[1]) for each in texts if (match := MERGED.match(each))]
    record_property(
        "a day with 300 jobs and an outage of two hours",
        f"{len(signed)} signed webhooks ({', '.join(f'{count} {each}' for each, count in sorted(types.items()))}); "
        f"{len(slack)} messages in Slack, of which {len(summaries)} replace {sum(summaries)}; "
        f"{len(pages)} events at PagerDuty; {listeners.refused} refused while a receiver was away",
    )

    wanted = {f"ftjob-{number:03}" for number in (*SINGLE, *MANY, 20, 21, 22)}
    assert proven(history) == wanted
    assert told(signed, "job.cancelled") == Counter(wanted)
    assert told(signed, "job.stalled") == Counter(f"ftjob-{number:03}" for number in FAILED)
    assert (types["account.away"], types["account.back"]) == (1, 1)
    assert len({each.id for each in signed}) == len(signed), "nothing was sent twice, because nothing crashed"
    assert sum(summaries) + len(texts) - len(summaries) == len(signed), "each notification is in one message"
    assert all(
        later.at - early.at >= WINDOW - timedelta(seconds=1) for early, later in zip(slack, slack[BURST:], strict=False)
    ), "people get at most five messages a minute"
    assert Counter(each.content["event_action"] for each in pages) == {"trigger": len(FAILED) + 1, "resolve": 1}


def test_a_crash_at_any_effect_loses_and_doubles_no_notification(
    record_property: Callable[[str, object], None], pytestconfig: pytest.Config
) -> None:
    crashes, repeats, marked = 0, 0, 0
    for effects in range(0, MOST_EFFECTS, 1 if pytestconfig.getoption("--long") else 4):
        schedule = (crash(0.5, effects), cancelled(1.0, 0))
        history, listeners = heard_in(range(1), RunWatch(60), EndFaults(), RunWatch(60), schedule=schedule)
        signed, slack = listeners.at("webhook"), [each.content["text"] for each in listeners.at("slack")]
        first = [each for each in slack if not each.endswith(" (may be a repeat)")]

        assert told(signed, "job.cancelled") == Counter(["ftjob-000"])
        assert {each.partition(" (may")[0] for each in slack} == {"job-000 was cancelled, as the provider confirmed."}
        assert len(first) <= 1, "a repeat in Slack says that it may be one"
        crashes += any(isinstance(each, Crashed) for each in history.events)
        repeats += len(signed) - 1
        marked += len(slack) - len(first)
    record_property(
        f"a cancel is told although the machine crashes, at each of {crashes} effects",
        f"{repeats} webhooks were repeated with the same id, {marked} messages in Slack are marked as possible repeats",
    )

    assert min(crashes, repeats, marked) > 0
