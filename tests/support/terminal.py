"""A command on a terminal of a given width, and its output."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.support.cli import RECONCILE, Checkout, Ran

ROWS = 50
ENDS_WITHIN_S = 60
READ_AT_ONCE = 65_536


def shown_on_a_terminal(
    command: str,
    directory: Path,
    environ: Mapping[str, str],
    columns: int,
    *,
    is_stderr_shown: bool = False,
    typed: str = "",
) -> str:
    """Return what a command writes to a terminal, with colours. Its stderr is discarded unless `is_stderr_shown`.

    `typed` is what the user types. The terminal keeps it until the command reads it.
    """
    ours, theirs = _a_terminal(columns)
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with subprocess.Popen(
        ["timeout", str(ENDS_WITHIN_S), "bash", "-c", command],
        cwd=directory,
        env={**inherited, "TERM": "xterm-256color", **environ},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs if is_stderr_shown else subprocess.DEVNULL,
    ):
        return _shown(ours, theirs, typed)


def reconcile_on_a_terminal(
    checkout: Checkout,
    *arguments: str,
    columns: int,
    environ: Mapping[str, str],
    is_stderr_shown: bool = False,
    typed: str = "",
) -> Ran:
    """Run `reconcile` alone on a terminal, and return what the terminal shows as `out`. See `shown_on_a_terminal`."""
    ours, theirs = _a_terminal(columns)
    stderr = theirs if is_stderr_shown else subprocess.DEVNULL
    variables = {"TERM": "xterm-256color", **environ}
    with checkout.start(*arguments, stdin=theirs, stdout=theirs, stderr=stderr, program=RECONCILE, **variables) as run:
        too_late = threading.Timer(ENDS_WITHIN_S, run.kill)
        too_late.start()
        try:
            return Ran(out=_shown(ours, theirs, typed), code=run.wait(), err="")
        finally:
            too_late.cancel()


def _a_terminal(columns: int) -> tuple[int, int]:
    """Return our end of a new terminal, and the end of a command."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (ROWS, columns))
    return ours, theirs


def _shown(ours: int, theirs: int, typed: str) -> str:
    """Type a text, and return what the terminal shows until its last command has ended. Closes both ends."""
    os.close(theirs)
    os.write(ours, typed.encode())
    text = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    """Return the available bytes, or no bytes once the other end is closed, which Linux reports as an error."""
    try:
        return os.read(descriptor, READ_AT_ONCE)
    except OSError:
        return b""
