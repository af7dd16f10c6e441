"""A file that a long-running process appends to, even after `logrotate` or a person has moved or deleted the file.

Rules: before each line, the file at the path is compared with the open file, as in
`logging.handlers.WatchedFileHandler`. If the open file was moved or deleted, the path is opened again, and the file is
created if it is missing. If only part of a line could be written, for example because the disk is full, the next line
still begins on a line of its own. Opening a pipe that no process reads raises an error instead of blocking.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from reconciler.local.file_writer import open_to_append
from reconciler.redaction import KNOWN_SECRETS

_CANNOT_BE_SYNCED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EROFS})
"""The errors of `fsync` for a file that cannot be synced, such as a pipe or a terminal."""


class AppendFile:
    """A file that is open for appending. The constructor raises `OSError` if the file cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_line_begun = False
        self._descriptor = self._open()

    def append(self, line: bytes, *, is_durable: bool) -> None:
        """Append a line in one write, with known secrets redacted.

        If the open file was moved or deleted, the path is opened again first. Raises `OSError` if the path cannot be
        opened, or if the line cannot be written completely or synced.

        Args:
            line: the line, with its newline.
            is_durable: whether to return only after the line is on the disk. A pipe or a terminal is not synced.
        """
        if self._was_moved():
            self.reopen()
        shown = KNOWN_SECRETS.redact(line.decode(errors="replace")).encode()
        data = b"\n" + shown if self._is_line_begun else shown
        written = os.write(self._descriptor, data)
        if written < len(data):
            self._is_line_begun = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._is_line_begun = False
        if is_durable:
            self._sync()

    def reopen(self) -> None:
        """Open the file at the path again, and create it if it is missing. Raises `OSError` if it cannot be opened."""
        descriptor = self._open()
        self.close()
        self._descriptor, self._is_line_begun = descriptor, False

    def close(self) -> None:
        """Close the file. Errors are ignored, because every line has already been written."""
        with suppress(OSError):
            os.close(self._descriptor)

    def _open(self) -> int:
        # Without O_NONBLOCK, opening and writing to a named pipe would wait for its reader.
        return open_to_append(self._path, 0o640, os.O_NONBLOCK | os.O_NOCTTY)

    def _was_moved(self) -> bool:
        ours = os.fstat(self._descriptor)
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return True
        return (named.st_dev, named.st_ino) != (ours.st_dev, ours.st_ino)

    def _sync(self) -> None:
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            if error.errno not in _CANNOT_BE_SYNCED:
                raise
