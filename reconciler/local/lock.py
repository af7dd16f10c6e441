"""The lock on a state directory, which one process at a time can hold. `wiring/run_setup.py` acquires it.

It is a kernel lock on a file (`flock`), so it is released when the process ends, even after a crash. The content of the
file only names the holder. The file is never removed, because two processes could then lock different files with the
same name.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import TextIO

from reconciler.model.spec import render_instant

_POLL_S = 0.05


class LockHeldError(Exception):
    """Another process holds the lock. The message names the process, its host and the time, if they are known.

    `command` is the command line that the other process wrote to the file, or None if it is unknown.
    """

    def __init__(self, message: str, command: str | None) -> None:
        super().__init__(message)
        self.command = command


LOCK_WAIT_S = 1.0
"""How long to wait for the lock, in seconds, because a command that only reads may hold it for a moment."""


@contextmanager
def hold(path: Path, *, command: str, since: datetime, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold the lock while the body runs. `command` and `since` are written to the file, so that others can report them.

    Raises `LockHeldError` if another process still holds the lock after `wait_s` seconds, and `OSError` if the file
    cannot be opened, locked or written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace") as file:
        if not any(_try_lock(file) or _pause() for _ in range(1 + round(wait_s / _POLL_S))):
            raise _held(path, file.read(4096))
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": render_instant(since), "command": command}
        file.truncate()
        file.write(json.dumps(holder))
        file.flush()
        yield


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
            raise
        return False
    return True


def _pause() -> bool:
    """Wait for `_POLL_S` seconds, and return False, so that `any` continues."""
    return Event().wait(_POLL_S)


def _held(path: Path, text: str) -> LockHeldError:
    try:
        holder = json.loads(text)
        command = str(holder["command"])
        who = f"process {holder['pid']} on {holder['host']}, since {holder['since']} ({command})"
    except (ValueError, KeyError, TypeError):  # the holder has just taken the lock and has not written the file yet
        command, who = None, "another process"
    message = (
        f"the lock {path} is held by {who}. Only one process at a time may change the jobs of these specs: wait until "
        "it ends, or stop it"
    )
    return LockHeldError(message, command)
