"""A world with events that cannot be declared: jobs appear, end, vanish and run again unexpectedly."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Self

from reconciler.model.job import Phase
from reconciler.model.status import Verb
from reconciler.sandbox.config import Declared, DeclaredBatch, DeclaredJob, SandboxOptions
from reconciler.sandbox.state import WorldState
from reconciler.sandbox.timeline import Step, Timeline
from reconciler.sandbox.world import BatchWorld, JobView, World


class RevivingWorld(World):
    """The sandbox's world, with events that cannot be declared."""

    declared_job: type[Declared] = DeclaredJob
    """The model with which the jobs in `born` are saved and restored."""

    def __init__(self, options: SandboxOptions, began_at: datetime) -> None:
        super().__init__(options, began_at)
        self.back: dict[str, datetime] = {}
        """When each job was revived, by its ID."""
        self.cuts: dict[str, list[tuple[datetime, Phase]]] = {}
        """When each job was ended or deleted, and its phase since then, by its ID. The earliest time is first."""
        self.gone: dict[str, tuple[datetime, datetime]] = {}
        """When each job is absent, as start and end, by its ID."""
        self.born: dict[str, tuple[datetime, Declared]] = {}
        """The jobs that other users created during the run, with the times of their creation, by ID."""

    @classmethod
    def from_json(cls, options: SandboxOptions, text: str) -> Self:
        """Return the world that `to_json` saved."""
        told = json.loads(text)
        world = super().from_json(options, told["memory"])
        world.back = {job_id: datetime.fromisoformat(at) for job_id, at in told["back"].items()}
        world.cuts = {
            job_id: [(datetime.fromisoformat(at), Phase(phase)) for at, phase in cuts]
            for job_id, cuts in told["cuts"].items()
        }
        for job_id, (since, until) in told["gone"].items():
            world.gone[job_id] = (datetime.fromisoformat(since), datetime.fromisoformat(until))
        for job_id, (at, text_of_job) in told["born"].items():
            world.bear(job_id, world.declared_job.model_validate_json(text_of_job), datetime.fromisoformat(at))
        world.restore_acts(WorldState.model_validate_json(told["memory"]))
        return world

    def restore_acts(self, state: WorldState) -> None:
        """Restore the requests for jobs that other users have created."""
        for act in state.acts:
            if act.job_id in self.born:
                self._acts.setdefault(act.job_id, []).append(act)

    def to_json(self) -> str:
        """Return the state of the world."""
        back = {job_id: at.isoformat() for job_id, at in self.back.items()}
        cuts = {job_id: [(at.isoformat(), phase.value) for at, phase in cuts] for job_id, cuts in self.cuts.items()}
        gone = {job_id: [at.isoformat() for at in span] for job_id, span in self.gone.items()}
        born = {job_id: [at.isoformat(), job.model_dump_json(by_alias=True)] for job_id, (at, job) in self.born.items()}
        return json.dumps({"memory": super().to_json(), "back": back, "cuts": cuts, "gone": gone, "born": born})

    def ids(self) -> frozenset[str]:
        """Return the IDs of all jobs that ever existed."""
        return frozenset(self._jobs)

    def bear(self, job_id: str, declared: Declared, now: datetime) -> None:
        """Let another user create a job with this ID, which need not be one of the sandbox's."""
        self.born[job_id] = (now, declared)
        self._jobs[job_id] = (declared.model_copy(update={"id": job_id}), now)
        self._sort()

    def revive(self, job_id: str, now: datetime) -> None:
        """Let a job run forever from now on, as if no change had been requested. A second call has no effect."""
        self.back.setdefault(job_id, now)

    def cut(self, job_id: str, phase: Phase, now: datetime) -> None:
        """End a job now, in this phase. The phase `absent` deletes the job.

        A job that has ended can only be deleted. Raises `UnknownJobError` if the job does not exist, and
        `InvalidRequestError` if it has ended and `phase` is not `absent`.
        """
        if phase is not Phase.ABSENT:
            self._unfinished(job_id, now, Verb.CANCEL)
        self.retrieve(job_id, now)
        self.cuts.setdefault(job_id, []).append((now, phase))

    def vanish(self, job_id: str, now: datetime, until: datetime) -> None:
        """Make a job absent until a given time, as if its provider had lost it."""
        self.gone[job_id] = (now, until)

    def _view(self, job_id: str, now: datetime) -> JobView | None:
        since, until = self.gone.get(job_id, (now, now))
        return None if since <= now < until else super()._view(job_id, now)

    def _timeline(self, job_id: str, as_of: datetime) -> Timeline:
        life, back_at = self._uncut(job_id, as_of), self.back.get(job_id)
        for at, phase in self.cuts.get(job_id, ()):
            if at <= as_of and (back_at is None or as_of < back_at or at >= back_at):
                life = replace(life, steps=(*life.steps_until(at), Step(at, phase)), held=())
        return life

    def _uncut(self, job_id: str, as_of: datetime) -> Timeline:
        at = self.back.get(job_id)
        if at is None or as_of < at:
            return super()._timeline(job_id, as_of)
        life = Timeline((Step(self._jobs[job_id][1], Phase.RUNNING),))
        for act in self._acts.get(job_id, ()):
            if at < act.at <= as_of:
                life = act.applied_to(life)
        return life


class RevivingBatches(RevivingWorld, BatchWorld):
    """The sandbox's batches, with events that cannot be declared."""

    declared_job = DeclaredBatch
