"""Which status belongs to which spec, and which specs are at odds.

Rules: a job's identity is (account, id), so a status is found by that first and by name only then: a renamed or moved
spec keeps its receipts. A status found by name that speaks of another job is not this job's: what was known is dropped,
and the history says so; so it does where what was known could not be read. One status belongs to at most one spec.
What the guard counts is dropped with none of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.conditions import stalled
from reconciler.core.remembered_attempts import attempts, remembered
from reconciler.model.job import JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import HISTORY_MAX, HistoryEntry, JobStatus


@dataclass(frozen=True, slots=True)
class Claim:
    """A spec looking for its status: `key` tells specs apart, `ref` is None where it cannot be resolved."""

    key: int
    name: str
    source: str
    ref: JobRef | None


@dataclass(frozen=True, slots=True)
class Matched:
    """What belongs to what. `last` is by the claims' keys."""

    last: Mapping[int, JobStatus]
    orphans: tuple[JobStatus, ...]
    """Statuses that no spec claims."""
    superseded: tuple[JobStatus, ...]
    """Statuses that a renamed spec left behind: what they tell goes on under the new name."""


def match(
    claims: Iterable[Claim], statuses: Iterable[JobStatus], now: datetime, discarded: Iterable[str] = ()
) -> Matched:
    """Return every claim's last status.

    Args:
        claims: the specs.
        statuses: what was read.
        now: our clock, for the history.
        discarded: the names under which something stands that counts as no status.
    """
    claims = list(claims)
    free = list(statuses)
    last, taken = _take(claims, free, now)
    names = {claim.name for claim in claims}
    last |= _forgotten((each for each in claims if each.key not in last), set(discarded), names, now)
    jobs = {(str(claim.ref.account), claim.ref.id) for claim in claims if claim.ref is not None}
    rest = [each for each in free if id(each) not in taken]
    left = [each for each in rest if each.job is not None and (each.job.account, each.job.id) in jobs]
    renamed = [last[claim.key] for claim in claims if claim.key in last and last[claim.key].name not in names]
    unclaimed = [each for each in rest if each not in left]
    # What stands under a name that a spec has is that spec's file: it is written over, never taken away.
    written_over = {each.name: remembered(attempts(each), now) for each in unclaimed if each.name in names}
    for claim in claims:
        if claim.key in last and (spent := written_over.pop(claim.name, ())):
            last[claim.key] = replace(last[claim.key], spent=(*last[claim.key].spent, *spent))
    return Matched(
        last,
        orphans=tuple(each for each in unclaimed if each.name not in names),
        superseded=tuple(each for each in (*renamed, *left) if each.name not in names),
    )


def _take(claims: list[Claim], free: list[JobStatus], now: datetime) -> tuple[dict[int, JobStatus], set[int]]:
    """Return every claim's status by its key, and which statuses were taken, by their identity."""
    by_job: dict[tuple[str, str], list[JobStatus]] = {}
    for each in free:
        if each.job is not None:
            by_job.setdefault((each.job.account, each.job.id), []).append(each)
    last: dict[int, JobStatus] = {}
    taken: set[int] = set()
    for claim in claims:
        ours = by_job.get((str(claim.ref.account), claim.ref.id), []) if claim.ref else []
        if ours:
            # A rename leaves two for one job until the old one is swept; the one under the new name is the newer.
            status = next((each for each in ours if each.name == claim.name), ours[0])
            ours.remove(status)
            last[claim.key] = status
            taken.add(id(status))
    by_name: dict[str, list[JobStatus]] = {}
    for status in free:
        if id(status) not in taken:
            by_name.setdefault(status.name, []).append(status)
    for claim in claims:
        named = by_name.get(claim.name, [])
        if claim.key in last or not named:
            continue
        status = next((each for each in named if each.source == claim.source), named[0])
        named.remove(status)
        taken.add(id(status))
        is_same = claim.ref is None or status.job is None
        last[claim.key] = status if is_same else _of_another_job(status, now)
    return last, taken


def duplicates(claims: Iterable[Claim]) -> dict[int, str]:
    """Return, by key, why a spec is at odds with another one: its name stands twice, or its job does."""
    claims = list(claims)
    names = Counter(claim.name for claim in claims)
    refs = Counter(claim.ref for claim in claims if claim.ref is not None)
    found = {}
    for claim in claims:
        if names[claim.name] > 1:
            others = sorted({each.source for each in claims if each.name == claim.name and each.key != claim.key})
            found[claim.key] = f"the name {claim.name!r} stands twice; the other is in {', '.join(others)}"
        elif claim.ref is not None and refs[claim.ref] > 1:
            others = sorted(each.name for each in claims if each.ref == claim.ref and each.key != claim.key)
            found[claim.key] = f"the job {claim.ref.id} is named by another spec too: {', '.join(others)}"
    return found


def _of_another_job(status: JobStatus, now: datetime) -> JobStatus:
    entry = HistoryEntry(now, Phase.UNKNOWN, Reason.JOB_CHANGED)
    return replace(
        status,
        phase=Phase.UNKNOWN,
        final=False,
        doubted_at=None,
        job=None,
        receipts=(),
        spent=remembered(attempts(status), now),
        history=(entry, *status.history)[:HISTORY_MAX],
    )


def _forgotten(claims: Iterable[Claim], lost: set[str], names: set[str], now: datetime) -> dict[int, JobStatus]:
    """Return what is left of statuses that were lost: that they were."""
    message = "what was known of the job is lost"
    return {
        claim.key: stalled(claim.name, claim.source, None, Reason.STATUS_DISCARDED, message, now)
        for claim in claims
        # One that no spec has the name of may have been of any job, before its spec was renamed.
        if claim.name in lost or lost - names
    }
