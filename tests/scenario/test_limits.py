from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.scenario.history import PassBegun
from tests.scenario.oracles import verdict
from tests.scenario.short_runs import a_plan, a_wish, cancels, every, last_status, reason, writes
from tests.scenario.simulation import Happening, Stage, Until, play

DAY_S = 86_400.0
PASSES_MAX = 400


def test_in_thirty_days_a_limit_cancels_once_and_little_is_written() -> None:
    wish = a_wish("ftjob-a", "running", max_age=timedelta(days=10))
    history = play(a_plan(wish, steps=every(DAY_S / 8, 240)))
    passes = sum(isinstance(each, PassBegun) for each in history.events)

    assert not verdict(history)
    assert len(cancels(history)) == 1
    assert reason(history, "job-a") == "LimitReached"
    assert passes <= PASSES_MAX, "a loop that does not settle"
    assert len(writes(history)) <= 4


def test_once_with_wait_cancels_for_a_limit_and_sees_it_through() -> None:
    wish = a_wish("ftjob-a", "running", max_age=timedelta(minutes=30))
    history = play(a_plan(wish, steps=[Until(120.0)]))

    assert len(cancels(history)) == 1
    assert last_status(history, "job-a")["status"]["final"] is True


@pytest.mark.parametrize("skew_h", [-48, 48])
def test_a_provider_whose_clock_is_wrong_reaches_no_limit(skew_h: int) -> None:
    def disagree(stage: Stage) -> None:
        stage.providers["one"].skew = timedelta(hours=skew_h)

    wish = a_wish("ftjob-a", "running", max_age=timedelta(minutes=30))
    history = play(a_plan(wish, steps=every(61.0, 5), happenings=[Happening(0.0, disagree)]))

    assert not cancels(history)
    assert reason(history, "job-a") == "AsDesired"


def test_a_job_that_has_started_is_never_cancelled_for_having_been_queued() -> None:
    wish = a_wish("ftjob-a", "running", max_queued=timedelta(minutes=90))
    life = [{"phase": "queued", "for": "80m"}, {"phase": "running", "for": "20m"}, {"phase": "queued"}]
    history = play(a_plan(wish, steps=every(300.0, 24), jobs={"ftjob-a": {"life": life}}))

    assert not cancels(history)


def test_a_job_that_is_queued_too_long_is_cancelled() -> None:
    wish = a_wish("ftjob-a", "running", max_queued=timedelta(minutes=90))
    history = play(a_plan(wish, steps=every(300.0, 12), jobs={"ftjob-a": {"life": [{"phase": "queued"}]}}))

    assert len(cancels(history)) == 1
    assert reason(history, "job-a") == "LimitReached"


@pytest.mark.parametrize(
    "spoilt",
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
def test_a_job_whose_status_was_lost_may_have_started_and_is_not_cancelled_for_having_been_queued(
    spoilt: Callable[[bytes], bytes], new_name: str
) -> None:
    def spoil(stage: Stage) -> None:
        stage.tamper("job-a.yaml", "spoilt", spoilt(stage.statuses()["job-a.yaml"]))
        stage.edit("renamed", stage.revision.changed("job-a", name=new_name))

    wish = a_wish("ftjob-a", "running", max_queued=timedelta(minutes=90))
    life = [{"phase": "queued", "for": "70m"}, {"phase": "running", "for": "20m"}, {"phase": "queued"}]
    happenings = [Happening(3630.0, spoil)]
    history = play(a_plan(wish, steps=every(300.0, 24), jobs={"ftjob-a": {"life": life}}, happenings=happenings))

    assert not cancels(history)
    assert reason(history, new_name) == "AsDesired"
