"""A file that lines are appended to for months, while `logrotate` or a person may move it away.

Rules: before each line, the file of that name is compared with the open one, as `logging.handlers.WatchedFileHandler`
does. A file that was moved or deleted is created again. If a line was written only in part, because the disk is full,
the next one starts on a new line. A pipe without a reader is an error and does not block.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from reconciler.local.file_writer import open_to_append
from reconciler.redaction import KNOWN_SECRETS

_CANNOT_BE_SYNCED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EROFS})
"""The errors with which `fsync` refuses a pipe or a terminal."""


class AppendFile:
    """A file that is open for appending. The constructor opens it. Raises `OSError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_line_begun = False
        self._descriptor = self._open()

    def append(self, line: bytes, *, is_durable: bool) -> None:
        """Append a line that ends in a newline, with known secrets redacted, in one write. Raises `OSError`.

        Args:
            line: the line.
            is_durable: whether to return only once the line is on the disk.
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
        """Open the file again by its path, and create it if it is missing. Raises `OSError`."""
        descriptor = self._open()
        self.close()
        self._descriptor, self._is_line_begun = descriptor, False

    def close(self) -> None:
        """Close the file. An error is ignored, because every line was already written."""
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
