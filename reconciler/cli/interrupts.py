"""Interrupts that are not lost.

A signal becomes an exception wherever the interpreter happens to be. In a callback of its own, as each import has, it
drops that exception, and the process would go on as if there had been no signal.
"""

from __future__ import annotations

import signal
import sys

AGAIN_AFTER_S = 0.01
INTERRUPTED = 130
"""What a shell says of a process that Ctrl-C ended."""


def keep_interrupts() -> None:
    """Let SIGTERM interrupt as SIGINT does, and send an interrupt that the interpreter drops a moment later again."""
    # Otherwise the first process of a container, which a CronJob's is, would not hear it at all.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = _on_dropped


def _on_dropped(dropped: sys.UnraisableHookArgs) -> None:
    if dropped.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(dropped)
        return
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, AGAIN_AFTER_S)
