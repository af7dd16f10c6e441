"""One reconciler per state directory. The lock is the kernel's, so it dies with its owner, however that dies.

The file only says who holds it and is never removed: removing it would let two processes lock two files of one name.
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


class LockHeld(Exception):
    """Another process holds the lock. The message says which, on what host, since when."""


PATIENCE_S = 1.0
"""How long a lock may be taken before it counts as held: a reader takes it only for a moment."""


@contextmanager
def hold(path: Path, *, command: str, since: datetime, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock while the body runs; `command` and `since` are what others are told of us.

    Raises `LockHeld` where it is taken for longer than that, and OSError where the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace") as file:
        if not any(_is_ours(file) or _rest() for _ in range(1 + round(patience_s / _POLL_S))):
            raise LockHeld(_sentence(path, file.read(4096)))
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": render_instant(since), "command": command}
        file.truncate()
        file.write(json.dumps(holder))
        file.flush()
        yield


def _is_ours(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
            raise
        return False
    return True


def _rest() -> bool:
    """Return False after a moment."""
    return Event().wait(_POLL_S)


def _sentence(path: Path, text: str) -> str:
    try:
        holder = json.loads(text)
        who = f"process {holder['pid']} on {holder['host']}, since {holder['since']} ({holder['command']})"
    except (ValueError, KeyError, TypeError):  # it was locked a moment ago, and has not said who it is
        who = "another process"
    return f"{path} is held by {who}: stop that one, or give this one a --state-dir of its own"
