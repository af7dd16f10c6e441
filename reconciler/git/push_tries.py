"""How often a push is tried while other writers push too, and the pause before a try."""

from __future__ import annotations

import random
import threading

TRIES = 8
"""How many times a push is tried."""
_PAUSE_S = 0.05
"""The maximum of the random pause before the third try. Each later try may wait twice as long as the one before."""


def pause(tries: int) -> None:
    """Wait for a random time after several tries, because writers may retry together. Block the thread meanwhile."""
    if tries > 1:
        threading.Event().wait(_PAUSE_S * 2 ** (tries - 2) * random.random())  # noqa: S311  only spreads the load
