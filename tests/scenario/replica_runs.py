"""Runs of two replicas from seeds, and the oracle that judges them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.model.job import Phase
from tests.scenario.history import ProviderRequest
from tests.scenario.replica_faults import tell
from tests.scenario.simulation import simulated_loop
from tests.scenario.two_replicas import Story

SERVER_ERROR = 500
REPEATED_AFTER_S = 4
"""A request is repeated no sooner than five seconds after the last one. Receipts have whole seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run."""

    wrong: tuple[str, ...]
    terms: int
    cancels: int


def run_replicas_seed(seed: int) -> Outcome:
    """Run the replicas of a seed, and judge them."""
    loop = simulated_loop()
    try:
        story = loop.run_until_complete(_made(seed))
        loop.run_until_complete(tell(story))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    requests = [
        each for each in story.simulation.history.events if isinstance(each, ProviderRequest) and each.is_change
    ]
    cancelled = {each.job_id for each in requests}
    return Outcome((*story.wrong, *_misjudged(story, requests)), story.terms, len(cancelled))


async def _made(seed: int) -> Story:
    return Story(seed)


def _misjudged(story: Story, requests: list[ProviderRequest]) -> Iterator[str]:
    """Yield what is wrong: a wanted job that is not cancelled, another one that is, or a repeat without a cause."""
    now = story.ended_at
    for spec in story.specs.values():
        is_cancelled = story.provider.world.retrieve(spec.job_id, now).phase is Phase.CANCELLED
        if is_cancelled != (spec.desired == "cancelled"):
            yield f"{spec.name} is wanted {spec.desired}, and is cancelled: {is_cancelled}"
    for job, count in Counter(each.job_id for each in requests).items():
        ours = sorted((each for each in requests if each.job_id == job), key=lambda each: each.at)
        for place, each in enumerate(ours[1:], 1):
            is_explained = any(
                before.status is None or before.status >= SERVER_ERROR or before.ended_at > each.at
                for before in ours[:place]
            )
            is_soon = (each.at - ours[place - 1].at).total_seconds() < REPEATED_AFTER_S
            if is_soon or not is_explained:
                yield f"{job} got {count} requests, and nothing explains the one at {each.at}"
