"""`reconcile` that kills itself before its n-th effect: `python -m tests.support.crashing_process N LOG ARGUMENTS…`.

An effect is a write, sync or removal on the disk, a request, or a Git command that may change a repository or a remote.
The log has a line for each effect. The process is killed by SIGKILL, so that no code runs afterwards. If N is 0, the
process is not killed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reconciler.cli import main
from reconciler.git.command import Git
from reconciler.local.disk import LocalDisk
from reconciler.transport import HttpTransport

DISK = ("write_beside", "sync", "rename", "sync_dir", "remove")
GIT = frozenset(
    {"init", "config", "fetch", "hash-object", "update-index", "write-tree", "commit-tree", "update-ref", "push"}
)


class CrashPoint:
    """Counts effects, and kills the process before one of them."""

    def __init__(self, crash_before: int, log: Path) -> None:
        self.crash_before = crash_before
        self.log = log
        self.effects = 0

    def effect(self, what: str) -> None:
        """Log the next effect, or kill the process before it."""
        self.effects += 1
        if self.effects == self.crash_before:
            os.kill(os.getpid(), signal.SIGKILL)
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write(f"{what}\n")

    def of_disk(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a disk operation that counts as an effect."""

        def counted(disk: LocalDisk, path: Path, *rest: Any) -> Any:
            self.effect(f"{name} {(rest[0] if name == 'rename' else path).name}")
            return method(disk, path, *rest)

        return counted

    def of_transport(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a request that counts as an effect."""

        async def counted(transport: HttpTransport, verb: str, path: str, **rest: Any) -> Any:
            self.effect(f"{verb} {path}")
            return await method(transport, verb, path, **rest)

        return counted

    def of_git(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a Git command that counts as an effect if it may change a repository or a remote."""

        def counted(git: Git, verb: str, *arguments: str, **rest: Any) -> Any:
            if verb in GIT:
                self.effect(f"git {verb}")
            return method(git, verb, *arguments, **rest)

        return counted


def crash_before_effect(crash_before: int, log: Path) -> None:
    """Log every effect of this process, and kill the process before the effect with this number."""
    point = CrashPoint(crash_before, log)
    for name in DISK:
        setattr(LocalDisk, name, point.of_disk(name, getattr(LocalDisk, name)))
    Git.run = point.of_git(Git.run)  # type: ignore[method-assign]
    HttpTransport.send = point.of_transport(HttpTransport.send)  # type: ignore[method-assign]


if __name__ == "__main__":
    _, number, file, *sys.argv[1:] = sys.argv
    crash_before_effect(int(number), Path(file))
    raise SystemExit(main())
