"""A comparison: a run with faults must end in the same state as a run without faults that has only its last specs.

A new process with an empty disk starts with the world that the faults left. Then the two runs are compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.scenario.history import ABSENT, FaultsEnded, History
from tests.scenario.oracles.convergence import had_limits, is_pause_possible, was_lost
from tests.scenario.oracles.status_yaml import OVER, Tree, ready, standing
from tests.scenario.oracles.statuses import status_of
from tests.scenario.simulation import Scenario, simulate

_OF_ITS_PAST = frozenset({"Contested", "PausedElsewhere"})
"""The reasons of a `Ready` that only a process with the statuses of earlier passes can report."""


def differs_from_fault_free_run(scenario: Scenario, history: History) -> Iterator[str]:
    """Yield the jobs whose final state differs from that of a run without faults.

    A job may end by itself before a delayed cancel arrives, so all phases of an ended job count as equal. Whether a
    limit caused a cancel depends on the provider's times, which may have been absurd. With strict change limits, the
    requests depend on the hour before.
    """
    if history.most_an_hour is not None:
        return
    calmed = next(each for each in history.events if isinstance(each, FaultsEnded))
    other = simulate(
        Scenario(
            seed=scenario.seed,
            worlds=scenario.worlds,
            revision=calmed.revision,
            steps=scenario.remaining_steps,
            begins_at=calmed.at,
            world_states=calmed.world_states,
            prices=scenario.prices,
        )
    )
    ours, theirs = history.left, other.left
    for job_spec in calmed.revision.valid():
        here, there = status_of(job_spec, ours.statuses), status_of(job_spec, theirs.statuses)
        if here is None or there is None:
            yield f"{job_spec.name} has no status in this run or in the run without faults"
        # Only a process that observed a job earlier can know of a job that its provider has lost or revived.
        elif (
            history.back_at(job_spec.account, job_spec.job_id) is None
            and not (job_spec.max_queued is not None and was_lost(here, history))
            and not (job_spec.max_cost is not None and is_pause_possible(here))
            and ABSENT not in {_phase(here), _phase(there)}
            and ready(here)["reason"] not in _OF_ITS_PAST
        ):
            are_over = {_phase(here), _phase(there)} <= OVER
            is_same = standing(here) == standing(there) or (are_over and had_limits(history, job_spec))
            if not is_same or not (are_over or _phase(here) == _phase(there)):
                yield f"{job_spec.name} is {_told(here)}, and {_told(there)} in a run without faults"


def _phase(tree: Tree) -> str:
    phase: str = tree["status"]["phase"]
    return phase


def _told(tree: Tree) -> str:
    return f"{_phase(tree)}, {standing(tree)} {ready(tree)['reason']}"
