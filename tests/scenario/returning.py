"""A world in which a job that has ended may run again, as no job should: the provider takes its word back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Self

from reconciler.model.job import Phase
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.timeline import Step, Timeline
from reconciler.sandbox.world import World


class ReturningWorld(World):
    """The sandbox's world, and what cannot be declared in it."""

    def __init__(self, options: SandboxOptions, began_at: datetime) -> None:
        super().__init__(options, began_at)
        self.back: dict[str, datetime] = {}
        """When each job went back, by its id."""

    @classmethod
    def from_json(cls, options: SandboxOptions, text: str) -> Self:
        """Return the world that `to_json` told of."""
        told = json.loads(text)
        world = super().from_json(options, told["memory"])
        world.back = {job_id: datetime.fromisoformat(at) for job_id, at in told["back"].items()}
        return world

    def to_json(self) -> str:
        """Return what the world remembers."""
        back = {job_id: at.isoformat() for job_id, at in self.back.items()}
        return json.dumps({"memory": super().to_json(), "back": back})

    def go_back(self, job_id: str, now: datetime) -> None:
        """Let a job run from now on for ever, as if nothing was ever asked of it; once. What was before stays so."""
        self.back.setdefault(job_id, now)

    def _life(self, job_id: str, as_of: datetime) -> Timeline:
        at = self.back.get(job_id)
        if at is None or as_of < at:
            return super()._life(job_id, as_of)
        life = Timeline((Step(self._jobs[job_id][1], Phase.RUNNING),))
        for act in self._acts.get(job_id, ()):
            if at < act.at <= as_of:
                life = act.onto(life)
        return life
