"""Find the decisions that changes by other writers make outdated. All other decisions remain valid.

Rules:

- A decision is based on the status of its spec, of its job, and of its account's observation. If another writer changed
  one of them, the decision must be made again.
- A first attempt is also based on the attempts that the guard counted. If another writer changed these, it must be
  judged again. With a shard, only attempts of its own account matter, because its limit for all accounts together is
  approximate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reconciler.controller.plan import JobPlan
from reconciler.model.changed_status import ChangedStatus
from reconciler.model.job_identity import job_identity
from reconciler.ports import status_path


@dataclass(frozen=True, slots=True)
class OutdatedDecisions:
    """What other writers have changed since the decisions were made."""

    is_everything: bool = False
    """Whether any status may have been changed."""
    paths: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    jobs: frozenset[tuple[str, str]] = frozenset()
    providers: frozenset[str] = frozenset()
    """The accounts whose provider status was changed, by account line (`model.account_line`)."""
    attempts: frozenset[str] = frozenset()
    """The accounts of which attempts were changed, by account line."""
    is_any_attempt_changed: bool = False
    """Whether attempts were changed that a decision about any account depends on."""

    @classmethod
    def of(cls, changes: Iterable[ChangedStatus] | None, *, is_sharded: bool) -> OutdatedDecisions:
        """Return what these changes make outdated. None means that any status may have been changed."""
        if changes is None:
            return cls(is_everything=True)
        changes = tuple(changes)
        counted = [each for each in changes if each.is_attempt_changed]
        nothing = frozenset[Any]()
        return cls(
            paths=frozenset(each.path for each in changes),
            names=nothing.union(*(each.names for each in changes)),
            jobs=nothing.union(*(each.jobs for each in changes)),
            providers=nothing.union(*(each.accounts for each in changes if not each.names)),
            attempts=nothing.union(*(each.accounts for each in counted)),
            is_any_attempt_changed=bool(counted) and not is_sharded,
        )

    def include(self, case: JobPlan) -> bool:
        """Return whether a decision must be made again."""
        subject = case.subject
        account = str(subject.ref.account)
        if self.is_everything or subject.name in self.names or job_identity(subject.ref) in self.jobs:
            return True
        if status_path(subject.source, subject.name) in self.paths or account in self.providers:
            return True
        return case.is_counted and (self.is_any_attempt_changed or account in self.attempts)
