"""The command line: parses arguments, calls `wiring`, prints a view and returns an exit code.

Each verb has one module, which is imported when the verb is used.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence

from reconciler.cli.interrupts import INTERRUPTED, install_handlers

NEW_OBJECTS = 200_000
"""The number of new objects after which the garbage collector searches for cycles. Python's default is far lower."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `reconcile` with these arguments (the arguments of the process if None) and return its exit code."""
    if argv is None:
        # The imports, and a pass over thousands of jobs, create millions of objects that live until the end. With the
        # default, the collector would search them so often, without result, that a pass would take a quarter longer.
        gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
        install_handlers()
    try:
        # Imported after the signal handlers are installed, because a signal may arrive during this slow import.
        from reconciler.cli import program  # noqa: PLC0415

        return program.run_process() if argv is None else program.run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
