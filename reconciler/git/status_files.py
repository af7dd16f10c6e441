"""Read and write status files as raw bytes, to compare them with a branch.

Rules: only status files that reconcile generated are read, and symbolic links are ignored. A file that cannot be read
is treated as unknown, not missing. If a Git checkout converted a file, the bytes that were committed are returned. A
file whose stamp has not changed is not read again, unless it may have changed without getting a new stamp.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.formats.status_parser import as_written, is_status_file
from reconciler.local.clock import SystemClock
from reconciler.local.disk import LocalDisk
from reconciler.local.file_index import is_racy
from reconciler.local.status_walk import STATUS_MAX_BYTES, StatusStamp, is_gone, is_never_ours, walk
from reconciler.ports import Now

MARK = ".commit"
"""A file beside the statuses of a dedicated branch. It contains the commit that was last pulled or published."""


@dataclass(slots=True)
class StatusFiles:
    """The status files below a directory. Each path is relative to the directory."""

    directory: Path
    now: Now = SystemClock().now
    _read: dict[str, tuple[StatusStamp, bytes | None]] = field(default_factory=dict)
    """The stamp and the content of each file that need not be read again. None if the file is not a status."""

    def read(self) -> tuple[dict[str, bytes], dict[str, OSError]]:
        """Return the statuses by path, and the error for each path that could not be read.

        The path of a directory ends with `/`. A file that no longer exists, or that reconcile cannot have created, is
        in neither result.
        """
        begun_at, disk = self.now(), self._disk
        walked = walk(disk, self.directory)
        known, self._read = self._read, {}
        found: dict[str, bytes] = {}
        unread = walked.refused
        for path, stamp in walked.files:
            seen = known.get(path)
            if seen is not None and seen[0] == stamp:
                self._read[path], data = seen, seen[1]
            else:
                try:
                    data = _status_in(disk.read(self.directory / path))
                except OSError as error:
                    if not (is_gone(error) or is_never_ours(error)):
                        unread[path] = error
                    continue
                if stamp is not None and not is_racy(stamp, begun_at):
                    self._read[path] = stamp, data
            if data is not None:
                found[path] = data
        return found, unread

    def current(self, published: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return all statuses by path. For a status that cannot be read, return its published version."""
        found, unread = self.read()
        return found | {path: data for path, data in published.items() if path.startswith(tuple(unread))}

    def read_some(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the statuses at these paths. Raises the error of `read_all`."""
        disk = self._disk
        found: dict[str, bytes] = {}
        for path in paths:
            try:
                data = _status_in(disk.read(self.directory / path))
            except OSError as error:
                if not (is_gone(error) or is_never_ours(error) or isinstance(error, NotADirectoryError)):
                    raise _not_overwritten(self.directory / path, error) from None
                continue
            if data is not None:
                found[path] = data
        return found

    def read_all(self) -> dict[str, bytes]:
        """Return all statuses by path. If one cannot be read, raise `OSError`, so that it is not overwritten."""
        found, unread = self.read()
        for path, error in unread.items():
            raise _not_overwritten(self.directory / path, error)
        return found

    def write(self, path: str, data: bytes) -> None:
        """Replace a file in one step. Raises `OSError` if the file cannot be written."""
        target = self.directory / path
        self._disk.rename(self._disk.write_beside(target, data), target)

    def replace_all(self, wanted: Mapping[str, bytes], here: Mapping[str, bytes] | None = None) -> None:
        """Write the statuses that differ from `wanted`, and remove all that it lacks.

        `here` are the statuses that were found; None reads them. Raises `OSError` if a file cannot be read or replaced.
        """
        found = self.read_all() if here is None else here
        for path in found.keys() - wanted.keys():
            self.remove(path)
        for path, data in wanted.items():
            if found.get(path) != data:
                self.write(path, data)

    def remove(self, path: str) -> None:
        """Remove a file, if it exists. Raises `OSError` if the file cannot be removed."""
        (self.directory / path).unlink(missing_ok=True)

    def marked(self) -> str | None:
        """Return the commit that `mark` recorded, or None if there is none. Raises `OSError` if it cannot be read."""
        mark = self.directory / MARK
        return mark.read_text(encoding="ascii").strip() if mark.exists() else None

    def mark(self, commit: str) -> None:
        """Record the commit that was last pulled or published. Raises `OSError` if it cannot be written."""
        self.write(MARK, f"{commit}\n".encode())

    @property
    def _disk(self) -> LocalDisk:
        return LocalDisk(self.directory, follows_links=False, read_max_bytes=STATUS_MAX_BYTES)


def _status_in(data: bytes) -> bytes | None:
    """Return the bytes of a status as reconcile wrote them, or None if the file is not a status."""
    written = as_written(data)
    return written if is_status_file(written) else None


def _not_overwritten(path: Path, error: OSError) -> OSError:
    why = f"the status cannot be read ({error.strerror}), so it is not overwritten: make the file readable"
    return OSError(error.errno, why, str(path))
