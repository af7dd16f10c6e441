"""The judge of the run of a cluster: it finds each kind of broken promise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.job import Phase
from tests.cluster_run.provider import Arrival
from tests.cluster_run.verdict import Evidence, Quiet, Takeover, figures, problems

GOOD = Evidence(
    wanted_at={"one": 10.0, "two": 20.0},
    arrivals=(Arrival(12.0, "1a", "team", "one"), Arrival(15.0, "1b", "team"), Arrival(26.0, "1b", "team", "two")),
    phases={"one": Phase.CANCELLED, "two": Phase.CANCELLED, "other": Phase.RUNNING},
    cancelled={"one", "two"},
    statuses={"one", "two", "other"},
    quiet=(Quiet(13.0, 30.0, "after its SIGCONT", "1a"), Quiet(16.0, 25.0, "while etcd was away")),
    takeovers=(Takeover("a SIGKILL of the leader", 12.5, 17.0, "1b"),),
)


def test_a_run_that_kept_every_promise_has_no_problem_and_shows_its_times() -> None:
    assert list(problems(GOOD)) == []
    rows = figures(GOOD).splitlines()
    assert "| from the push of a cancel to its request | 2 | 4.0 | 6.0 |" in rows
    assert "| from a SIGKILL of the leader until a replica leads | 1 | 17.0 | 17.0 |" in rows
    assert "| from a SIGKILL of the leader to its first request | 1 | 2.5 | 2.5 |" in rows


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        (
            replace(GOOD, arrivals=(*GOOD.arrivals, Arrival(40.0, "1b", "team", "two"))),
            "two: the cancel was requested 2 times",
        ),
        (replace(GOOD, arrivals=GOOD.arrivals[:-1]), "two: the cancel was requested 0 times"),
        (
            replace(GOOD, phases={**GOOD.phases, "two": Phase.RUNNING}),
            "two should be cancelled and is running",
        ),
        (replace(GOOD, cancelled={"one"}), "two: the published status does not say that it is cancelled"),
        (
            replace(GOOD, arrivals=(*GOOD.arrivals, Arrival(40.0, "1b", "team", "other"))),
            "other should continue and is running, after 1 requests for its cancel",
        ),
        (
            replace(GOOD, phases={**GOOD.phases, "other": Phase.CANCELLED}),
            "other should continue and is cancelled, after 0 requests for its cancel",
        ),
        (replace(GOOD, statuses={"one", "two"}), "other has no published status"),
        (
            replace(GOOD, arrivals=(*GOOD.arrivals, Arrival(14.0, "1a", "team"))),
            "1 requests, the first by 1a, 1.0 s after its SIGCONT",
        ),
        (
            replace(GOOD, arrivals=(*GOOD.arrivals, Arrival(18.0, "2a", "team"))),
            "1 requests, the first by 2a, 2.0 s while etcd was away",
        ),
        (replace(GOOD, takeovers=(Takeover("a resize", 1.0, None),)), "after a resize, no replica led in time"),
    ],
)
def test_the_judge_finds_each_broken_promise(run: Evidence, problem: str) -> None:
    assert list(problems(run)) == [problem]
