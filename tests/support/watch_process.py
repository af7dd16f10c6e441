"""A watch as a process. Its log goes to a file, because a pipe without a reader would block it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli import RECONCILE, Checkout, Process
from tests.support.sandbox_client import wait_for

ENDS_WITHIN_S = 30


@dataclass(frozen=True, slots=True)
class WatchProcess:
    """A running watch."""

    process: Process
    log: Path

    def said(self) -> str:
        """Return the log so far."""
        return self.log.read_text(encoding="utf-8")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=ENDS_WITHIN_S)


@contextmanager
def watching(
    checkout: Checkout, *arguments: str, name: str = "watch", program: Sequence[str] = RECONCILE, **environ: str
) -> Iterator[WatchProcess]:
    """Run a watch until the body ends or stops it. The body begins once the watch has logged that it is watching.

    The log has the name of the watch.
    """
    log = checkout.root / f"{name}.log"
    with (
        log.open("w", encoding="utf-8") as stream,
        checkout.start(
            *arguments, stdin=None, stdout=subprocess.PIPE, stderr=stream, program=program, **environ
        ) as process,
    ):
        try:
            wait_for(
                lambda: '"watching"' in log.read_text(encoding="utf-8") or process.poll() is not None,
                "it logs `watching`",
            )
            yield WatchProcess(process, log)
        finally:
            process.kill()
