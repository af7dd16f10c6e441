"""Find the edits of job documents between two versions of one file, and apply them to a snapshot."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace

from reconciler.model.kind import JobDocument
from reconciler.ports import JobEdit, Located, Snapshot


def job_edits(before: Snapshot, after: Snapshot) -> tuple[JobEdit, ...] | None:
    """Return the edits of one file, or None if the file changed in any other way.

    None is also returned if any of the versions contains anything other than valid job documents.

    Args:
        before: the contents of the file at the last snapshot.
        after: the contents of the file now.
    """
    if not (before.has_only_jobs and after.has_only_jobs) or len(before.jobs) != len(after.jobs):
        return None
    edits = [JobEdit(*pair) for pair in zip(before.jobs, after.jobs, strict=True)]
    if any(_identity(each.before) != _identity(each.after) for each in edits):
        return None
    return tuple(each for each in edits if each.before.document != each.after.document)


def with_contents(snapshot: Snapshot, changed: Mapping[str, Snapshot]) -> Snapshot:
    """Return a snapshot with new contents of some files, between whose versions there are only edits of jobs.

    The jobs of the snapshot are in the order of their files.
    """
    if not changed:
        return snapshot
    jobs = list(snapshot.jobs)
    for file, contents in changed.items():
        begin = bisect_left(jobs, file, key=lambda each: each.file)
        jobs[begin : begin + len(contents.jobs)] = contents.jobs
    return replace(snapshot, jobs=tuple(jobs))


def _identity(located: Located[JobDocument]) -> tuple[object, ...]:
    document = located.document
    return document.kind, document.metadata, document.spec.provider, document.spec.job_id
