"""What a world remembers over a restart: all that does not follow from its options."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import AwareDatetime

from reconciler.model.spec import Document
from reconciler.model.status import Verb
from reconciler.sandbox.config import DeclaredJob
from reconciler.sandbox.faults import Tally
from reconciler.sandbox.timeline import Timeline


class Act(Document):
    """Something that was asked of a job, and taken."""

    verb: Verb
    job_id: str
    at: AwareDatetime
    takes: timedelta = timedelta(0)
    shows_word: bool = False

    def onto(self, life: Timeline) -> Timeline:
        """Return the life of the job that this happened to."""
        if self.verb is Verb.CANCEL:
            return life.cancelled(self.at, takes=self.takes, shows_word=self.shows_word)
        if self.verb is Verb.PAUSE:
            return life.paused(self.at, takes=self.takes)
        return life.resumed(self.at)


class Creation(Document):
    """A job that was made through the API."""

    job: DeclaredJob
    at: AwareDatetime


class WorldState(Document):
    """The whole of it, as it stands in a file in the state directory."""

    kind: Literal["sandbox-world"] = "sandbox-world"
    version: Literal[1] = 1
    began_at: AwareDatetime
    created: tuple[Creation, ...] = ()
    acts: tuple[Act, ...] = ()
    tallies: tuple[Tally, ...] = ()
