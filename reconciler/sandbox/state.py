"""The part of a world's state that survives a restart: everything that its options do not determine."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import AwareDatetime

from reconciler.model.spec import Document
from reconciler.model.status import Verb
from reconciler.sandbox.config import DeclaredBatch, DeclaredJob
from reconciler.sandbox.faults import RuleCount
from reconciler.sandbox.timeline import Timeline


class AcceptedRequest(Document):
    """A cancel, pause or resume that the sandbox accepted.

    It takes effect after `takes`. `shows_word` is whether the job is `cancelling` until then.
    """

    verb: Verb
    job_id: str
    at: AwareDatetime
    takes: timedelta = timedelta(0)
    shows_word: bool = False

    def applied_to(self, life: Timeline) -> Timeline:
        """Return the timeline of the job after this request."""
        if self.verb is Verb.CANCEL:
            return life.cancelled(self.at, takes=self.takes, shows_word=self.shows_word)
        if self.verb is Verb.PAUSE:
            return life.paused(self.at, takes=self.takes)
        return life.resumed(self.at)


class Creation(Document):
    """A job that was created through the API."""

    job: DeclaredJob | DeclaredBatch
    at: AwareDatetime


class WorldState(Document):
    """The state as it is written to the file. The names of the fields are part of the file format."""

    kind: Literal["sandbox-world"] = "sandbox-world"
    version: Literal[1] = 1
    began_at: AwareDatetime
    created: tuple[Creation, ...] = ()
    acts: tuple[AcceptedRequest, ...] = ()
    tallies: tuple[RuleCount, ...] = ()
