"""An approved plan: the set of changes that a later pass may request. It may request no other change.

Rules: a change is identified by its account, job id, verb and cause, so the approval of one change does not apply to
another. A pinned change that is no longer wanted has no effect. Repeating an earlier request needs no new approval.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from reconciler.model.action import Action
from reconciler.model.status import Because, Verb


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Pin:
    """One pinned change.

    `account` is the account line (`model.account_line`). The spec's name is only for display and is not compared,
    because a spec may be renamed.
    """

    account: str
    id: str
    verb: Verb
    because: Because
    name: str = field(compare=False)

    @classmethod
    def of(cls, action: Action) -> Self:
        """Return the pin of an action."""
        return cls(
            account=str(action.ref.account),
            id=action.ref.id,
            verb=action.verb,
            because=action.because,
            name=action.name,
        )


@dataclass(frozen=True, slots=True)
class PinnedPlan:
    """The changes that a person approved. No other change may be requested for the first time."""

    pins: frozenset[Pin]

    @classmethod
    def of(cls, actions: Iterable[Action]) -> Self:
        """Return the plan that allows these actions."""
        return cls(frozenset(map(Pin.of, actions)))

    def allows(self, action: Action) -> bool:
        """Return whether an action may be requested. A repeated attempt is always allowed."""
        return not action.is_first_attempt or Pin.of(action) in self.pins
