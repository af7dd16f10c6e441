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

from reconciler.core.subject import Subject
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
    """Whether any attempts were changed, including those of an unknown account."""

    @classmethod
    def of(cls, changes: Iterable[ChangedStatus] | None) -> OutdatedDecisions:
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
            is_any_attempt_changed=bool(counted),
        )

    def include(self, subject: Subject, *, is_counted: bool, is_sharded: bool) -> bool:
        """Return whether the decision about the job of a spec must be made again.

        Args:
            subject: the spec.
            is_counted: whether the decision is a first attempt, which depends on the attempts that the guard counted.
            is_sharded: whether other replicas handle other accounts (`--shard`).
        """
        account = str(subject.ref.account)
        if self.is_everything or subject.name in self.names or job_identity(subject.ref) in self.jobs:
            return True
        if status_path(subject.source, subject.name) in self.paths or account in self.providers:
            return True
        return is_counted and (account in self.attempts or (self.is_any_attempt_changed and not is_sharded))
