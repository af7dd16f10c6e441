"""The command line: parse, call wiring, print a view, return an exit code. One file a verb, imported when used."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.cli.interrupts import INTERRUPTED, keep_interrupts


def main(argv: Sequence[str] | None = None) -> int:
    """Run `reconcile` with these arguments (the process's own, if None) and return its exit code."""
    if argv is None:
        keep_interrupts()
    try:
        # Later than the signals: all that is imported here takes a while, in which one may come.
        from reconciler.cli import program  # noqa: PLC0415

        return program.run_process() if argv is None else program.run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
