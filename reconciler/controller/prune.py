"""Prune the statuses of deleted and renamed specs. No change is ever requested for the job of a deleted spec.

Rules:

- No status is removed if the revision is not trusted, the Settings are invalid, or the run does not select every spec.
- The status of a deleted spec is removed only if there is another spec and every spec file could be read. The change
  limits bound how many specs may count as deleted at once.
- The old status of a renamed spec is removed once its job has a status under the new name.
- A discarded status file is removed once every spec has a status, unless a spec will overwrite it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import PurePosixPath

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.desired_specs import DesiredSpecs
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.runtime import Runtime
from reconciler.core.conditions import stalled
from reconciler.core.guard import ChangeLimits, judge
from reconciler.core.orphans import has_recent_request, orphan_status, with_confirmed_phase
from reconciler.errors import ProviderError
from reconciler.model.job import JobRef, Observed
from reconciler.model.job_identity import job_identity
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus
from reconciler.ports import PROVIDERS, JobReader, Snapshot, status_path


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning changed: the names of the removed statuses, with notices and errors for the report."""

    removed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    def __add__(self, other: Pruned) -> Pruned:
        """Return one result that combines two results."""
        return Pruned(self.removed + other.removed, self.notices + other.notices, self.errors + other.errors)


def write_all(statuses: Iterable[JobStatus], runtime: Runtime) -> tuple[str, ...]:
    """Write statuses for which no request was sent, and return a message for each that could not be written."""
    return tuple(
        problem
        for status in statuses
        for problem in attempt(
            f"the status of {status.name}",
            partial(runtime.statuses.write, status, durable=status.open_receipt is not None),
        )
    )


async def observe_orphans(
    reader: JobReader, target: ResolvedAccount, orphans: Iterable[JobStatus], *, are_absences_doubted: bool
) -> dict[str, Observed]:
    """Retrieve the jobs of deleted specs, and return the observations by status name.

    Jobs that could not be observed are left out. With `are_absences_doubted`, absent jobs are left out too.
    """
    found = {}
    for status in orphans:
        assert status.job is not None  # noqa: S101  only orphans that name a job are observed
        with suppress(ProviderError):
            seen_now = Observed(await reader.get_job(JobRef(target.account, status.job.id)))
            if seen_now.job is not None or not are_absences_doubted:
                found[status.name] = with_confirmed_phase(seen_now, status, target.jobs.capabilities)
    return found


def prune_statuses(
    desired: DesiredSpecs,
    outcomes: Iterable[AccountOutcome],
    busy: Collection[str],
    limits: ChangeLimits,
    runtime: Runtime,
) -> Pruned:
    """Write or remove the statuses that no spec claims, except those of running account workers (`busy`).

    `limits` bounds how many specs may count as deleted at once.
    """
    now = runtime.clock.now().replace(microsecond=0)
    orphans = _sorted([each for each in desired.matched.orphans if each.name not in busy], desired.snapshot, now)
    reported, notices = _deleted(orphans, desired, limits)
    seen = dict(chain.from_iterable(each.orphans.items() for each in outcomes))
    after = {status.name: orphan_status(status, seen.get(status.name), now) for status in reported}
    errors = write_all([*orphans.kept, *filter(None, after.values())], runtime)
    # In a revision that is not trusted, a missing spec does not prove that it was deleted.
    if not desired.may_ask:
        return Pruned(errors=errors)
    errors += _remove(_renamed(desired.matched.superseded, busy, runtime), runtime)
    gone = [each for each in reported if after[each.name] is None] if _is_readable(desired) else []
    return Pruned(tuple(each.name for each in gone), notices, errors + _remove(gone, runtime))


def _deleted(
    orphans: _Orphans, desired: DesiredSpecs, limits: ChangeLimits
) -> tuple[tuple[JobStatus, ...], tuple[str, ...]]:
    """Return the statuses whose specs count as deleted, and a notice if too many specs disappeared at once."""
    if not desired.may_ask or desired.snapshot.broken_files:
        return orphans.reported, ()
    if share := _excess([each.name for each in orphans.new], _count(desired.snapshot), limits):
        why = (
            f"{share} specs disappeared at once; their statuses are kept. If you meant to delete the specs, restore "
            "them and delete a few at a time. At least one spec must remain."
        )
        return orphans.reported, (why,)
    return orphans.reported + orphans.new, ()


def _is_readable(desired: DesiredSpecs) -> bool:
    """Return whether there is at least one spec and every spec file could be read. Otherwise, no status is removed."""
    return _count(desired.snapshot) > 0 and not desired.snapshot.broken_files


