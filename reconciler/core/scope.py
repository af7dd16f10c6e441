"""The scopes that limits on changes apply to: an account, a credential at a host, everything, a kind of job.

Rules: a change counts in every scope that its account is in. Therefore neither another name for the account nor another
account beside it makes room for one more change. An embedded account counts only for itself, because its jobs exist in
this process alone.
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
    """The extent of a scope. The order is that in which refusals are reported."""

    ACCOUNT = "account"
    CREDENTIAL = "credential"
    OVERALL = "overall"
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope: its extent, and the account, credential or kind that it is of."""

    extent: Extent
    name: str = ""

    def __str__(self) -> str:
        """Return the text of the scope in a refusal."""
        match self.extent:
            case Extent.OVERALL:
                return "overall"
            case Extent.KIND:
                return f"every {self.name}"
            case _:
                return self.name


@dataclass(frozen=True, slots=True)
class ChangePlace:
    """The account that a change is made in, with what decides its scopes."""

    account: str
    """The line that names the account in statuses."""
    protection: CredentialScope | None = None
    """The credential and its host. None if no current document describes the account."""
    kind: str = FINE_TUNING.name

    @property
    def is_embedded(self) -> bool:
        """Whether the account is embedded in this process."""
        return self.account.partition(" ")[0] == EMBEDDED

    def scopes(self) -> tuple[Scope, ...]:
        """Return every scope that a change in this account counts in."""
        own = Scope(Extent.ACCOUNT, self.account)
        if self.is_embedded:
            return (own,)
        shared = () if self.protection is None else (Scope(Extent.CREDENTIAL, str(self.protection)),)
        return (own, *shared, Scope(Extent.OVERALL), Scope(Extent.KIND, self.kind))


@dataclass(frozen=True, slots=True)
class AccountMap:
    """The credential scope of each account, by its line. An account without one counts with all others at its host."""

    protections: Mapping[str, CredentialScope] = field(default_factory=dict)

    def place(self, account: str) -> ChangePlace:
        """Return the place of changes in an account."""
        return ChangePlace(account, self.protections.get(account))

    def is_in(self, account: str, scope: Scope) -> bool:
        """Whether the changes of an account count in a scope."""
        place = self.place(account)
        if scope in place.scopes():
            return True
        if scope.extent is not Extent.CREDENTIAL or place.protection is not None or place.is_embedded:
            return False
        host = host_of(account.partition(" ")[2].partition(" ")[0])
        return any(str(each) == scope.name and each.host == host for each in self.protections.values())


@dataclass(frozen=True, slots=True)
class ScopedLimits:
    """The limits in force: the general ones, and those that an operator set instead for a kind or a credential."""

    everywhere: ChangeLimits = field(default_factory=ChangeLimits)
    kinds: Mapping[str, ChangeLimits] = field(default_factory=dict)
    credentials: Mapping[str, ChangeLimits] = field(default_factory=dict)
    """By the name of the credential."""

    def of(self, scope: Scope, place: ChangePlace) -> ChangeLimits:
        """Return the limits of a scope that a place is in."""
        if scope.extent is Extent.KIND:
            return self.kinds.get(scope.name, self.everywhere)
        if scope.extent is Extent.OVERALL or place.protection is None:
            return self.everywhere
        return self.credentials.get(place.protection.credential, self.everywhere)

    def renamed(self, names: Mapping[str, str]) -> ScopedLimits:
        """Return these limits with other names for credentials. If two names become one, the stricter limits hold."""
        found: dict[str, ChangeLimits] = {}
        for written, limits in self.credentials.items():
            name = names.get(written, written)
            found[name] = limits.stricter(found[name]) if name in found else limits
        return ScopedLimits(self.everywhere, self.kinds, found)

    def tightened(self, safety: Safety) -> ScopedLimits:
        """Return these limits, tightened by the repository's Settings."""
        return ScopedLimits(
            self.everywhere.tightened(safety),
            {name: each.tightened(safety) for name, each in self.kinds.items()},
            {name: each.tightened(safety) for name, each in self.credentials.items()},
        )
