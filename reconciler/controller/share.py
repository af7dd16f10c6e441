"""The share of a run: the specs, statuses and accounts that one shard handles.

Rules: a status belongs to the shard of the spec with its name. The status of a deleted or renamed spec belongs to the
shard of its account. What belongs to no account, such as a spec without a valid provider, belongs to the first shard.
Specs with one name have one status, so they belong to one shard: that of the spec which can be acted on, if there is
one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.model.shard import Shard
from reconciler.model.status import JobStatus


@dataclass(frozen=True, slots=True)
class Share:
    """What the run handles. Without a shard, it handles everything."""

    shard: Shard | None = None
    own_names: frozenset[str] = frozenset()
    """The names of the specs that the shard owns."""
    other_names: frozenset[str] = frozenset()
    """The names of the specs that other shards own."""

    @classmethod
    def of(cls, shard: Shard | None, specs: Iterable[ResolvedSpec]) -> Share:
        """Return the share of a shard in these specs."""
        if shard is None:
            return cls()
        first: dict[str, ResolvedSpec] = {}
        for each in sorted(specs, key=lambda spec: (spec.subject is None, not spec.may_claim, spec.source)):
            first.setdefault(each.name, each)
        own = frozenset(name for name, spec in first.items() if _owns_spec(shard, spec))
        return cls(shard, own, frozenset(first.keys() - own))

    def has_spec(self, spec: ResolvedSpec) -> bool:
        """Return whether the run handles a spec."""
        return self.shard is None or spec.name in self.own_names

    def has_status(self, status: JobStatus) -> bool:
        """Return whether the run handles a status, even if its spec was deleted."""
        if self.shard is None or status.name in self.own_names:
            return True
        if status.name in self.other_names:
            return False
        return self.has_account(status.job.account) if status.job is not None else self.shard.is_first

    def has_account(self, account: str) -> bool:
        """Return whether the run handles an account, by its account line (`model.account_line`)."""
        return self.shard is None or self.shard.owns(account)


def _owns_spec(shard: Shard, spec: ResolvedSpec) -> bool:
    return shard.owns(str(spec.target.account)) if spec.target is not None else shard.is_first
