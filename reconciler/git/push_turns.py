"""When to push, so that each of several writers that push to one branch can push.

Rules:

- A writer whose push was refused tries again at once, and later after a random pause. Each pause is shorter than the
  one before, so that the writer that has waited longest tries most often.
- After a push, a writer waits before it publishes statuses that no request depends on. The others can push meanwhile,
  and its next push contains more statuses. An intent is pushed without this wait, because a request waits for it. A
  writer that publishes once and ends waits only if it has seen commits by others.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.local.clock import SystemClock

PUSHES_MAX = 30
"""How many times a push is tried while other writers push first."""
CONFLICTS_MAX = 8
"""How many times changes are moved onto newer statuses, for one publication."""
_PAUSE_MAX_S = 1.0
_ACTIVE_S = 60.0
"""How long after its last commit another writer counts as active, in seconds."""
_WAIT_MAX_S, _WAIT_ALONE_MAX_S = 5.0, 1.0
"""The maximum wait after a push, in seconds: while other writers are active, and while none has been seen."""


@dataclass(slots=True)
class PushTurns:
    """What is known about the pushes of this process and of others. Times are in seconds."""

    monotonic: Callable[[], float] = SystemClock().monotonic
    rng: Callable[[], float] = random.random
    is_lasting: bool = False
    """Whether the process publishes again and again. It then waits even if it has seen no other writer, because writers
    whose pushes are all refused leave no commit.
    """
    _try_s: float = 0.0
    """How long the last try to push took."""
    _pushed_at: float | None = None
    _others_at: float | None = None
    """When a commit by another writer was last found."""

    def pushed(self, begun_at: float) -> None:
        """Record a successful push, whose last try began at this time."""
        self._pushed_at = self.monotonic()
        self._try_s = self._pushed_at - begun_at

    def refused(self, begun_at: float) -> None:
        """Record a refused push, which began at this time."""
        self._try_s = self.monotonic() - begun_at

    def found_others(self) -> None:
        """Record that a commit by another writer was found."""
        self._others_at = self.monotonic()

    def pause_s(self, refused: int) -> float:
        """Return the pause before the next try, after a number of refused pushes."""
        patience = max(0.0, 1 - refused / PUSHES_MAX)
        return 0.0 if refused <= 1 else min(self._try_s, _PAUSE_MAX_S) * patience * self.rng()

    def are_others_active(self) -> bool:
        """Return whether other writers have pushed recently."""
        return self._others_at is not None and self.monotonic() - self._others_at <= _ACTIVE_S

    def wait_s(self) -> float:
        """Return how long to wait before statuses are published that no request depends on."""
        if self._pushed_at is None or not (self.is_lasting or self.are_others_active()):
            return 0.0
        longest_s = _WAIT_MAX_S if self.are_others_active() else _WAIT_ALONE_MAX_S
        wait_s = min(longest_s, 2 * self._try_s * (1 + self.rng()))
        return max(0.0, self._pushed_at + wait_s - self.monotonic())


def pause(seconds: float) -> None:
    """Block this thread."""
    if seconds > 0:
        threading.Event().wait(seconds)
