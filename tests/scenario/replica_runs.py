"""Runs of replicas from seeds, and the oracle that judges them: by the provider's log and by each commit of statuses.

What is promised: a cancel is requested once, and is repeated only if, when the repeat is sent, an earlier request for
the job has had no response yet or had an inconclusive one (none, or 5xx). A receipt of a request that was sent is in
every later commit, whichever replica makes it and however the spec is renamed. A commit changes only the statuses of
accounts that belong to the replica's shard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any

import yaml

from reconciler.model.job import Phase
from tests.scenario.history import ChangeSent, ProviderRequest
from tests.scenario.replica_faults import tell
from tests.scenario.replicas import Commit, Story
from tests.scenario.simulation import simulated_loop
from tests.support.stoppable_tasks import allow_stops

SERVER_ERROR = 500
REPEATED_AFTER_S = 4
"""A process repeats a request no sooner than five seconds after the last one. Receipts have whole seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run."""

    wrong: tuple[str, ...]
    """What the oracles found. Each text begins with the name of its oracle."""
    terms: int
    cancels: int
    repeats: int


def run_replicas_seed(seed: int) -> Outcome:
    """Run the replicas of a seed, and judge them."""
    loop = simulated_loop()
    allow_stops(loop)
    try:
        story = loop.run_until_complete(_made(seed))
        loop.run_until_complete(tell(story))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    return judged(story)


async def _made(seed: int) -> Story:
    return Story(seed)


def judged(story: Story) -> Outcome:
    """Judge a run that has ended."""
    events = story.simulation.history.events
    cancels = [each for each in events if isinstance(each, ProviderRequest) and each.is_change]
    sent = {each.job_id: each.at for each in reversed(events) if isinstance(each, ChangeSent)}
    wrong = chain(
        story.wrong,
        _repeats(cancels),
        _ends(story, sent),
        *(_misplaced(each) for each in story.commits),
        _lost(story, sent),
        _left(story),
    )
    return Outcome(tuple(wrong), story.terms, len(sent), len(cancels) - len(sent))


def _repeats(cancels: list[ProviderRequest]) -> Iterator[str]:
    """Yield the repeated requests that no earlier one explains."""
    for place, each in enumerate(in_time := sorted(cancels, key=lambda each: each.at)):
        earlier = [before for before in in_time[:place] if before.job_id == each.job_id]
        is_explained = any(
            before.status is None or before.status >= SERVER_ERROR or before.ended_at > each.at for before in earlier
        )
        soon = [
            before
            for before in earlier
            if before.life == each.life and (each.at - before.at).total_seconds() < REPEATED_AFTER_S
        ]
        if earlier and (soon or not is_explained):
            yield f"unexplained_repeat: {each.at:%T}: the cancel of {each.job_id} is repeated, and nothing explains it"


def _ends(story: Story, sent: Mapping[str, datetime]) -> Iterator[str]:
    """Yield the jobs that are wanted cancelled and run, or that ended although nobody asked."""
    for spec in story.specs.values():
        phase = story.simulation.history.truth(spec.account, spec.job_id, story.ended_at)
        is_cancelled = phase == Phase.CANCELLED.value
        if is_cancelled != (spec.job_id in sent) or (spec.desired == "cancelled" and not is_cancelled):
            yield f"wrong_end: {spec.name} is wanted {spec.desired}, and {spec.job_id} is {phase}"


@dataclass(frozen=True, slots=True)
class _Status:
    """A status as others read it."""

    name: str
    account: str
    job: str | None
    receipts: int
    reason: str
    is_proven: bool
    """Whether the newest receipt has an outcome."""


@cache
def _read(data: bytes) -> _Status:
    document: dict[str, Any] = yaml.safe_load(data)
    status = document["status"]
    job, receipts = status.get("job") or {}, status.get("receipts") or []
    return _Status(
        document["metadata"]["name"],
        job.get("account") or status.get("account", ""),
        job.get("id"),
        len(receipts),
        status["conditions"][0]["reason"] if "conditions" in status else "",
        bool(receipts) and receipts[0].get("outcome") is not None,
    )


def _misplaced(commit: Commit) -> Iterator[str]:
    """Yield the statuses of other shards that a commit changes or removes, and does not only copy."""
    shard = commit.shard
    if shard is None:
        return
    own_names = {each.name for each in map(_read, commit.after.values()) if each.account and shard.owns(each.account)}
    known = {each.job for each in map(_read, commit.before.values())}
    for path in sorted(commit.before.keys() | commit.after.keys()):
        before, after = commit.before.get(path), commit.after.get(path)
        if before == after:
            continue
        status = _read(after or before or b"")
        is_moved = after is None and status.name in own_names
        is_copied = before is None and status.job in known
        if not (is_moved or is_copied or shard.owns(status.account)):
            verb = "changes" if after else "removes"
            yield f"foreign_status: {commit.at:%T}: {commit.by}, which is {shard}, {verb} {path}"


def _lost(story: Story, sent: Mapping[str, datetime]) -> Iterator[str]:
    """Yield the jobs whose receipts a commit loses, although a request was sent."""
    for commit in story.commits:
        gone = _recorded(commit.before) - _recorded(commit.after)
        for job in gone:
            if job in story.specs and job in sent and sent[job] <= commit.at:
                yield f"lost_receipts: {commit.at:%T}: {commit.by} loses the receipts of {job}"


def _recorded(statuses: Mapping[str, bytes]) -> set[str]:
    """Return the jobs for which there is a receipt."""
    return {each.job for each in map(_read, statuses.values()) if each.job is not None and each.receipts}


def _left(story: Story) -> Iterator[str]:
    """Yield what is wrong with the statuses in the end: each spec has one, with the proof of its cancel.

    A copy of a status may be left, because its owner reads the branch only when it publishes.
    """
    found = {each.name: each for each in map(_read, story.branch.statuses.values()) if each.job}
    specs = {each.name: each for each in story.specs.values()}
    for name, spec in specs.items():
        status = found.get(name)
        if status is None or (status.job, status.account) != (spec.job_id, story.lines[spec.account]):
            yield f"wrong_last_status: the status of {name} is about {status and status.job} instead of {spec.job_id}"
        elif spec.desired == "cancelled" and (status.reason != "Cancelled" or not status.is_proven):
            yield f"wrong_last_status: {name} is {status.reason}, with {status.receipts} receipts"
    recorded = {(each.job, each.receipts) for each in found.values() if each.name in specs}
    for name in found.keys() - specs.keys():
        if (found[name].job, found[name].receipts) not in recorded:
            yield f"wrong_last_status: there is a status of {name}, which is no spec"
