"""A status that another writer has changed, as far as the decisions of this process depend on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChangedStatus:
    """What a status file was about before and after another writer changed, created or removed it."""

    path: str
    """The path in the status tree."""
    names: frozenset[str]
    """The names of its specs."""
    jobs: frozenset[tuple[str, str]]
    """The account line (`model.account_line`) and the id of each of its jobs."""
    accounts: frozenset[str]
    """The account lines of its jobs, or of its provider status."""
    is_attempt_changed: bool
    """Whether the attempts that it records differ, or are not known."""
