"""Match each spec with its last status.

Rules:

- A status is matched by its job (account and id) first and by its name second, so a renamed or moved spec keeps its
  receipts. Receipts of the job in other statuses of the spec's folder are merged with them. Statuses in other folders
  are not, because other people may write there.
- If a status matches by name only and describes another job, it is reset, and its history records the change of the
  job. If the status of a spec was discarded, the spec gets a placeholder whose history records the loss.
- A status is matched with at most one spec. If a status is reset or overwritten, the attempts that the guard counts are
  kept.
- A spec that may not use its account cannot take a status from another spec. If several specs have the name of a
  status, the spec in the file that the status refers to takes it.
- A status that could not be read in this pass is unknown, not missing. The specs that it may belong to get no
  placeholder and are returned as `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.claim import Claim
from reconciler.core.conditions import stalled
from reconciler.core.own_statuses import OwnStatuses, describes_job_of
from reconciler.core.remembered_attempts import attempts, remembered
from reconciler.model.job import Phase
from reconciler.model.job_identity import by_job, job_identity
from reconciler.model.merged_receipts import merged_receipts, progress
from reconciler.model.reason import Reason
from reconciler.model.status import HISTORY_MAX, HistoryEntry, JobStatus


@dataclass(frozen=True, slots=True)
class Hidden:
    """The files and directories of statuses that could not be read in this pass."""

    names: frozenset[str] = frozenset()
    """The names of the statuses whose files could not be read."""
    folders: tuple[str, ...] = ()
    """The unread directories, as folders of specs. Each ends with `/`, and the empty string means all folders."""

    def may_hold(self, claim: Claim) -> bool:
        """Return whether an unread file or directory may contain the status of this spec."""
        return claim.name in self.names or any(claim.source.startswith(each) for each in self.folders)


NOTHING_HIDDEN = Hidden()


@dataclass(frozen=True, slots=True)
class Matched:
    """The result of a match. `last` contains the last status of each matched claim, by the claim's key."""

    last: Mapping[int, JobStatus]
    unknown: frozenset[int]
    """The keys of the claims whose last status may be in an unread file or directory."""
    orphans: tuple[JobStatus, ...]
    """The statuses whose job no spec names and whose name no spec has."""
    superseded: tuple[JobStatus, ...]
    """The statuses under the old names of renamed specs. The job of each belongs to a spec with another name."""


def match(
    claims: Sequence[Claim],
    statuses: Sequence[JobStatus],
    now: datetime,
    discarded: Iterable[str] = (),
    hidden: Hidden = NOTHING_HIDDEN,
    usual: OwnStatuses | None = None,
) -> Matched:
    """Match each claim with its last status. A claim without a status gets a placeholder if its status was discarded.

    Args:
        claims: the specs.
        statuses: the statuses that were read.
        now: the current time, for the history.
        discarded: the names of the statuses whose files were discarded.
        hidden: the statuses that could not be read.
        usual: what the last match has found; it is updated.
    """
    if hidden == NOTHING_HIDDEN and (own := (usual or OwnStatuses()).of(claims, statuses)) is not None:
        return Matched(own, frozenset(), (), ())
    return _matched_in_full(claims, list(statuses), now, set(discarded), hidden)


def _matched_in_full(
    claims: Sequence[Claim], free: list[JobStatus], now: datetime, discarded: set[str], hidden: Hidden
) -> Matched:
    claims = _in_order(claims, free)
    last, taken = _take(claims, free, now)
    names = {claim.name for claim in claims}
    unknown = _unknown(claims, last, hidden)
    known = last.keys() | unknown
    unmatched = (each for each in claims if each.key not in known)
    last |= _placeholders(unmatched, discarded, names, now)
    unclaimed, left = _left_over([each for each in free if id(each) not in taken], claims)
    superseded = _superseded(claims, last, left)
    _keep_overwritten_attempts(last, claims, (each for each in unclaimed if each.name in names), now)
    return Matched(
        last,
        unknown,
        orphans=tuple(each for each in unclaimed if each.name not in names),
        superseded=superseded,
    )


def _in_order(claims: Iterable[Claim], statuses: Iterable[JobStatus]) -> list[Claim]:
    """Return the claims in the order in which they choose, so that no spec can take the status of another spec.

    The specs that may use their account choose first. Among them, a spec comes first if there is a status with its
    name and its file.
    """
    places = {(each.name, each.source) for each in statuses}
    return sorted(claims, key=lambda claim: (not claim.may_claim, (claim.name, claim.source) not in places))


def _superseded(
    claims: Iterable[Claim], last: Mapping[int, JobStatus], left: Iterable[JobStatus]
) -> tuple[JobStatus, ...]:
    """Return the statuses whose name no spec uses any more, although a spec with another name has their job."""
    claims = list(claims)
    names = {claim.name for claim in claims}
    renamed = (last[claim.key] for claim in claims if claim.key in last)
    return tuple(each for each in (*renamed, *left) if each.name not in names)


