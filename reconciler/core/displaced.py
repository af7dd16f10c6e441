"""Find the statuses that are about to be overwritten although another spec still needs them.

A status file has the name of a spec. If specs exchange their names, the status of one job is written to the file of
another job, whose own status may be written later, or by another replica. Until then a copy is kept under a name that
no spec uses. `core.match` finds it there by its job, and it is pruned like the old status of a renamed spec.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from reconciler.core.claim import Claim
from reconciler.core.own_statuses import describes_job_of
from reconciler.model.job_identity import by_job, job_identity
from reconciler.model.kept_name import kept_names
from reconciler.model.merged_receipts import merged_receipts, progress
from reconciler.model.status import JobStatus


@dataclass(frozen=True, slots=True)
class Displaced:
    """A status that the spec of another job is about to overwrite."""

    key: int
    """The claim that is about to overwrite it."""
    copy: JobStatus | None
    """What to keep under another name. None if specs use every name under which it could be kept."""


def displaced(own: Iterable[Claim], everyone: Iterable[Claim], statuses: Iterable[JobStatus]) -> tuple[Displaced, ...]:
    """Return the statuses to keep before the statuses of these specs are written.

    Args:
        own: the specs whose statuses are about to be written.
        everyone: all specs, including those of other replicas.
        statuses: the statuses on the disk.
    """
    by_name = {each.name: each for each in statuses if each.job is not None}
    named = ((each, status) for each in own if (status := by_name.get(each.name)) is not None)
    lost = [(each, status) for each, status in named if not describes_job_of(status, each)]
    if not lost:
        return ()
    specs: dict[tuple[str, str], set[str]] = {}
    names = set()
    for claim in everyone:
        names.add(claim.name)
        if claim.ref is not None:
            specs.setdefault(job_identity(claim.ref), set()).add(claim.name)
    return tuple(_displaced(lost, specs, names, by_name.values()))


def _displaced(
    lost: Iterable[tuple[Claim, JobStatus]],
    specs: Mapping[tuple[str, str], Collection[str]],
    names: Collection[str],
    statuses: Iterable[JobStatus],
) -> Iterator[Displaced]:
    statuses_of = by_job(statuses)
    for claim, status in lost:
        assert status.job is not None  # noqa: S101  statuses without a job were left out
        job = job_identity(status.job)
        spec_names, records = specs.get(job, ()), statuses_of[job].values()
        if spec_names and claim.name not in spec_names and not _is_elsewhere(status, records):
            yield Displaced(claim.key, _copy(status, records, names))


def _is_elsewhere(status: JobStatus, records: Collection[JobStatus]) -> bool:
    """Return whether other statuses of the job have all of its receipts."""
    others = [each.receipts for each in records if each.name != status.name]
    return bool(others) and merged_receipts(*others) == merged_receipts(status.receipts, *others)


def _copy(status: JobStatus, records: Collection[JobStatus], names: Collection[str]) -> JobStatus | None:
    """Return the status to keep, with the receipts of all records of the job, or None if no name is free."""
    name = next((each for each in kept_names(status) if each not in names), None)
    if name is None:
        return None
    receipts = merged_receipts(*(each.receipts for each in records))
    return replace(max(records, key=progress), name=name, source=status.source, receipts=receipts)
