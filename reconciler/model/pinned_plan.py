"""A plan that was approved: the set of changes that a later pass may make, and no others.

Rules: a change is pinned by its account, id, verb and cause, so that an approval for one is none for another. A change
that is no longer wanted refuses nothing. Asking again for what was asked for before needs no new approval.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from reconciler.model.action import Action
from reconciler.model.status import Because, Verb


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Pin:
    """One change. Its name is for people, and is not compared: a spec may be renamed."""

    account: str
    id: str
    verb: Verb
    because: Because
    name: str = field(compare=False)

    @classmethod
    def of(cls, action: Action) -> Self:
        """Return what pins an action."""
        return cls(
            account=str(action.ref.account),
            id=action.ref.id,
            verb=action.verb,
            because=action.because,
            name=action.name,
        )


@dataclass(frozen=True, slots=True)
class PinnedPlan:
    """The whole set."""

    pins: frozenset[Pin]

    @classmethod
    def of(cls, actions: Iterable[Action]) -> Self:
        """Return the plan that holds these actions."""
        return cls(frozenset(map(Pin.of, actions)))

    def allows(self, action: Action) -> bool:
        """Whether this action may be carried out."""
        return not action.is_first_attempt or Pin.of(action) in self.pins
