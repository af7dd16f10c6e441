"""What happens to replicas: the edits of people, resizes, and faults. All faults end before the last part of a run.

Faults of a lease: its service is unreachable for one replica or for all, does not respond, responds late, or writes
and loses its responses; in some runs, the lease also ends early. Faults of a process: it is killed, stopped with
SIGSTOP and continued, or its clock jumps. Others: the provider is slow, or the remote is unreachable.

A resize restarts the replicas with another number of shards: all together, or one by one, so that two replicas, or
none, may own an account for a while.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import replace

from reconciler.sandbox.faults import FAULTS
from tests.scenario.replicas import Replica, Story
from tests.scenario.repository import JobSpec

TROUBLE_S, CALM_S = 900.0, 1100.0
"""The second part is long enough for a lost cancel to be repeated after ten minutes."""

Fault = Callable[[Story, Replica], Awaitable[None]]


async def _cut_off(story: Story, replica: Replica) -> None:
    service = story.services[replica.index]
    service.cut_off.add(replica.name)
    await story.clock.sleep(story.rng.uniform(3, 60))
    service.cut_off.discard(replica.name)


async def _deaf(story: Story, replica: Replica) -> None:
    service = story.services[replica.index]
    service.deaf.add(replica.name)
    await story.clock.sleep(story.rng.uniform(3, 60))
    service.deaf.discard(replica.name)


async def _service_away(story: Story, replica: Replica) -> None:
    fault, service = story.rng.choice(["is_down", "is_hanging"]), story.services[replica.index]
    setattr(service, fault, True)
    await story.clock.sleep(story.rng.uniform(3, 60))
    setattr(service, fault, False)


async def _service_late(story: Story, replica: Replica) -> None:
    service = story.services[replica.index]
    service.delay_s = story.rng.choice([1.5, 4.0, 7.0, 12.0])
    await story.clock.sleep(story.rng.uniform(10, 90))
    service.delay_s = 0.0


async def _killed(story: Story, replica: Replica) -> None:
    await story.kill(replica)
    await story.clock.sleep(story.rng.choice([0.0, 5.0, 60.0]))
    story.start(replica)


async def _stopped(story: Story, replica: Replica) -> None:
    stopper = replica.stopper
    stopper.stop()
    await story.clock.sleep(story.rng.choice([3.0, 12.0, 20.0, 60.0]))
    stopper.resume()


async def _clock_jumps(story: Story, replica: Replica) -> None:
    replica.skipped_s += story.rng.uniform(5, 40)


async def _slow(story: Story, _: Replica) -> None:
    provider = story.simulation.providers[story.rng.choice(sorted(story.simulation.providers))]
    rule = FAULTS.validate_python([{"fault": "slow", "for": story.rng.choice(["3s", "12s", "40s"])}])[0]
    provider.faults.add([rule])
    await story.clock.sleep(story.rng.uniform(10, 90))
    provider.faults.remove(rule)


async def _remote_away(story: Story, _: Replica) -> None:
    story.branch.is_away = True
    await story.clock.sleep(story.rng.uniform(5, 60))
    story.branch.is_away = False


async def _ended_early(story: Story, replica: Replica) -> None:
    """End the lease, and let its holder not notice for some time."""
    service = story.services[replica.index]
    holder = service.holder
    if story.ends_early and holder is not None:
        service.give(None)
        service.ends_at = 0.0
        service.cut_off.add(holder)
        await story.clock.sleep(story.rng.uniform(1, 15))
        service.cut_off.discard(holder)


async def _while_asking(story: Story, _: Replica) -> None:
    """Let a slow cancel begin right before its replica loses its lease early, is stopped, or is restarted."""
    spec = _unwanted(story)
    if spec is None:
        return
    provider = story.simulation.providers[spec.account]
    rule = FAULTS.validate_python([{"fault": "slow", "for": "12s", "on": "cancel"}])[0]
    provider.faults.add([rule])
    story.edit(replace(spec, desired="cancelled"))
    await story.clock.sleep(story.rng.uniform(0.3, 2.0))
    owners = [each for each in story.running() if each.is_acting and each.owns(story.lines[spec.account])]
    if owners:
        await story.rng.choice([_ended_early, _stopped, _killed])(story, owners[0])
    await story.clock.sleep(15.0)
    provider.faults.remove(rule)


_OF_LEASES: tuple[Fault, ...] = (_cut_off, _deaf, _service_away, _service_late, _ended_early, _ended_early)
_OF_OTHERS: tuple[Fault, ...] = (_killed, _stopped, _stopped, _clock_jumps, _slow, _remote_away, *(_while_asking,) * 3)


async def _resize(story: Story) -> None:
    """Change the number of shards, and restart all replicas, together or one by one."""
    before = list(story.running())
    after = story.resize(story.rng.choice([each for each in (1, 2, 3) if each != story.count]))
    is_rolling, is_graceful = story.rng.random() < 0.6, story.rng.random() < 0.6

    async def restart(replica: Replica, within_s: float) -> None:
        await story.clock.sleep(story.rng.uniform(0, within_s))
        await (story.shut_down if is_graceful else story.kill)(replica)
        if is_rolling:
            await story.clock.sleep(story.rng.choice([0.0, 2.0, 30.0]))
            story.start(replica)

    async def begin(replica: Replica) -> None:
        await story.clock.sleep(story.rng.uniform(0, 60))
        story.start(replica)

    restarting = [restart(each, 90.0 if is_rolling else 0.0) for each in before]
    if is_rolling:
        await asyncio.gather(*restarting, *(begin(each) for each in after if each not in before))
        return
    await asyncio.gather(*restarting)
    for each in after:
        story.start(each)


def _unwanted(story: Story) -> JobSpec | None:
    """Return a random spec that may want its job to be cancelled and does not yet, or None."""
    left = [each for each in story.in_order() if each.job_id in story.wantable and each.desired == "observed"]
    return story.rng.choice(left) if left else None


async def _want(story: Story) -> None:
    if (spec := _unwanted(story)) is not None:
        story.edit(replace(spec, desired="cancelled"))


async def _regret(story: Story) -> None:
    """Want a cancel, and no longer want it soon afterwards."""
    if (spec := _unwanted(story)) is not None:
        story.edit(replace(spec, desired="cancelled"))
        await story.clock.sleep(story.rng.choice([0.0, 0.3, 1.0, 8.0]))
        story.edit(replace(story.specs[spec.job_id], desired="observed"))


async def _rename(story: Story) -> None:
    """Rename a spec, or let two or three specs exchange their names in one commit, which may also want their cancels.

    In half of the cases the specs exchange their files too, so that only their jobs move.
    """
    chosen = story.rng.sample(story.in_order(), story.rng.choice([1, 2, 2, 2, 3]))
    others = (*chosen[1:], chosen[0])
    story.renamed += 1
    names = [each.name for each in others] if len(chosen) > 1 else [f"renamed-{story.renamed}"]
    files = [each.file for each in (others if story.rng.random() < 0.5 else chosen)]
    wanted = story.wantable if story.rng.random() < 0.5 else frozenset()
    changed = zip((_as_wanted(each, wanted) for each in chosen), names, files, strict=True)
    story.edit(*(replace(spec, name=name, file=file) for spec, name, file in changed))


def _as_wanted(spec: JobSpec, wanted: Collection[str]) -> JobSpec:
    return replace(spec, desired="cancelled") if spec.job_id in wanted else spec


async def _delete(story: Story) -> None:
    left = [each for each in story.in_order() if each.job_id not in story.wantable]
    if len(left) > 1:
        story.delete(story.rng.choice(left))


_EDITS: tuple[Callable[[Story], Awaitable[None]], ...] = (_want, _regret, _rename, _rename, _delete)


def _moments(rng: random.Random) -> Iterator[tuple[float, str]]:
    """Yield when something happens, and its kind."""
    for kind, count in (("want", 5), ("edit", rng.randrange(1, 6)), ("fault", rng.randrange(4, 14))):
        for _ in range(count):
            yield rng.uniform(0, TROUBLE_S), kind
    for _ in range(rng.choice([0, 1, 1, 2])):
        yield rng.uniform(60, TROUBLE_S - 200), "resize"


def _happening(story: Story, kind: str) -> Awaitable[None]:
    rng = story.rng
    match kind:
        case "want":
            return _want(story)
        case "edit":
            return rng.choice(_EDITS)(story)
        case "resize":
            return _resize(story)
    faults = (*_OF_LEASES, *_OF_OTHERS) if story.has_leases else _OF_OTHERS
    return rng.choice(faults)(story, rng.choice([*story.replicas.values()]))


async def tell(story: Story) -> None:
    """Let people and faults do what the seed of the story says, and end with all replicas running."""
    happenings: list[asyncio.Future[None]] = []
    resizing: asyncio.Future[None] | None = None
    for replica in [*story.replicas.values()]:
        story.start(replica)
    for at, kind in sorted(_moments(story.rng)):
        await story.clock.sleep(max(0.0, at - story.clock.monotonic()))
        if kind == "resize" and resizing is not None:
            await resizing
        happening = asyncio.ensure_future(_happening(story, kind))
        if kind == "resize":
            resizing = happening
        happenings.append(happening)
    await asyncio.gather(*happenings)
    _mend(story)
    await story.clock.sleep(CALM_S)
    story.ended_at = story.clock.now()
    for replica in [*story.replicas.values()]:
        await story.kill(replica)


def _mend(story: Story) -> None:
    """End every fault, and start every replica that should run."""
    story.branch.is_away = False
    for service in story.services.values():
        service.mend()
    for replica in story.resize(story.count):
        replica.stopper.resume()
        story.start(replica)
