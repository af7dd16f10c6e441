"""What is told of each request and action: one frozen record, that anybody may count, log or keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reconciler.model.report import Action, Progress
from reconciler.model.status import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request that left, and how it went."""

    method: str
    status: int | None
    """None where there was no answer."""
    took_s: float
    waited_s: float
    """How long it waited for its turn before it left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """One action that was carried out, or tried, and who wanted it."""

    at: datetime
    action: Action
    file: str
    origin: Origin | None
    progress: Progress
    message: str


Audit = Callable[[ActionRecord], None]
"""Records what became of an action for good. Raises OSError where that cannot be made durable."""
