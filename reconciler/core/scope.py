"""The scopes of the limits on changes: an account, a credential at a host, all accounts, a kind of job.

Rules: a change is counted in every scope that contains its account. Therefore neither a second name for an account nor
a second account with the same credential allows additional changes. Every scope but the overall one contains jobs of
only one kind, and a change must be allowed in every scope that contains it. Therefore jobs of another kind never allow
additional changes. The only scope of an embedded account is the account itself, because its jobs are simulated in this
process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.guard import ChangeLimits
from reconciler.model.account_line import EMBEDDED, FINE_TUNING_JOB, host_of, kind_of_line
from reconciler.model.job import CredentialScope
from reconciler.model.spec import Safety


class Extent(StrEnum):
    """The extent of a scope, in the order in which refusals are reported."""

    ACCOUNT = "account"
    CREDENTIAL = "credential"
    OVERALL = "overall"
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope: its extent, and the name of its account, credential or kind."""

    extent: Extent
    name: str = ""
    kind: str = FINE_TUNING_JOB
    """The kind of job, if the extent is a credential. Other extents ignore it."""

    def __str__(self) -> str:
        """Return the text that represents the scope in a refusal."""
        match self.extent:
            case Extent.OVERALL:
                return "overall"
            case Extent.KIND:
                return f"every {self.name}"
            case Extent.CREDENTIAL if self.kind != FINE_TUNING_JOB:
                return f"every {self.kind} at {self.name}"
            case _:
                return self.name


@dataclass(frozen=True, slots=True)
class ChangePlace:
    """The account of a change, with the properties that determine the change's scopes."""

    account: str
    """The account line (`model.account_line`)."""
    protection: CredentialScope | None = None
    """The credential and its host, or None if no current document describes the account."""

    @property
    def kind(self) -> str:
        """The name of the kind of the account's jobs."""
        return kind_of_line(self.account)

    @property
    def is_embedded(self) -> bool:
        """Whether the jobs of the account are simulated in this process."""
        return self.account.partition(" ")[0] == EMBEDDED

    def scopes(self) -> tuple[Scope, ...]:
        """Return every scope in which a change in this account is counted."""
        own = Scope(Extent.ACCOUNT, self.account)
        if self.is_embedded:
            return (own,)
        shared = () if self.protection is None else (Scope(Extent.CREDENTIAL, str(self.protection), self.kind),)
        return (own, *shared, Scope(Extent.OVERALL), Scope(Extent.KIND, self.kind))


@dataclass(frozen=True, slots=True)
class AccountMap:
    """The credential scope of each account, by its account line (`model.account_line`).

    An account without a credential scope is counted in the scope of every credential at its host.
    """

    protections: Mapping[str, CredentialScope] = field(default_factory=dict)

    def place(self, account: str) -> ChangePlace:
        """Return the account and the credential for which a change in an account is counted."""
        return ChangePlace(account, self.protections.get(account))

    def is_in(self, account: str, scope: Scope) -> bool:
        """Return whether the changes of an account are counted in a scope."""
        place = self.place(account)
        if scope in place.scopes():
            return True
        if scope.extent is not Extent.CREDENTIAL or place.protection is not None or place.is_embedded:
            return False
        if place.kind != scope.kind:
            return False
        host = host_of(account.partition(" ")[2].partition(" ")[0])
        return any(str(each) == scope.name and each.host == host for each in self.protections.values())


@dataclass(frozen=True, slots=True)
class ScopedLimits:
    """The limits of all scopes: the general limits, and those that an operator sets for a kind or a credential.

    The limits of a kind replace the general limits only in the scope of that kind, and those of a credential only in
    the scopes of that credential and of its accounts. The general limits apply everywhere else, and always in the scope
    of all accounts.
    """

    everywhere: ChangeLimits = field(default_factory=ChangeLimits)
    kinds: Mapping[str, ChangeLimits] = field(default_factory=dict)
    credentials: Mapping[str, ChangeLimits] = field(default_factory=dict)
    """The limits of a credential, by its name."""

    def of(self, scope: Scope, place: ChangePlace) -> ChangeLimits:
        """Return the limits of a scope that apply to a change at a place. The scope must contain the place."""
        if scope.extent is Extent.KIND:
            return self.kinds.get(scope.name, self.everywhere)
        if scope.extent is Extent.OVERALL or place.protection is None:
            return self.everywhere
        return self.credentials.get(place.protection.credential, self.everywhere)

    @property
    def currency(self) -> str | None:
        """The currency of the limits on sunk costs, or None if there is no such limit. All have the same."""
        found = (self.everywhere, *self.kinds.values(), *self.credentials.values())
        return next((each.sunk_cost.currency for each in found if each.sunk_cost is not None), None)

    def renamed(self, names: Mapping[str, str]) -> ScopedLimits:
        """Return these limits with credentials renamed. If two get the same name, the stricter limits apply.

        `names` contains the new name of a credential by its current name. Other credentials keep their names.
        """
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
