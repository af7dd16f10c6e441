"""The command line: parses arguments, calls `wiring`, prints a view and returns an exit code.

Each verb has one module, which is imported when the verb is used.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.cli.interrupts import INTERRUPTED, install_handlers


def main(argv: Sequence[str] | None = None) -> int:
    """Run `reconcile` with these arguments (the arguments of the process if None) and return its exit code."""
    if argv is None:
        install_handlers()
    try:
        # After the signal handlers are installed, because this import takes long enough for a signal to arrive.
        from reconciler.cli import program  # noqa: PLC0415

        return program.run_process() if argv is None else program.run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
