"""Changes to request from a provider, their progress, and their approval by commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.model.job import JobRef
from reconciler.model.status import Because, Verb

APPROVED_FOR = timedelta(hours=24)
"""How long a commit's approval is valid."""
_BY_COMMIT = "Approve-Cancels "


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One change to request, as data that can be compared, printed, refused or sent."""

    verb: Verb
    ref: JobRef
    name: str
    because: Because
    reason: str | None
    """The `reason` of the spec, or the limit that was exceeded. None if the spec has no reason."""
    is_first_attempt: bool
    """Whether no request for this change is open yet."""


@dataclass(frozen=True, slots=True)
class CommitApproval:
    """The approval in a commit message with the line `Approve-Cancels: N`.

    It approves changes of the jobs whose desired state the commit changed (`names`), if at most `count` changes are due
    for them.
    """

    commit: str
    made_at: datetime
    count: int
    names: frozenset[str]
    why_ignored: str | None = None
    """Why the line does not approve changes of these jobs, or None if it approves them."""

    @property
    def label(self) -> str:
        """The label that a receipt records if this commit approved its change. It shows that the approval was used."""
        return f"{_BY_COMMIT}{self.commit}"


def is_by_commit(approved_by: str) -> bool:
    """Return whether an approval label belongs to a commit."""
    return approved_by.startswith(_BY_COMMIT)


class Progress(StrEnum):
    """The progress of an action in the current run."""

    PLANNED = "planned"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNANSWERED = "unanswered"
    NOT_DELIVERED = "not delivered"
    FORBIDDEN = "forbidden"
    REJECTED = "rejected"
    ALREADY_OVER = "already over"
    """The provider refused the request, because the job had ended, or was in or entering the requested state."""
    WITHHELD = "withheld"
    """The change was not requested, because of shadow mode."""
    NOT_RECORDED = "not recorded"
    OVERTAKEN = "overtaken"
    """The change was no longer wanted or allowed, or others changed the published status. Nothing was sent."""
