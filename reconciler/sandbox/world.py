"""The world of the sandbox: its jobs, their state, and the requests that change them.

Rules:

- The world has no clock. The methods that depend on the time take it as an argument.
- The world stores accepted requests instead of their effects, so it can return the state at any earlier time.
- The world does not depend on HTTP. It refuses a request with `UnknownJobError` or `InvalidRequestError`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import ClassVar, Self

from pydantic import ValidationError

from reconciler.model.job import TERMINAL, Phase
from reconciler.model.status import Verb
from reconciler.sandbox.config import Declared, DeclaredBatch, DeclaredJob, SandboxOptions
from reconciler.sandbox.faults import Faults, Operation
from reconciler.sandbox.state import AcceptedRequest, Creation, WorldState
from reconciler.sandbox.timeline import Step, Timeline, planned_timeline

REQUESTS_MAX = 50_000
_NO_TIME = timedelta(0)


class UnknownJobError(Exception):
    """The job does not exist at that time."""


class InvalidRequestError(Exception):
    """The request is invalid, or the job is in a state that does not allow it. `param` names an invalid argument."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request that the sandbox received.

    `acted` is whether it changed the world. `job_id` is None without an id in the path, `status` without a response.
    """

    at: datetime
    method: str
    path: str
    verb: Operation
    job_id: str | None
    acted: bool
    status: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job at `seen_at`, and its steps so far, oldest first. `estimated_finish_at` is set if it runs and will end."""

    job: Declared
    steps: tuple[Step, ...]
    estimated_finish_at: datetime | None
    seen_at: datetime

    @property
    def phase(self) -> Phase:
        """The phase at the time of this view."""
        return self.steps[-1].phase

    @property
    def created_at(self) -> datetime:
        """The time of the job's creation."""
        return self.steps[0].at

    @property
    def finished_at(self) -> datetime | None:
        """The time at which the job ended; None if it has not ended."""
        return next((step.at for step in self.steps if step.phase in TERMINAL), None)


@dataclass(frozen=True, slots=True)
class JobList:
    """One page of jobs, newest first."""

    jobs: tuple[JobView, ...]
    has_more: bool