def _unknown(claims: Iterable[Claim], last: Mapping[int, JobStatus], hidden: Hidden) -> frozenset[int]:
    """Return the keys of the claims whose last status may be in an unread file or directory.

    An unread file may contain the status of any job, whatever its name, because two specs may have swapped names.
    """
    is_any = bool(hidden.names or hidden.folders)
    return frozenset(each.key for each in claims if hidden.may_hold(each) or (is_any and not _is_certain(each, last)))


def _is_certain(claim: Claim, last: Mapping[int, JobStatus]) -> bool:
    return claim.key in last and describes_job_of(last[claim.key], claim)


def _left_over(rest: Iterable[JobStatus], claims: Iterable[Claim]) -> tuple[list[JobStatus], list[JobStatus]]:
    """Split the unmatched statuses by whether a spec names their job.

    Return the statuses whose job no spec names, and then those that remain from before a rename.
    """
    jobs = {job_identity(claim.ref) for claim in claims if claim.ref is not None}
    unclaimed: list[JobStatus] = []
    left: list[JobStatus] = []
    for each in rest:
        is_named = each.job is not None and job_identity(each.job) in jobs
        (left if is_named else unclaimed).append(each)
    return unclaimed, left


def _keep_overwritten_attempts(
    last: dict[int, JobStatus], claims: Iterable[Claim], statuses: Iterable[JobStatus], now: datetime
) -> None:
    """Copy the attempts from statuses that will be overwritten into the new statuses in `last`.

    Otherwise the guard would no longer count these attempts.
    """
    attempts_of = {each.name: remembered(attempts(each), now) for each in statuses}
    for claim in claims:
        if claim.key in last and (attempts_left := attempts_of.pop(claim.name, ())):
            last[claim.key] = replace(last[claim.key], spent=(*last[claim.key].spent, *attempts_left))


def _take(claims: list[Claim], free: list[JobStatus], now: datetime) -> tuple[dict[int, JobStatus], set[int]]:
    """Return the status of each claim, by key, and the `id()` of each status that was taken."""
    last = _take_by_job(claims, free)
    taken = set(map(id, last.values()))
    _merge_receipts(last, claims, free)
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


def _take_by_job(claims: list[Claim], free: Iterable[JobStatus]) -> dict[int, JobStatus]:
    """Return the statuses that match a claim by job, by the claim's key.

    After a rename, a job has two statuses until the old status is pruned, and the status under the new name is newer.
    If two specs name one job, neither spec takes the status under the other spec's name.
    """
    records = by_job(free)
    last: dict[int, JobStatus] = {}
    for claim, is_by_name in [*((each, True) for each in claims), *((each, False) for each in claims)]:
        ours = _of_claim(claim, records)
        name = claim.name if is_by_name else max(ours, key=lambda name: progress(ours[name]), default=None)
        if name in ours and claim.key not in last:
            last[claim.key] = ours.pop(name)
    return last


def _merge_receipts(last: dict[int, JobStatus], claims: list[Claim], free: Iterable[JobStatus]) -> None:
    """Give each status in `last` the receipts of the other statuses of its job that no spec of the job uses.

    After a rename, a replica that has not read it yet may have recorded a request under the old name.
    """
    records = by_job(free)
    for claim in claims:
        if claim.key in last:
            _of_claim(claim, records).pop(claim.name, None)
    for claim in claims:
        others = [each for each in _of_claim(claim, records).values() if _folder(each.source) == _folder(claim.source)]
        if claim.key not in last or not others:
            continue
        receipts = merged_receipts(last[claim.key].receipts, *(each.receipts for each in others))
        if receipts != last[claim.key].receipts:
            furthest = max((last[claim.key], *others), key=progress)
            last[claim.key] = replace(furthest, receipts=receipts)


def _of_claim(claim: Claim, records: Mapping[tuple[str, str], dict[str, JobStatus]]) -> dict[str, JobStatus]:
    """Return the statuses of the job of a claim, by their name."""
    return records.get(job_identity(claim.ref), {}) if claim.ref else {}


def _folder(source: str) -> str:
    return source.rpartition("/")[0]


def _of_another_job(status: JobStatus, now: datetime) -> JobStatus:
    """Return the status for a spec that now names another job: reset, with the attempts that still count."""
    entry = HistoryEntry(now, Phase.UNKNOWN, Reason.JOB_CHANGED)
    return replace(
        status,
        phase=Phase.UNKNOWN,
        final=False,
        doubted_at=None,
        paused_elsewhere=None,
        job=None,
        receipts=(),
        spent=remembered(attempts(status), now),
        history=(entry, *status.history)[:HISTORY_MAX],
    )


def _placeholders(claims: Iterable[Claim], lost: set[str], names: set[str], now: datetime) -> dict[int, JobStatus]:
    """Return placeholder statuses, by key, which record that the earlier statuses were discarded."""
    message = "the earlier status of the job was lost"
    # A discarded file with an unused name may be the status of a renamed spec, so any spec may be affected.
    is_any_affected = bool(lost - names)
    return {
        claim.key: stalled(claim.name, claim.source, None, Reason.STATUS_DISCARDED, message, now, claim.kind)
        for claim in claims
        if claim.name in lost or is_any_affected
    }
