"""The outcome of one account worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.controller.applied import Applied
from reconciler.controller.plan import AccountPlan
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.model.job import Observed


@dataclass(frozen=True, slots=True)
class AccountOutcome:
    """The outcome of one account worker. `plan` is None only if a bug prevented the account from being planned."""

    target: ResolvedAccount
    alias: str
    """A provider name that specs use for the account. If no spec was handled, the name of the provider type."""
    plan: AccountPlan | None
    done: tuple[Applied, ...] = ()
    error: str | None = None
    """The message about the bug that ended the worker early, or None."""
    orphans: Mapping[str, Observed] = field(default_factory=dict)
    """The observed jobs of deleted specs, by status name."""


def applied_by_name(outcomes: Iterable[AccountOutcome]) -> dict[str, Applied]:
    """Return the applied job plans, by spec name.

    If a spec moved between accounts and both workers handled it, the later outcome is used.
    """
    return {each.case.subject.name: each for outcome in outcomes for each in outcome.done}
