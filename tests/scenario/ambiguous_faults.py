"""What makes a part of an account doubtful, or an answer mean something else than it seems to.

Rules: as in `injections`. What one function here does is of one job, one list, one clock or one request: whatever else
the account shows meanwhile is true.
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
from tests.scenario.injections import Trouble, any_provider
from tests.scenario.oracles.status_yaml import OVER, UNFINISHED
from tests.scenario.provider import ODDLY_TAKEN, REFUSED_IN_200, Provider, Trick
from tests.scenario.repository import Wish
from tests.scenario.simulation import Stage

_LASTING = 1000
"""So many requests as one fault never meets before the calm."""
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


def hide_some(stage: Stage) -> None:
    """Let what is asked of a few jobs by their ids be refused, spoilt or not answered, once or for long."""
    provider = any_provider(stage)
    jobs = _jobs(stage, provider)
    some = stage.rng.sample(jobs, k=min(len(jobs), stage.rng.choice([1, 1, 2, 3])))
    rule, times = stage.rng.choice(_OF_ONE_JOB), stage.rng.choice([1, 4, _LASTING])
    rules = [{**rule, "on": "retrieve", "job": job_id, "times": times} for job_id in some]
    provider.weather.add(FAULTS.validate_python(rules))
    stage.happen("some are hidden", f"{provider.name}, {', '.join(some)}: {rule}, {times} times")


def delete_some(stage: Stage) -> None:
    """Let somebody delete a job or two at the provider, but never all of them."""
    _delete(stage, any_provider(stage), stage.rng.choice([1, 1, 2]))


def delete_a_crowd(stage: Stage) -> None:
    """Let somebody delete many jobs at the provider, and want one of those that are left cancelled."""
    provider = any_provider(stage)
    left = _delete(stage, provider, stage.rng.choice([2, 12, 24]))
    wanted = [
        each
        for each in stage.revision.wishes
        if each.account == provider.name and each.job_id in left and each.desired != "cancelled"
    ]
    if wanted:
        name = stage.rng.choice(wanted).name
        stage.edit(f"{name}: cancelled", stage.revision.changed(name, desired="cancelled"))


def _delete(stage: Stage, provider: Provider, count: int) -> set[str]:
    """Delete so many jobs, if enough are there. Returns the ids of those that are left."""
    now = stage.clock.now()
    there = [each for each in _jobs(stage, provider) if stage.history.truth(provider.name, each, now) != ABSENT]
    gone = stage.rng.sample(there, k=max(0, min(count, len(there) - 2)))
    for job_id in gone:
        provider.world.cut(job_id, Phase.ABSENT, now)
        stage.happen("deleted at the provider", f"{provider.name}/{job_id}")
    return set(there) - set(gone)


def end_before_cancels(stage: Stage) -> None:
    """Let the jobs of the next cancels end, or be cancelled by somebody else, right before these arrive."""
    provider = any_provider(stage)
    provider.overtakers += [stage.rng.choice(_ENDS) for _ in range(stage.rng.randrange(1, 3))]
    stage.happen("to end before our cancels", f"{provider.name}: {', '.join(provider.overtakers)}")


def answer_oddly(stage: Stage) -> None:
    """Answer the next requests for a change with 2xx and no job: they were taken, or they were not."""
    provider = any_provider(stage)
    trick = Trick(stage.rng.choice([*ODDLY_TAKEN, *ODDLY_TAKEN, REFUSED_IN_200]), stage.rng.randrange(1, 5))
    provider.tricks.append(trick)
    stage.happen(trick.kind, f"{provider.name}, the next {trick.times}")


def hide_the_time(stage: Stage) -> None:
    """Give a job that is to go on a limit, and let its provider tell no time for long, or a wrong or absurd one."""
    provider = any_provider(stage)
    going_on = [each for each in stage.revision.wishes if each.account == provider.name and each.desired != "cancelled"]
    if not going_on:
        return
    name = stage.rng.choice(going_on).name
    stage.edit(f"{name}: a limit", stage.revision.changed(name, max_age=timedelta(days=400)))
    kind = stage.rng.choice(["no-date", "absurd-times", "clocks disagree"])
    if kind == "clocks disagree":
        provider.skew = timedelta(minutes=stage.rng.choice([-10, 10]))
    else:
        provider.tricks.append(Trick(kind, _LASTING, stage.rng.randrange(100)))
    stage.happen("time hidden", f"{provider.name}: {kind}")


def garble_lists(stage: Stage) -> None:
    """Let the lists hold rows that cannot be read."""
    provider = any_provider(stage)
    provider.tricks.append(Trick("garbled-rows", stage.rng.choice([3, _LASTING]), stage.rng.randrange(100)))
    stage.happen("rows garbled", provider.name)


def hold_lists_back(stage: Stage) -> None:
    """Let all lists show what was, while a retrieve shows what is."""
    provider = any_provider(stage)
    rule = {"fault": "stale-read", "on": "list", "for": stage.rng.choice(["5m", "2h"]), "times": _LASTING}
    provider.weather.add(FAULTS.validate_python([rule]))
    stage.happen("lists lag", f"{provider.name}: {rule['for']}")


def cancel_behind_a_list(stage: Stage) -> None:
    """Let somebody else cancel some jobs while lists show what was before, and then want them cancelled."""
    provider, now = any_provider(stage), stage.clock.now()
    hold_lists_back(stage)
    running = [
        each
        for each in stage.revision.wishes
        if each.account == provider.name and stage.history.truth(provider.name, each.job_id, now) not in {*OVER, ABSENT}
    ]
    for wish in stage.rng.sample(running, k=min(3, len(running))):
        with suppress(UnknownJobError, InvalidRequestError):
            provider.world.cut(wish.job_id, Phase.CANCELLED, now)
            stage.happen("somebody cancels", f"{provider.name}/{wish.job_id}")
        stage.edit(f"{wish.name}: cancelled", stage.revision.changed(wish.name, desired="cancelled"))


class RefusedThenCancelled:
    """A job whose cancels the provider refuses, until somebody else cancels it and its spec wants it to run again."""

    def __init__(self) -> None:
        self._wish: Wish | None = None

    def refuse(self, stage: Stage) -> None:
        """Want a job gone that goes on, and let the provider refuse that."""
        provider, now = any_provider(stage), stage.clock.now()
        ours = [each for each in stage.revision.valid() if each.account == provider.name]
        going_on = [each for each in ours if stage.history.truth(provider.name, each.job_id, now) in UNFINISHED]
        if not going_on:
            return
        self._wish = stage.rng.choice(going_on)
        rule = {"fault": "status", "status": stage.rng.choice(["400", "403", "409"]), "times": _LASTING}
        provider.weather.add(FAULTS.validate_python([{**rule, "on": "cancel", "job": self._wish.job_id}]))
        self._want(stage, "cancelled")

    def cancel(self, stage: Stage) -> None:
        """Let somebody else cancel it."""
        if self._wish is not None:
            with suppress(UnknownJobError, InvalidRequestError):
                provider = stage.providers[self._wish.account]
                provider.world.cut(self._wish.job_id, Phase.CANCELLED, stage.clock.now())
                stage.happen("somebody cancels after a refusal", f"{provider.name}/{self._wish.job_id}")

    def keep(self, stage: Stage) -> None:
        """Want it to run again."""
        if self._wish is not None:
            self._want(stage, "running")

    def _want(self, stage: Stage, desired: str) -> None:
        assert self._wish is not None
        name = self._wish.name
        stage.edit(f"{name}: -> {desired}", stage.revision.changed(name, desired=desired))


def _jobs(stage: Stage, provider: Provider) -> list[str]:
    """Return the jobs of an account that specs name and that there are."""
    named = {each.job_id for each in stage.revision.wishes if each.account == provider.name}
    return sorted(named & provider.world.ids())


DOUBTS: tuple[Trouble, ...] = (
    *(hide_some,) * 3,
    delete_some,
    delete_a_crowd,
    *(end_before_cancels,) * 2,
    *(answer_oddly,) * 3,
    hide_the_time,
)
OF_LISTS: tuple[Trouble, ...] = (garble_lists, hold_lists_back, cancel_behind_a_list, delete_a_crowd, hide_some)
UNDER_BRAKES: tuple[Callable[[Stage], None], ...] = (hide_some, end_before_cancels, answer_oddly)
"""What deletes no job: of how many jobs a change is asked for is told against those that there are."""
