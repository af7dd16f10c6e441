"""A change that is wanted of a provider, what became of it, and what approves it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.model.job import JobRef
from reconciler.model.status import Because, Verb

APPROVED_FOR = timedelta(hours=24)
"""How long a commit's approval holds."""
_BY_COMMIT = "Approve-Cancels "


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One request that should be made: data, to be compared, printed, refused or sent."""

    verb: Verb
    ref: JobRef
    name: str
    because: Because
    reason: str | None
    """The spec's own words, or the limit that was reached."""
    is_first_attempt: bool


@dataclass(frozen=True, slots=True)
class CommitApproval:
    """The line `Approve-Cancels: N` of a commit message, for the jobs whose wanted state that commit changed."""

    commit: str
    made_at: datetime
    count: int
    names: frozenset[str]

    @property
    def label(self) -> str:
        """What a receipt says that was let through by it; counting those is what makes it work once."""
        return f"{_BY_COMMIT}{self.commit}"


def is_by_commit(approved_by: str) -> bool:
    """Whether what a receipt says that it was approved by is a commit."""
    return approved_by.startswith(_BY_COMMIT)


class Progress(StrEnum):
    """What became of an action in this run."""

    PLANNED = "planned"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNANSWERED = "unanswered"
    NOT_DELIVERED = "not delivered"
    FORBIDDEN = "forbidden"
    REJECTED = "rejected"
    ALREADY_OVER = "already over"
    """The provider refused it, because the job had ended or was on its way there already; nothing was accepted."""
    NOT_RECORDED = "not recorded"
    OVERTAKEN = "overtaken"
    """Its spec, or what is published, changed between the decision and the request; nothing was sent."""
