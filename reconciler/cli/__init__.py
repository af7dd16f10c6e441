"""The command line: parse, call wiring, print a view, return an exit code. One file a verb, imported when used."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import click

from reconciler.cli.group import reconcile

INTERRUPTED = 130
"""What a shell says of a process that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `reconcile` with these arguments (the process's own, if None) and return its exit code."""
    _open_streams()
    if argv is None:
        # Otherwise the first process of a container, which a CronJob's is, would not hear it at all.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(reconcile.main(args=argv, prog_name="reconcile", standalone_mode=False) or os.EX_OK)
    except click.ClickException as error:
        error.show()
        return os.EX_USAGE
    except click.Abort:
        click.echo("Interrupted. What was asked for is on record; the next pass goes on from there.", err=True)
        return INTERRUPTED


def _open_streams() -> None:
    """Let what was closed by the caller (`>&-`) lead nowhere, instead of being missing."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  it is open as long as we run
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