class World:
    """The fine-tuning jobs and the accepted requests. Not thread-safe."""

    new_ids: ClassVar[str] = "ftjob-created-"
    """The beginning of the id of a job that is created."""
    new_job: ClassVar[type[DeclaredJob | DeclaredBatch]] = DeclaredJob

    def __init__(self, options: SandboxOptions, began_at: datetime) -> None:
        self.began_at = began_at
        self.faults = Faults(options.faults)
        self.requests: deque[Request] = deque(maxlen=REQUESTS_MAX)
        self.changes = 0
        """The number of requests that have changed this world since it was opened."""
        self._options = options
        self._jobs = {job.id: (job, began_at - (job.age or _NO_TIME)) for job in self.declared(options)}
        self._created: list[Creation] = []
        self._acts: dict[str, list[AcceptedRequest]] = {}
        self._sort()

    @staticmethod
    def declared(options: SandboxOptions) -> Sequence[Declared]:
        """Return the jobs that exist in this world at the beginning."""
        return options.jobs

    @classmethod
    def from_json(cls, options: SandboxOptions, text: str) -> Self:
        """Return the world that `to_json` wrote, with the current options. Raises `ValueError` for any other text.

        Requests for a job that no longer exists are dropped.
        """
        state = WorldState.model_validate_json(text)
        world = cls(options, state.began_at)
        for creation in state.created:
            world._add(creation)
        world._sort()
        for act in state.acts:
            if act.job_id in world._jobs:
                world._acts.setdefault(act.job_id, []).append(act)
        world.faults.restore(state.tallies)
        return world

    def to_json(self) -> str:
        """Return the state of the world, for `from_json`."""
        acts = tuple(act for acts in self._acts.values() for act in acts)
        state = WorldState(
            began_at=self.began_at, created=tuple(self._created), acts=acts, tallies=self.faults.tallies()
        )
        return state.model_dump_json(by_alias=True)

    def list_jobs(
        self, now: datetime, *, after: str | None, limit: int, metadata: Mapping[str, str] | None = None
    ) -> JobList:
        """Return at most `limit` jobs after the job with the id `after`, newest first. None begins with the newest job.

        `metadata` selects the jobs with these entries. None selects every job, and an empty mapping the jobs without
        metadata. Raises `InvalidRequestError` if the cursor is unknown.
        """
        found = []
        for job_id in self._newest_first[self._index_after(after) :]:
            view = self._view(job_id, now)
            if view is not None and _is_selected(view.job, metadata):
                found.append(view)
            if len(found) > limit:
                break
        return JobList(tuple(found[:limit]), has_more=len(found) > limit)

    def page_number(self, after: str | None, limit: int) -> int:
        """Return the number of the page after a cursor, from 1. Raises `InvalidRequestError` for an unknown cursor."""
        return self._index_after(after) // limit + 1

    def retrieve(self, job_id: str, now: datetime) -> JobView:
        """Return one job. Raises `UnknownJobError` if it does not exist at that time."""
        view = self._view(job_id, now)
        if view is None:
            raise UnknownJobError(job_id)
        return view

    def create(self, now: datetime, fields: Mapping[str, object]) -> JobView:
        """Create a job with the default stages. Raises `InvalidRequestError` if a field is invalid."""
        ids = (f"{self.new_ids}{number:06}" for number in count(len(self._created) + 1))
        new_id = next(each for each in ids if each not in self._jobs)
        try:
            job = self.new_job.model_validate({**fields, "id": new_id})
        except ValidationError as error:
            first = error.errors()[0]
            param = ".".join(str(part) for part in first["loc"])
            msg = f"Invalid value for '{param}': {first['msg']}"
            raise InvalidRequestError(msg, param=param) from None
        self._add(Creation(job=job, at=now))
        self._sort()
        self.changes += 1
        return self.retrieve(job.id, now)

    def cancel(self, job_id: str, now: datetime, *, takes: timedelta | None = None) -> JobView:
        """Cancel a job. A further request while it is being cancelled has no effect.

        `takes` is the duration of the cancel; None means the declared one. Raises `UnknownJobError` if the job does not
        exist, or `InvalidRequestError` if it has ended.
        """
        job = self._unfinished(job_id, now, Verb.CANCEL).job
        if not self._timeline(job_id, now).is_cancel_requested:
            shows_word = (job.cancel_word or self._options.cancel_word) is not None
            span = _first(takes, job.cancel_takes, self._options.cancel_takes)
            self._record(AcceptedRequest(verb=Verb.CANCEL, job_id=job_id, at=now, takes=span, shows_word=shows_word))
        return self.retrieve(job_id, now)

    def pause(self, job_id: str, now: datetime) -> JobView:
        """Pause a job.

        Raises `UnknownJobError` if the job does not exist, or `InvalidRequestError` if it has ended, is pausing or
        paused, or is being cancelled.
        """
        view = self._unfinished(job_id, now, Verb.PAUSE)
        if view.phase in (Phase.PAUSING, Phase.PAUSED) or self._timeline(job_id, now).is_cancel_requested:
            raise _impossible(view, Verb.PAUSE)
        span = _first(DeclaredJob.model_validate(view.job).pause_takes, self._options.pause_takes)
        self._record(AcceptedRequest(verb=Verb.PAUSE, job_id=job_id, at=now, takes=span))
        return self.retrieve(job_id, now)

    def resume(self, job_id: str, now: datetime) -> JobView:
        """Resume a paused job.

        Raises `UnknownJobError` if the job does not exist, or `InvalidRequestError` if it is not paused or is being
        cancelled.
        """
        view = self._unfinished(job_id, now, Verb.RESUME)
        if view.phase is not Phase.PAUSED or self._timeline(job_id, now).is_cancel_requested:
            raise _impossible(view, Verb.RESUME)
        self._record(AcceptedRequest(verb=Verb.RESUME, job_id=job_id, at=now))
        return self.retrieve(job_id, now)

    def _unfinished(self, job_id: str, now: datetime, verb: Verb) -> JobView:
        view = self.retrieve(job_id, now)
        if view.finished_at is not None:
            raise _impossible(view, verb)
        return view

    def _view(self, job_id: str, now: datetime) -> JobView | None:
        if job_id not in self._jobs:
            return None
        life = self._timeline(job_id, now)
        if life.phase_at(now) is Phase.ABSENT:
            return None
        end = life.end
        is_running = life.phase_at(now) is Phase.RUNNING
        return JobView(
            job=self._jobs[job_id][0],
            steps=life.steps_until(now),
            estimated_finish_at=end.at if end is not None and is_running else None,
            seen_at=now,
        )

    def _timeline(self, job_id: str, as_of: datetime) -> Timeline:
        """Return the timeline of a job after the requests that were accepted up to a time."""
        job, created_at = self._jobs[job_id]
        life = planned_timeline(((stage.phase, stage.for_) for stage in job.life), created_at)
        for act in self._acts.get(job_id, ()):
            if act.at <= as_of:
                life = act.applied_to(life)
        return life

    def _record(self, act: AcceptedRequest) -> None:
        self._acts.setdefault(act.job_id, []).append(act)
        self.changes += 1

    def _add(self, creation: Creation) -> None:
        self._created.append(creation)
        self._jobs[creation.job.id] = (creation.job, creation.at)

    def _sort(self) -> None:
        """Sort the jobs newest first. If two jobs have the same age, the one that was declared later comes first."""
        oldest_first = sorted(self._jobs, key=lambda job_id: self._jobs[job_id][1])
        self._newest_first = oldest_first[::-1]
        self._indexes = {job_id: place for place, job_id in enumerate(self._newest_first)}

    def _index_after(self, after: str | None) -> int:
        if after is None:
            return 0
        if after not in self._indexes:
            msg = f"Invalid 'after': no job has the id {after!r}."
            raise InvalidRequestError(msg, param="after")
        return self._indexes[after] + 1


class BatchWorld(World):
    """The batches and the accepted requests. Not thread-safe."""

    new_ids = "batch_created-"
    new_job = DeclaredBatch

    @staticmethod
    def declared(options: SandboxOptions) -> Sequence[Declared]:
        """Return the batches that exist in this world at the beginning."""
        return options.batches


def _is_selected(job: Declared, metadata: Mapping[str, str] | None) -> bool:
    if metadata is None:
        return True
    return metadata.items() <= job.metadata.items() if metadata else not job.metadata


def _first(*spans: timedelta | None) -> timedelta:
    return next((span for span in spans if span is not None), _NO_TIME)


def _impossible(view: JobView, verb: Verb) -> InvalidRequestError:
    return InvalidRequestError(f"Cannot {verb} job {view.job.id}: its status is {view.phase}.")
