"""Three-way merge of one status, for two runs that published at the same time.

Rules:

- The receipts of both versions are kept; only if there are more than a status may have, the oldest are dropped. If both
  versions contain a receipt, the version of it that records more progress is kept.
- Everything else is taken from the version with the newer receipt, or from the published version if neither receipt is
  newer. The next observation corrects what is outdated.
- If the versions are about different jobs, the published version is kept. If ours has new receipts, it is kept too,
  in the published status of its job, or else under a name that no spec uses, where the spec of its job finds it
  (`core.match`). If a status of another job has that name, our new receipts are added to it as attempts that the guard
  counts.
- A published status from a later version of reconcile is kept unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from reconciler.formats.status_parser import StatusTooNewError, StatusUnreadableError, parse_status
from reconciler.formats.status_writer import render_status
from reconciler.model.job_identity import job_identity
from reconciler.model.kept_name import kept_names
from reconciler.model.merged_receipts import merged_receipts, progress
from reconciler.model.receipt_parts import spent_by
from reconciler.model.status import JobStatus, RememberedAttempt
from reconciler.ports import status_path


def carried_over(
    ours: Mapping[str, bytes], published: Mapping[str, bytes], before: Mapping[str, bytes] | None
) -> dict[str, bytes]:
    """Return the files to write on top of the published statuses, so that nothing of this run's statuses is lost.

    Args:
        ours: the statuses of this run, by path.
        published: the published statuses, by path.
        before: the published statuses from which those of this run were derived. None if they are not known.
    """
    wanted: dict[str, bytes] = {}
    moved: list[tuple[str, JobStatus]] = []
    for path, data in _changed(ours, published, before):
        base, theirs = (before or {}).get(path), published.get(path)
        if before is not None and theirs == base:
            wanted[path] = data
        elif (alone := _without_counterpart(base, data, theirs)) is not None:
            moved.append((path, alone))
        elif (merged := merge_statuses(base, data, theirs)) is not None:
            wanted[path] = merged
    for path, status in moved:
        _add(path, status, published, wanted)
    return {path: data for path, data in wanted.items() if data != published.get(path)}


def _changed(
    ours: Mapping[str, bytes], published: Mapping[str, bytes], before: Mapping[str, bytes] | None
) -> Iterator[tuple[str, bytes]]:
    """Yield the files that this run has changed, except those that are published already. None of them is parsed."""
    for path, data in ours.items():
        if data != published.get(path) and (before is None or data != before.get(path)):
            yield path, data


def _add(path: str, status: JobStatus, published: Mapping[str, bytes], wanted: dict[str, bytes]) -> None:
    """Merge a status into the published status of its job, or add it: at its path if that is free."""
    # The first publication from a disk may add thousands of statuses, so these are not compared with each other.
    known = {**published, **wanted} if path in published else published
    place, renamed = _place_of(path, status, known)
    merged = merge_statuses(None, render_status(renamed).encode(), wanted.get(place, published.get(place)))
    if merged is not None:
        wanted[place] = merged


def _without_counterpart(before: bytes | None, ours: bytes, theirs: bytes | None) -> JobStatus | None:
    """Return our version if it has new receipts, and the published version is about another job or does not exist."""
    mine, known = _read(ours), _read(before)
    if mine is None or mine.job is None:
        return None
    known_receipts = known.receipts if known is not None and _identity(known) == _identity(mine) else ()
    if mine.receipts == known_receipts:
        return None
    if theirs is None:
        return mine
    published = _read(theirs)
    return None if published is None or _identity(mine) == _identity(published) else mine


def _place_of(path: str, status: JobStatus, published: Mapping[str, bytes]) -> tuple[str, JobStatus]:
    """Return the path of the published status of the same job, else ours if it is free, else that of a kept name.

    Our version is returned too, with the name and the source of that path.
    """
    assert status.job is not None  # noqa: S101  a status without a job has no receipts to keep
    wanted = status.job.id.encode()
    for other, data in published.items():
        if wanted in data and (found := _read(data)) is not None and _identity(found) == _identity(status):
            return other, replace(status, name=found.name, source=found.source)
    if path not in published:
        return path, status
    kept = replace(status, name=next(kept_names(status)))
    return status_path(kept.source, kept.name), kept


def merge_statuses(before: bytes | None, ours: bytes, theirs: bytes | None) -> bytes | None:
    """Return the bytes of the merged status file. None means that the file is not published.

    Args:
        before: the version from which both others were derived, or None if the file did not exist.
        ours: the version of this run.
        theirs: the published version, which other runs may have changed, or None if there is none.
    """
    mine, known = _read(ours), _read(before)
    if mine is None or mine.receipts == (known.receipts if known else ()):
        return theirs
    try:
        published = _parsed(theirs)
    except StatusTooNewError:  # a later version of reconcile wrote it, so it is never overwritten
        return theirs
    if published is None:
        return ours
    if _identity(published) != _identity(mine):
        # A receipt for another job does not belong in this status, but the guard must still count its attempt.
        attempts = _new_attempts(mine, known)
        return render_status(replace(published, spent=(*published.spent, *attempts))).encode() if attempts else theirs
    further = max(published, mine, key=progress)
    receipts = merged_receipts(published.receipts, mine.receipts)
    return theirs if receipts == published.receipts else render_status(replace(further, receipts=receipts)).encode()


def _new_attempts(mine: JobStatus, known: JobStatus | None) -> tuple[RememberedAttempt, ...]:
    """Return an attempt for each receipt in `mine` that is not in the common ancestor."""
    before = {(each.requested_at, each.verb) for each in known.receipts} if known else set()
    return spent_by(mine, (each for each in mine.receipts if (each.requested_at, each.verb) not in before))


def _identity(status: JobStatus) -> tuple[str, str] | None:
    return job_identity(status.job) if status.job else None


def _read(data: bytes | None) -> JobStatus | None:
    """Return the status, or None if this version cannot read it."""
    with suppress(StatusTooNewError):
        return _parsed(data)
    return None


def _parsed(data: bytes | None) -> JobStatus | None:
    """Return the status, or None if it cannot be read. Raises `StatusTooNewError` if a later version wrote it."""
    try:
        return None if data is None else parse_status(data.decode())
    except (StatusUnreadableError, UnicodeDecodeError):
        return None
