"""Signal handlers that ensure that an interrupt ends the process.

Python raises `KeyboardInterrupt` in whatever code is running. If that code is a callback of the interpreter itself,
such as one that runs during an import, the interpreter drops the exception. Without these handlers the process would
then continue as if no signal had arrived.
"""

from __future__ import annotations

import signal
import sys

RESEND_AFTER_S = 0.01
INTERRUPTED = 130
"""The exit code that a shell reports for a process that was ended by SIGINT (128 + 2)."""


def install_handlers() -> None:
    """Make SIGTERM raise `KeyboardInterrupt` as SIGINT does, and resend an interrupt that the interpreter drops."""
    # The first process of a container, for example in a CronJob, ignores SIGTERM unless it has a handler.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = _on_dropped


def _on_dropped(dropped: sys.UnraisableHookArgs) -> None:
    if dropped.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(dropped)
        return
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, RESEND_AFTER_S)