def _count(snapshot: Snapshot) -> int:
    return len(snapshot.jobs) + len(snapshot.broken_jobs)


@dataclass(frozen=True, slots=True)
class _Orphans:
    """The statuses that no spec claims, sorted by how they are handled."""

    kept: tuple[JobStatus, ...]
    """The statuses whose spec file cannot be read. The file may still contain the spec."""
    reported: tuple[JobStatus, ...]
    """The statuses that an earlier pass reported as deleted, or that have a recent open request."""
    new: tuple[JobStatus, ...]
    """The statuses whose spec has disappeared, although no earlier pass reported it as deleted."""


def _sorted(orphans: Iterable[JobStatus], snapshot: Snapshot, now: datetime) -> _Orphans:
    kept, reported, new = [], [], []
    for status in orphans:
        # An unreadable file may still contain the spec, so the spec does not count as deleted.
        if status.source in snapshot.broken_files:
            message = "the file of the spec cannot be read, so it is unknown whether the spec was deleted"
            kept.append(stalled(status.name, status.source, status, Reason.INVALID_SPEC, message, now))
        elif has_recent_request(status, now) or status.ready.reason is Reason.SPEC_DELETED:
            reported.append(status)
        else:
            new.append(status)
    return _Orphans(tuple(kept), tuple(reported), tuple(new))


def remove_discarded(desired: DesiredSpecs, busy: Collection[str], limits: ChangeLimits, runtime: Runtime) -> Pruned:
    """Remove the discarded status files that no spec will overwrite, if every spec has a status."""
    names = {each.name for each in desired.resolved.candidates}
    left = _unneeded(desired, busy, runtime)
    # Until a renamed spec has a status, a discarded file may be the only record of its past.
    has_statuses = names <= {each.name for each in runtime.statuses.known().jobs}
    if not (left and names) or desired.snapshot.broken_files or not has_statuses:
        return Pruned()
    of_jobs = [path for path in left if not path.startswith(PROVIDERS)]
    if share := _excess(of_jobs, len(names), limits):
        why = (
            f"{share} ignored status files that belong to no spec would be removed at once; they are kept. Remove them "
            "by hand if they are not needed."
        )
        return Pruned(notices=(why,))
    return _discard(left, runtime)


def _discard(paths: Iterable[str], runtime: Runtime) -> Pruned:
    shown = {path: runtime.policy.show_status(path) for path in paths}
    errors = [attempt(name, partial(runtime.statuses.discard, path), "removed") for path, name in shown.items()]
    removals = (f"{name}: removed, because no spec has this status" for name in shown.values())
    return Pruned(notices=tuple(removals), errors=tuple(chain.from_iterable(errors)))


def _unneeded(desired: DesiredSpecs, busy: Collection[str], runtime: Runtime) -> list[str]:
    """Return the discarded files that neither a spec nor a running account worker will overwrite."""
    places = {status_path(each.source, each.name) for each in desired.resolved.candidates}
    discarded = runtime.statuses.known().discarded
    return [path for path in discarded if path not in places and PurePosixPath(path).stem not in busy]


def _excess(deleted: Collection[str], specs: int, limits: ChangeLimits) -> str:
    """Return "N of M" if the limits forbid removing N statuses at once; otherwise, an empty string."""
    total = specs + len(deleted)
    if not deleted or (specs and judge("statuses", tuple(deleted), 0, total, limits) is None):
        return ""
    return f"{len(deleted)} of {total}"


def _renamed(superseded: Iterable[JobStatus], busy: Collection[str], runtime: Runtime) -> list[JobStatus]:
    """Return the old statuses of renamed specs whose job has a status under another name."""
    old = {each.name: each for each in superseded if each.name not in busy}
    if not old:
        return []
    known = runtime.statuses.known().jobs
    tracked = {job_identity(each.job) for each in known if each.job and each.name not in old}
    return [each for each in old.values() if each.job and job_identity(each.job) in tracked]


def _remove(statuses: Iterable[JobStatus], runtime: Runtime) -> tuple[str, ...]:
    return tuple(
        problem
        for status in statuses
        for problem in attempt(f"the status of {status.name}", partial(runtime.statuses.remove, status), "removed")
    )


def attempt(what: str, change: Callable[[], object], done: str = "written") -> tuple[str, ...]:
    """Call `change`. Return the message that `what` could not be `done` if it raises `OSError`; else an empty tuple."""
    try:
        change()
    except OSError as error:
        return (f"{what} could not be {done}: {error.strerror or error}",)
    return ()
