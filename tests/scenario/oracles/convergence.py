"""The state in which a run must end, by the design's table, the last specs and the true state of the world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.providers import load
from tests.scenario.history import (
    ABSENT,
    Crashed,
    Edited,
    ExternalEvent,
    History,
    PassEnded,
    ProviderRequest,
    Tampered,
    WatchEnded,
)
from tests.scenario.oracles.pauses import may_be_held
from tests.scenario.oracles.requests import is_over_limit
from tests.scenario.oracles.status_freshness import ROUND
from tests.scenario.oracles.status_yaml import OVER, Tree, is_job, read, ready, standing
from tests.scenario.oracles.statuses import path_of, status_of
from tests.scenario.repository import JobSpec, Revision

_UNFINISHED_WISH = {
    "running": {"validating_files": "Ready", "queued": "Ready", "running": "Ready"},
    "paused": {"paused": "Ready"},
}
_OTHERS_ACT = "another user"
_ATTEMPTS = 5
_REMINDED_AFTER = timedelta(hours=6)
_HISTORY_MAX = 10
"""The number of entries in a history from which on older ones may be missing."""


def not_converged(history: History) -> Iterator[str]:
    """Yield the jobs whose last status does not match the last specs and the world.

    A watch observes a running job once in five intervals, so the end of a job may still be unobserved.
    """
    last = history.left
    revision = next(each.revision for each in reversed(history.events) if isinstance(each, Edited))
    valid = set(revision.valid())
    for job_spec in revision.readable():
        tree = status_of(job_spec, last.statuses)
        if tree is None:
            yield f"{job_spec.name} has no status"
            continue
        if job_spec not in valid:
            said = standing(tree)
            if said != "Stalled" or ready(tree)["reason"] not in {"InvalidSpec", "InvalidProvider", "DuplicateJob"}:
                yield f"{job_spec.name} is invalid, and its status is {said} {ready(tree)['reason']}"
            continue
        yield from _wrong_status(history, revision, job_spec, tree)
    is_limited = history.most_an_hour is not None
    is_suspect = any(is_all_gone(history, revision, account, last.at) for account in history.worlds)
    for path in _left_over(revision, last, is_limited=is_limited):
        if is_job(path) or not is_suspect:
            yield f"{path} still exists, although its spec was deleted"


def _wrong_status(history: History, revision: Revision, job_spec: JobSpec, tree: Tree) -> Iterator[str]:
    """Yield the wrong statements in the status of a valid spec."""
    last, said, phase = history.left, standing(tree), tree["status"]["phase"]
    truth = history.truth(job_spec.account, job_spec.job_id, last.at)
    if truth == ABSENT and is_all_gone(history, revision, job_spec.account, last.at):
        # A wrong key would look the same as deleted jobs, so the statuses stay unchanged.
        return
    truths = history.was(job_spec.account, job_spec.job_id, last.at)
    if isinstance(last, WatchEnded):
        truths |= history.was(job_spec.account, job_spec.job_id, last.at - ROUND)
    if phase not in truths and not (truth == ABSENT and phase in OVER):
        yield f"{job_spec.name} reports {phase}, and its job is {truth}"
    expected = _expected(history, revision, job_spec, phase, last)
    if was_lost(tree, history):
        expected = expected | _expected(history, revision, replace(job_spec, max_queued=None), phase, last)
    if job_spec.max_cost is not None and is_pause_possible(tree):
        expected = expected | _expected(history, revision, replace(job_spec, max_cost=None), phase, last)
    is_given_up = ready(tree)["reason"] == "CancelNotHonoured" and was_cancelled_in_vain(history, job_spec, last.at)
    if revision.is_settings_broken or is_given_up:
        expected = expected or {"Stalled"}
    if ready(tree)["reason"] == "PausedElsewhere" and may_be_held(history, job_spec, tree):
        expected = expected or {"Stalled"}
    is_limited = history.most_an_hour is not None and ready(tree)["reason"] == "RefusedByGuard"
    if said not in expected and not is_limited:
        reason = ready(tree)["reason"]
        yield f"{job_spec.name} ({job_spec.desired}) is {said} {reason} instead of {expected}; its job is {truth}"


def is_all_gone(history: History, revision: Revision, account: str, at: datetime) -> bool:
    """Return whether an account shows none of the jobs that valid specs name."""
    named = {each.job_id for each in revision.valid() if each.account == account}
    return all(history.truth(account, job_id, at) == ABSENT for job_id in named)


def was_cancelled_in_vain(history: History, job_spec: JobSpec, at: datetime) -> bool:
    """Return whether the provider received five cancels of a job, and the next cancel, after six hours, is not due yet.

    Cancels from before the last edit that did not want the job cancelled do not count.
    """
    sent: list[datetime] = []
    for event in history.events:
        match event:
            case Edited(revision=revision) if not _wants_cancel(revision, job_spec):
                sent = []
            case ProviderRequest(verb="cancel") if (event.account, event.job_id) == (job_spec.account, job_spec.job_id):
                # A throttled request has no effect, so it does not count as an attempt.
                sent += [event.at] if event.status != 429 else []
    return len(sent) >= _ATTEMPTS and at - sent[-1] < _REMINDED_AFTER


def _wants_cancel(revision: Revision, job_spec: JobSpec) -> bool:
    same = [each for each in revision.job_specs if (each.account, each.job_id) == (job_spec.account, job_spec.job_id)]
    return any(each.desired == "cancelled" or each.has_limits for each in same)


def is_pause_possible(tree: Tree) -> bool:
    """Return whether the job may have been paused, as far as its status shows. Then maxCost has no effect."""
    status = tree["status"]
    phases = {status["phase"], *(each["phase"] for each in status["history"])}
    is_asked = any(each["verb"] == "pause" for each in status["receipts"])
    return is_asked or bool(phases & {"pausing", "paused"}) or len(status["history"]) >= _HISTORY_MAX


def was_lost(tree: Tree, history: History) -> bool:
    """Return whether a status was damaged. The start of its job is then unknown, and maxQueued has no effect."""
    could_be = any(isinstance(each, Tampered | Crashed) for each in history.events)
    return could_be and any(each["reason"] == "StatusDiscarded" for each in tree["status"]["history"])


def _expected(
    history: History, revision: Revision, job_spec: JobSpec, phase: str, last: PassEnded | WatchEnded
) -> set[str]:
    never_started = phase in {"validating_files", "queued"}
    limits = replace(job_spec, max_cost=None) if never_started else replace(job_spec, max_queued=None)
    is_over_its_limit = limits.has_limits and is_over_limit(history, limits, last.at)
    is_all_suspended = revision.is_suspended and not revision.is_settings_broken
    if is_all_suspended or job_spec.is_suspended(last.at):
        return {"Suspended"}
    if job_spec.desired == "observed":
        # The ID of a job that was never observed may be a typo, so its status may be stalled.
        return {"Ready", "Stalled"} if phase == ABSENT else {"Ready"}
    if phase == ABSENT:
        return {"Stalled", "Ready"} if job_spec.desired == "cancelled" or job_spec.has_limits else {"Stalled"}
    if phase == "succeeded":
        return {"Ready"}
    if phase in OVER:
        is_wanted = job_spec.desired == "cancelled"
        return {"Ready"} if is_wanted else {"Ready", "Stalled"} if had_limits(history, job_spec) else {"Stalled"}
    if job_spec.desired == "cancelled" or is_over_its_limit:
        return set()
    if phase in _UNFINISHED_WISH[job_spec.desired]:
        return {"Ready"}
    if job_spec.is_batch or not load(revision.service(job_spec.account).type).capabilities.can_pause:
        return {"Stalled"}
    # If other users have reverted the change three times within a day, a person must decide.
    is_contested = (
        sum(isinstance(each, ExternalEvent) and each.kind.startswith(_OTHERS_ACT) for each in history.events) >= 3
    )
    return {"Stalled"} if is_contested else set()


def had_limits(history: History, job_spec: JobSpec) -> bool:
    """Return whether a spec of this job ever set a limit, which may have caused a cancel."""
    revisions = [each.revision for each in history.events if isinstance(each, Edited)]
    return any(
        each.has_limits and (each.account, each.job_id) == (job_spec.account, job_spec.job_id)
        for revision in revisions
        for each in revision.job_specs
    )


def _left_over(revision: Revision, last: PassEnded | WatchEnded, *, is_limited: bool) -> Iterator[str]:
    """Yield the statuses without a spec and without an open receipt."""
    if revision.unreadable_files():
        return
    expected = {path_of(job_spec) for job_spec in revision.readable()}
    for path in last.statuses.keys() - expected:
        if is_limited and is_job(path):
            # With strict limits, too many specs were deleted at once for their statuses to be removed.
            continue
        tree = read(last.statuses[path])
        # A status with an open receipt stays for a day, even without its spec. A damaged file stays, because its job is
        # unknown.
        if tree is not None and all(each["outcome"] for each in tree["status"].get("receipts", ())):
            yield path


def endings(history: History) -> dict[str, tuple[str, str]]:
    """Return the phase and state of every job with a status at the end, by its path, to compare two runs."""
    last = history.left
    trees = {path: read(data) for path, data in last.statuses.items()}
    return {path: (tree["status"]["phase"], standing(tree)) for path, tree in trees.items() if tree}
