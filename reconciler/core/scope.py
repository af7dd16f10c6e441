"""What a limit on changes is about: an account, a credential at a host, a kind of job, everything.

Rules: an account counts in every scope that it is in, so that no other name for it, and no other account beside it,
makes room for one change more. What is embedded in this process counts for itself alone: its jobs are make-believe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.guard import ChangeLimits
from reconciler.model.job import EMBEDDED, CredentialScope, host_of
from reconciler.model.kind import FINE_TUNING
from reconciler.model.spec import Safety


class Extent(StrEnum):
    """How far a scope reaches, in the order in which a refusal is told."""

    ACCOUNT = "account"
    CREDENTIAL = "credential"
    OVERALL = "overall"
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class Scope:
    """One of them."""

    extent: Extent
    name: str = ""

    def __str__(self) -> str:
        """Return it as it stands in a refusal."""
        match self.extent:
            case Extent.OVERALL:
                return "overall"
            case Extent.KIND:
                return f"every {self.name}"
            case _:
                return self.name


@dataclass(frozen=True, slots=True)
class ChangePlace:
    """Where a change is made."""

    account: str
    """As its line stands in statuses."""
    protection: CredentialScope | None = None
    """The credential and its host; None where no document of today says."""
    kind: str = FINE_TUNING.name

    @property
    def is_embedded(self) -> bool:
        """Whether it is in this process."""
        return self.account.partition(" ")[0] == EMBEDDED

    def scopes(self) -> tuple[Scope, ...]:
        """Return every scope that a change here counts in."""
        own = Scope(Extent.ACCOUNT, self.account)
        if self.is_embedded:
            return (own,)
        shared = () if self.protection is None else (Scope(Extent.CREDENTIAL, str(self.protection)),)
        return (own, *shared, Scope(Extent.OVERALL), Scope(Extent.KIND, self.kind))


@dataclass(frozen=True, slots=True)
class AccountMap:
    """Where each account is, by its line. One that no document of today stands for counts with all at its host."""

    protections: Mapping[str, CredentialScope] = field(default_factory=dict)

    def place(self, account: str) -> ChangePlace:
        """Return where an account is."""
        return ChangePlace(account, self.protections.get(account))

    def is_in(self, account: str, scope: Scope) -> bool:
        """Whether what was done in an account counts in a scope."""
        place = self.place(account)
        if scope in place.scopes():
            return True
        if scope.extent is not Extent.CREDENTIAL or place.protection is not None or place.is_embedded:
            return False
        host = host_of(account.partition(" ")[2].partition(" ")[0])
        return any(str(each) == scope.name and each.host == host for each in self.protections.values())


@dataclass(frozen=True, slots=True)
class ScopedLimits:
    """The limits in force: everywhere, and what an operator set for a kind or a credential in their place."""

    everywhere: ChangeLimits = field(default_factory=ChangeLimits)
    kinds: Mapping[str, ChangeLimits] = field(default_factory=dict)
    credentials: Mapping[str, ChangeLimits] = field(default_factory=dict)
    """By the credential's name."""

    def of(self, scope: Scope, place: ChangePlace) -> ChangeLimits:
        """Return the limits of a scope that a place is in."""
        if scope.extent is Extent.KIND:
            return self.kinds.get(scope.name, self.everywhere)
        if scope.extent is Extent.OVERALL or place.protection is None:
            return self.everywhere
        return self.credentials.get(place.protection.credential, self.everywhere)

    def renamed(self, names: Mapping[str, str]) -> ScopedLimits:
        """Return these limits by the names that credentials go by; of two that are one by now, the stricter holds."""
        found: dict[str, ChangeLimits] = {}
        for written, limits in self.credentials.items():
            name = names.get(written, written)
            found[name] = limits.stricter(found[name]) if name in found else limits
        return ScopedLimits(self.everywhere, self.kinds, found)

    def tightened(self, safety: Safety) -> ScopedLimits:
        """Return these limits, or the repository's where those are stricter."""
        return ScopedLimits(
            self.everywhere.tightened(safety),
            {name: each.tightened(safety) for name, each in self.kinds.items()},
            {name: each.tightened(safety) for name, each in self.credentials.items()},
        )
