"""The faults of two replicas, and how they befall a run.

Faults: the lease's service is unreachable for a replica or for both, or does not respond; a replica is killed and
started again; a process is stopped without its tasks noticing (its clock jumps); the provider is slow; the remote is
unreachable. In some runs the lease also ends early, so that both replicas act for a while. All faults end before the
last part.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator

from reconciler.sandbox.faults import FAULTS
from tests.scenario.two_replicas import NAMES, Replica, Story

TROUBLE_S, CALM_S = 900.0, 1300.0
"""The second part is long enough for a lost cancel to be repeated after ten minutes."""
WANTED, UNWANTED = 6, 2
"""How many jobs people cancel at any time, and how many they leave alone. The others are for one of the faults."""

Fault = Callable[[Story, Replica], Awaitable[None]]


async def _cut_off(story: Story, replica: Replica) -> None:
    story.service.cut_off.add(replica.name)
    await story.clock.sleep(story.rng.uniform(3, 60))
    story.service.cut_off.discard(replica.name)


async def _service_away(story: Story, _: Replica) -> None:
    fault = story.rng.choice(["is_down", "is_hanging"])
    setattr(story.service, fault, True)
    await story.clock.sleep(story.rng.uniform(3, 60))
    setattr(story.service, fault, False)


async def _killed(story: Story, replica: Replica) -> None:
    await story.kill(replica)
    await story.clock.sleep(story.rng.choice([0.0, 5.0, 60.0]))
    story.start(replica)


async def _stopped(story: Story, replica: Replica) -> None:
    replica.skipped_s += story.rng.uniform(5, 40)


async def _slow(story: Story, _: Replica) -> None:
    rule = FAULTS.validate_python([{"fault": "slow", "for": story.rng.choice(["3s", "12s", "40s"])}])[0]
    story.provider.faults.add([rule])
    await story.clock.sleep(story.rng.uniform(10, 90))
    story.provider.faults.remove(rule)


async def _remote_away(story: Story, _: Replica) -> None:
    story.branch.is_away = True
    await story.clock.sleep(story.rng.uniform(5, 60))
    story.branch.is_away = False


async def _ended_early(story: Story, _: Replica) -> None:
    """End the lease, and let its holder not notice for some time."""
    holder = story.service.holder
    if story.ends_early and holder is not None:
        story.service.give(None)
        story.service.ends_at = 0.0
        story.service.cut_off.add(holder)
        await story.clock.sleep(story.rng.uniform(1, 15))
        story.service.cut_off.discard(holder)


async def _ended_while_asking(story: Story, replica: Replica) -> None:
    """Let a slow cancel begin right before the lease ends early."""
    observed = [each for each in list(story.specs.values())[WANTED:-UNWANTED] if each.desired == "observed"]
    if not observed:
        return
    rule = FAULTS.validate_python([{"fault": "slow", "for": "12s", "on": "cancel"}])[0]
    story.provider.faults.add([rule])
    story.want(observed[0].name)
    await story.clock.sleep(story.rng.uniform(0.3, 2.0))
    await _ended_early(story, replica)
    await story.clock.sleep(15.0)
    story.provider.faults.remove(rule)


_FAULTS: tuple[Fault, ...] = (
    _cut_off,
    _service_away,
    _killed,
    _stopped,
    _slow,
    _remote_away,
    _ended_early,
    *(_ended_while_asking,) * 3,
)


def _moments(rng: random.Random) -> Iterator[tuple[float, str]]:
    for name in (f"job-{number}" for number in range(WANTED)):
        yield rng.uniform(0, TROUBLE_S), name
    for _ in range(rng.randrange(4, 14)):
        yield rng.uniform(0, TROUBLE_S), ""


async def tell(story: Story) -> None:
    """Let people and faults do what the seed of the story says, and end with both replicas running."""
    faults: list[asyncio.Future[None]] = []
    for replica in story.replicas.values():
        story.start(replica)
    for at, name in sorted(_moments(story.rng)):
        await story.clock.sleep(max(0.0, at - story.clock.monotonic()))
        if name:
            story.want(name)
        if not name or story.rng.random() < 0.5:
            fault, replica = story.rng.choice(_FAULTS), story.replicas[story.rng.choice(NAMES)]
            faults.append(asyncio.ensure_future(fault(story, replica)))
    await asyncio.gather(*faults)
    story.service.cut_off.clear()
    story.service.is_down = story.service.is_hanging = story.branch.is_away = False
    for replica in story.replicas.values():
        story.start(replica)
    await story.clock.sleep(CALM_S)
    if sum(each.is_acting for each in story.replicas.values()) != 1:
        story.wrong.append("not exactly one replica acts in the end")
    story.ended_at = story.clock.now()
    for replica in story.replicas.values():
        await story.kill(replica)
