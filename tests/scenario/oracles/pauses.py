"""Whether a job that something other than reconcile paused was left alone until a person wanted it to be resumed.

Rules: the sequence of phases that the statuses report is taken as what was observed, which other oracles check. The
cause of a pause is that in the provider's log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from typing import TypeGuard

from tests.scenario.disruptions import RetryRequested
from tests.scenario.history import (
    Crashed,
    Edited,
    Event,
    ExternalEvent,
    FileWritten,
    History,
    ProviderRequest,
    Tampered,
)
from tests.scenario.oracles.status_yaml import OVER, Tree, instant, is_job, job_of, read
from tests.scenario.repository import JobSpec, Revision

Job = tuple[str, str]
_PAUSES = frozenset({"pausing", "paused"})
_SECOND = timedelta(seconds=1)
_LONGEST = timedelta(minutes=16)
"""The longest time from a pause of reconcile until a status shows it, if nothing delays the observation."""
_SHORTEST = timedelta(minutes=14)
"""The time after which a pause of reconcile may no longer explain that a job is paused."""
_UNPAUSED = frozenset({"validating_files", "queued", "running"})


@dataclass(slots=True)
class _Sighting:
    """What the statuses and the provider's log have shown of one job."""

    is_unpaused: bool = False
    """Whether the newest status showed the job unpaused."""
    asked_at: datetime | None = None
    """When reconcile last requested a pause, since a status last showed that a pause had ended."""
    held_since: datetime | None = None
    """When a status first reported the pause of something else, which nobody has wanted to end since."""
    was_paused: bool = False

    def take_in(self, phase: str, at: datetime) -> None:
        """Take in the phase of a new status."""
        if phase in _PAUSES:
            if self.is_unpaused and not (self.asked_at and at - self.asked_at < _LONGEST):
                self.held_since = at
            self.is_unpaused, self.was_paused = False, True
        elif phase in _UNPAUSED or phase in OVER:
            self.asked_at = None if self.was_paused else self.asked_at
            self.is_unpaused, self.was_paused, self.held_since = True, False, None


@dataclass(slots=True)
class _Pauses:
    """The pauses of all jobs, as far as the events up to now show them."""

    accounts: dict[str, str]
    jobs: dict[Job, _Sighting] = field(default_factory=dict)
    revision: Revision | None = None

    def of(self, job: Job) -> _Sighting:
        return self.jobs.setdefault(job, _Sighting())

    def take_in(self, event: Event) -> None:
        match event:
            case Crashed() | Tampered() | ExternalEvent(kind="disk full"):
                # A lost status may have been the only record of the phase before the pause.
                self.jobs.clear()
            case Edited(revision=revision):
                self._edit(revision)
            case RetryRequested(name=name):
                for key in [key for key in self.jobs if self._name(key) == name]:
                    self.jobs[key].held_since = None
            case ProviderRequest(verb="pause", job_id=str(job_id)):
                self.of((event.account, job_id)).asked_at = event.at
            case FileWritten(path=path, data=data) if is_job(path) and (tree := read(data)) and (job := job_of(tree)):
                self.of((self.accounts[job[0]], job[1])).take_in(tree["status"]["phase"], event.at)

    def _edit(self, revision: Revision) -> None:
        before, self.revision = self.revision, revision
        for key in list(self.jobs):
            if _wish_of(before, key) != _wish_of(revision, key):
                del self.jobs[key]

    def _name(self, key: Job) -> str | None:
        job_spec = self.revision.wish_for(*key) if self.revision else None
        return job_spec.name if job_spec else None


def resumed_against_others(history: History) -> Iterator[str]:
    """Yield the resumes of jobs that something else had paused, without an edit or a requested retry since.

    A status that was lost, or may have been lost, and a changed document of the job end the judgement of its pause.
    """
    pauses = _Pauses(history.accounts())
    for event in history.events:
        pauses.take_in(event)
        match event:
            case ProviderRequest(verb="resume", job_id=str(job_id)):
                since = pauses.of((event.account, job_id)).held_since
                if since is not None:
                    yield f"{event.at:%T} resume of {job_id}, which something else had paused by {since:%T}"


def may_be_held(history: History, job_spec: JobSpec, tree: Tree) -> bool:
    """Return whether a job may be reported as paused by something else at the end of a run.

    Something else has paused it, or may seem to have, and its document is what it was when that was first reported.
    """
    entries = takewhile(lambda each: each["reason"] == "PausedElsewhere", tree["status"]["history"])
    since = min((instant(each["at"]) for each in entries), default=history.began_at)
    edits = [each.revision for each in history.events if isinstance(each, Edited) and each.at <= since]
    then = edits[-1].wish_for(job_spec.account, job_spec.job_id) if edits else None
    is_same = then is None or _wish(then) == _wish(job_spec)
    return is_same and (_is_doubtful(history, job_spec, since) or any(_pauses_by_others(history, job_spec)))


def _wish(job_spec: JobSpec) -> tuple[object, ...]:
    """Return what a document wants of its job, whatever its name, its file and its suspension."""
    limits = job_spec.max_age, job_spec.max_queued, job_spec.not_after
    return job_spec.account, job_spec.job_id, job_spec.desired, limits


def _wish_of(revision: Revision | None, key: Job) -> tuple[object, ...] | None:
    found = revision.wish_for(*key) if revision is not None else None
    return None if found is None else _wish(found)


def _is_doubtful(history: History, job_spec: JobSpec, since: datetime) -> bool:
    """Return whether a pause of reconcile may have seemed to be one of others.

    The reasons are a lost status, an outdated response, or an observation that was long delayed.
    """
    key = (job_spec.account, job_spec.job_id)
    return history.back_at(*key) is not None or any(
        isinstance(each, Crashed | Tampered)
        or (isinstance(each, ProviderRequest) and each.fault is not None and "stale" in each.fault)
        or (_is_pause(each, key) and since - each.at > _SHORTEST)
        for each in history.events
    )


def _is_pause(event: Event, key: Job) -> TypeGuard[ProviderRequest]:
    return isinstance(event, ProviderRequest) and event.verb == "pause" and (event.account, event.job_id) == key


def _pauses_by_others(history: History, job_spec: JobSpec) -> Iterator[datetime]:
    """Yield when the job was paused without a request of reconcile, after it had not been paused."""
    key = (job_spec.account, job_spec.job_id)
    asked = [each for each in history.events if _is_pause(each, key)]
    steps = history.worlds[job_spec.account].retrieve(job_spec.job_id, history.left.at).steps
    for before, after in pairwise(steps):
        is_begin = after.phase.value in _PAUSES and before.phase.value not in _PAUSES
        if is_begin and not any(each.at - _SECOND <= after.at <= each.ended_at + _SECOND for each in asked):
            yield after.at
