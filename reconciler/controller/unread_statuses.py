"""Statuses that could not be read in this pass: which jobs they affect, and how they are reported.

Rules:

- An unread status is unknown, not missing. No change is requested for its job, nor for any job without a status,
  because the unread file may belong to that job.
- The change budget is counted from statuses. In the account of an unread file, no first attempt is allowed. In other
  accounts, the file counts as `RECEIPTS_MAX` attempts. While a directory is unread, or a file whose name no spec has,
  no first attempt is allowed in any account.
- A file that can be read but is damaged is not handled here: the status store discards it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import PurePosixPath

from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.core.change_budget import EVERYWHERE
from reconciler.core.conditions import Readiness, Verdict, conclude, stalled
from reconciler.core.match import Hidden
from reconciler.model.reason import Reason
from reconciler.model.status import RECEIPTS_MAX, JobStatus
from reconciler.ports import StoredStatuses, Unread


def hidden(stored: StoredStatuses) -> Hidden:
    """Return the unread files and directories that may contain the status of a job."""
    unread = [each for each in stored.unread if each.is_of_jobs]
    return Hidden(
        names=frozenset(_name(each) for each in unread if not each.is_directory),
        folders=tuple(each.path for each in unread if each.is_directory),
    )


def doubts(stored: StoredStatuses, candidates: Iterable[ResolvedSpec], policy: OperatorPolicy) -> dict[str, str]:
    """Return why first attempts cannot be counted, by account line; the key `EVERYWHERE` stands for all accounts."""
    if not stored.unread:
        return {}
    lines = {each.name: str(each.ref.account) for each in candidates if each.ref is not None}
    found: dict[str, str] = {}
    for each in stored.unread:
        if each.is_of_jobs:
            scope = EVERYWHERE if each.is_directory else lines.get(_name(each), EVERYWHERE)
            found.setdefault(scope, f"{policy.show_status(each.path)} cannot be read")
    return found


def most_attempts(stored: StoredStatuses) -> int:
    """Return how many attempts the unread files are assumed to contain: `RECEIPTS_MAX` in each.

    Unread directories are ignored.
    """
    return RECEIPTS_MAX * sum(each.is_of_jobs and not each.is_directory for each in stored.unread)


def unknown_statuses(
    candidates: tuple[ResolvedSpec, ...], keys: Iterable[int], stored: StoredStatuses, now: datetime
) -> Mapping[int, JobStatus]:
    """Return a placeholder for each unknown status, by the key of its spec. Placeholders are never written."""
    why = "; ".join(dict.fromkeys(each.why for each in stored.unread if each.is_of_jobs))
    return {key: unknown_status(candidates[key], why, now) for key in keys}


def unknown_status(candidate: ResolvedSpec, why: str, now: datetime) -> JobStatus:
    """Return the placeholder for a status that could not be read."""
    draft = stalled(candidate.name, candidate.source, None, Reason.STATUS_UNKNOWN, "", now, candidate.kind)
    verdict = Verdict(Readiness.UNOBSERVED, Reason.STATUS_UNKNOWN, f"its status cannot be read: {why}")
    return conclude(replace(draft, conditions=()), verdict, None, now)


def complaints(stored: StoredStatuses, policy: OperatorPolicy) -> Iterator[str]:
    """Yield a message for each unread file or directory, with the error, its effect and the fix."""
    for each in stored.unread:
        place = policy.show_status(each.path)
        if not each.is_of_jobs:
            held = "the statuses of providers there are not overwritten"
        elif each.is_directory:
            held = "no first request is sent for any job, and nothing there is overwritten"
        else:
            held = f"no change is requested for the job of {_name(each)}, and the file is not overwritten"
        yield f"{place} cannot be read: {each.why}; until it can be read, {held}. To fix it, {each.remedy}"


def _name(unread: Unread) -> str:
    return PurePosixPath(unread.path).stem
