"""Faults that make a part of an account doubtful, or give a response a meaning that differs from its appearance.

Rules: as in `injections`. Each function affects some jobs, the lists, the clock or some requests of one account.
Everything else that the account shows is true.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from reconciler.model.job import Phase
from reconciler.sandbox.faults import FAULTS
from reconciler.sandbox.world import InvalidRequestError, UnknownJobError
from tests.scenario.history import ABSENT
from tests.scenario.injections import Injector, any_provider
from tests.scenario.oracles.status_yaml import OVER, UNFINISHED
from tests.scenario.provider import ODDLY_TAKEN, REFUSED_IN_200, Provider, ResponseFault
from tests.scenario.repository import JobSpec
from tests.scenario.simulation import Simulation

_LASTING = 1000
"""More requests than occur before the faults end."""
_OF_ONE_JOB: tuple[dict[str, Any], ...] = (
    {"fault": "status", "status": "403"},
    {"fault": "status", "status": "403"},
    {"fault": "status", "status": "404", "code": "fine_tune_not_found"},
    {"fault": "status", "status": "500"},
    {"fault": "wrong-body-404"},
    {"fault": "garbage"},
    {"fault": "empty"},
    {"fault": "html"},
    {"fault": "reset-before-acting"},
    {"fault": "hang"},
    {"fault": "unknown-word"},
)
_ENDS = (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)


def hide_some(simulation: Simulation) -> None:
    """Let retrieves of one to three jobs be refused, damaged or left unanswered: once, four times, or always."""
    provider = any_provider(simulation)
    jobs = _jobs(simulation, provider)
    some = simulation.rng.sample(jobs, k=min(len(jobs), simulation.rng.choice([1, 1, 2, 3])))
    rule, times = simulation.rng.choice(_OF_ONE_JOB), simulation.rng.choice([1, 4, _LASTING])
    rules = [{**rule, "on": "retrieve", "job": job_id, "times": times} for job_id in some]
    provider.faults.add(FAULTS.validate_python(rules))
    simulation.note_event("some are hidden", f"{provider.name}, {', '.join(some)}: {rule}, {times} times")


def delete_some(simulation: Simulation) -> None:
    """Delete one or two jobs at the provider, as another user does, and leave at least two."""
    _delete(simulation, any_provider(simulation), simulation.rng.choice([1, 1, 2]))


def delete_a_crowd(simulation: Simulation) -> None:
    """Delete up to 24 jobs at the provider, as another user does, and request the cancel of a remaining job."""
    provider = any_provider(simulation)
    left = _delete(simulation, provider, simulation.rng.choice([2, 12, 24]))
    wanted = [
        each
        for each in simulation.revision.job_specs
        if each.account == provider.name and each.job_id in left and each.desired != "cancelled"
    ]
    if wanted:
        name = simulation.rng.choice(wanted).name
        simulation.edit(f"{name}: cancelled", simulation.revision.changed(name, desired="cancelled"))


def _delete(simulation: Simulation, provider: Provider, count: int) -> set[str]:
    """Delete `count` jobs, or fewer so that at least two remain. Return the IDs of the remaining jobs."""
    now = simulation.clock.now()
    there = [
        each for each in _jobs(simulation, provider) if simulation.history.truth(provider.name, each, now) != ABSENT
    ]
    gone = simulation.rng.sample(there, k=max(0, min(count, len(there) - 2)))
    for job_id in gone:
        provider.world.cut(job_id, Phase.ABSENT, now)
        simulation.note_event("deleted at the provider", f"{provider.name}/{job_id}")
    return set(there) - set(gone)


def end_before_cancels(simulation: Simulation) -> None:
    """Let the jobs of the next cancels end, or be cancelled by another user, right before the cancels arrive."""
    provider = any_provider(simulation)
    provider.overtakers += [simulation.rng.choice(_ENDS) for _ in range(simulation.rng.randrange(1, 3))]
    simulation.note_event("to end before our cancels", f"{provider.name}: {', '.join(provider.overtakers)}")


def answer_oddly(simulation: Simulation) -> None:
    """Respond to the next changes with 2xx and no job. The changes take effect, unless the response has an error."""
    provider = any_provider(simulation)
    response_fault = ResponseFault(
        simulation.rng.choice([*ODDLY_TAKEN, *ODDLY_TAKEN, REFUSED_IN_200]), simulation.rng.randrange(1, 5)
    )
    provider.response_faults.append(response_fault)
    simulation.note_event(response_fault.kind, f"{provider.name}, the next {response_fault.times}")


def hide_the_time(simulation: Simulation) -> None:
    """Add a limit to a job that should continue, and let its provider report no time, a wrong or an absurd time."""
    provider = any_provider(simulation)
    going_on = [
        each for each in simulation.revision.job_specs if each.account == provider.name and each.desired != "cancelled"
    ]
    if not going_on:
        return
    name = simulation.rng.choice(going_on).name
    simulation.edit(f"{name}: a limit", simulation.revision.changed(name, max_age=timedelta(days=400)))
    kind = simulation.rng.choice(["no-date", "absurd-times", "clocks disagree"])
    if kind == "clocks disagree":
        provider.host.skew = timedelta(minutes=simulation.rng.choice([-10, 10]))
    else:
        provider.response_faults.append(ResponseFault(kind, _LASTING, simulation.rng.randrange(100)))
    simulation.note_event("time hidden", f"{provider.name}: {kind}")


def garble_lists(simulation: Simulation) -> None:
    """Make every second row of the next lists unreadable."""
    provider = any_provider(simulation)
    provider.response_faults.append(
        ResponseFault("garbled-rows", simulation.rng.choice([3, _LASTING]), simulation.rng.randrange(100))
    )
    simulation.note_event("rows garbled", provider.name)


def hold_lists_back(simulation: Simulation) -> None:
    """Let the lists of an account show an earlier state, while a retrieve shows the current state."""
    provider = any_provider(simulation)
    rule = {"fault": "stale-read", "on": "list", "for": simulation.rng.choice(["5m", "2h"]), "times": _LASTING}
    provider.faults.add(FAULTS.validate_python([rule]))
    simulation.note_event("lists lag", f"{provider.name}: {rule['for']}")


def cancel_behind_a_list(simulation: Simulation) -> None:
    """Cancel some jobs as another user does, while lists show an earlier state, and then request their cancel."""
    provider, now = any_provider(simulation), simulation.clock.now()
    hold_lists_back(simulation)
    running = [
        each
        for each in simulation.revision.job_specs
        if each.account == provider.name
        and simulation.history.truth(provider.name, each.job_id, now) not in {*OVER, ABSENT}
    ]
    for job_spec in simulation.rng.sample(running, k=min(3, len(running))):
        with suppress(UnknownJobError, InvalidRequestError):
            provider.world.cut(job_spec.job_id, Phase.CANCELLED, now)
            simulation.note_event("another user cancels", f"{provider.name}/{job_spec.job_id}")
        simulation.edit(f"{job_spec.name}: cancelled", simulation.revision.changed(job_spec.name, desired="cancelled"))


class RefusedThenCancelled:
    """A job whose cancels the provider refuses, until another user cancels it and its spec desires `running` again."""

    def __init__(self) -> None:
        self._job_spec: JobSpec | None = None

    def refuse(self, simulation: Simulation) -> None:
        """Request the cancel of a running job, and let the provider refuse it."""
        provider, now = any_provider(simulation), simulation.clock.now()
        ours = [each for each in simulation.revision.valid() if each.account == provider.name]
        going_on = [each for each in ours if simulation.history.truth(provider.name, each.job_id, now) in UNFINISHED]
        if not going_on:
            return
        self._job_spec = simulation.rng.choice(going_on)
        rule = {"fault": "status", "status": simulation.rng.choice(["400", "403", "409"]), "times": _LASTING}
        provider.faults.add(FAULTS.validate_python([{**rule, "on": "cancel", "job": self._job_spec.job_id}]))
        self._want(simulation, "cancelled")

    def cancel(self, simulation: Simulation) -> None:
        """Cancel the job as another user does."""
        if self._job_spec is not None:
            with suppress(UnknownJobError, InvalidRequestError):
                provider = simulation.providers[self._job_spec.account]
                provider.world.cut(self._job_spec.job_id, Phase.CANCELLED, simulation.clock.now())
                simulation.note_event(
                    "another user cancels after a refusal", f"{provider.name}/{self._job_spec.job_id}"
                )

    def keep(self, simulation: Simulation) -> None:
        """Change the desired state of the job back to running."""
        if self._job_spec is not None:
            self._want(simulation, "running")

    def _want(self, simulation: Simulation, desired: str) -> None:
        assert self._job_spec is not None
        name = self._job_spec.name
        simulation.edit(f"{name}: -> {desired}", simulation.revision.changed(name, desired=desired))


def _jobs(simulation: Simulation, provider: Provider) -> list[str]:
    """Return the IDs of an account's jobs that specs name and that ever existed."""
    named = {each.job_id for each in simulation.revision.job_specs if each.account == provider.name}
    return sorted(named & provider.world.ids())


DOUBTS: tuple[Injector, ...] = (
    *(hide_some,) * 3,
    delete_some,
    delete_a_crowd,
    *(end_before_cancels,) * 2,
    *(answer_oddly,) * 3,
    hide_the_time,
)
OF_LISTS: tuple[Injector, ...] = (garble_lists, hold_lists_back, cancel_behind_a_list, delete_a_crowd, hide_some)
UNDER_BRAKES: tuple[Callable[[Simulation], None], ...] = (hide_some, end_before_cancels, answer_oddly)
"""Injections for runs with strict change limits. They delete no job, because the limits depend on the existing jobs."""
