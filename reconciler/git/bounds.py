"""Limit the resources of a Git command (on Linux only), and terminate a command.

Rules: a limit applies to the command and to every process that it starts. The limit is set after the command has
started, because Python cannot safely run code between fork and exec in a process with threads. Therefore child
processes that the command has already started are found and limited too.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_ENDS_WITHIN_S = 2.0


def limit_resources(process: int, limits: Mapping[int, int]) -> None:
    """Limit the resources of a process and of its current descendants. On systems other than Linux, do nothing.

    A process that is just being started may be missed, so call this repeatedly while the process runs. A process that
    has ended or belongs to another user is skipped without an error, with its descendants.

    Args:
        process: the process id.
        limits: the maximum for each resource (`resource.RLIMIT_…`), in the unit of that resource. A lower limit that is
            already set is kept.
    """
    waiting = [process] if sys.platform == "linux" else []
    while waiting:
        # The process may have ended, or belong to another user.
        with suppress(OSError):
            each = waiting.pop()
            for limit, most in limits.items():
                _lower(each, limit, most)
            # Processes that this process starts later inherit its limits.
            waiting += _started_by(each)


def _lower(process: int, limit: int, most: int) -> None:
    soft, hard = (most if each == resource.RLIM_INFINITY else each for each in resource.prlimit(process, limit))
    resource.prlimit(process, limit, (min(soft, most), min(hard, most)))


def _started_by(process: int) -> Iterator[int]:
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        yield from map(int, children.read_text(encoding="ascii").split())


def terminate(process: subprocess.Popen[bytes]) -> None:
    """Terminate a command and its process group.

    SIGTERM comes first, so that Git can remove its temporary files. SIGKILL follows 2 s later, if it is needed.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_ENDS_WITHIN_S)
            break
    with suppress(ChildProcessError):
        # If reconcile is process 1 of a container, it inherits the orphaned processes of the group and must reap them.
        while os.waitpid(-process.pid, os.WNOHANG)[0]:
            pass
