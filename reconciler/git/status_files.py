"""The statuses on the disk as bytes, for comparison with a branch.

Rules: only files of ours are read and written; links do not count. A file that cannot be read is unknown, not missing.
Bytes that a Git checkout converted count as the committed ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.formats.status_parser import as_written, is_status_file
from reconciler.local.disk import LocalDisk
from reconciler.local.status_walk import STATUS_MAX_BYTES, is_gone, is_never_ours, walk

MARK = ".commit"
"""The file beside the statuses of a dedicated branch with the commit that they are, or came from."""


@dataclass(frozen=True, slots=True)
class StatusFiles:
    """The statuses below a directory, by their paths relative to it."""

    directory: Path

    def read(self) -> tuple[dict[str, bytes], dict[str, OSError]]:
        """Return the statuses, and the paths that could not be read. A directory's path ends with `/`."""
        walked = walk(self._disk, self.directory)
        found: dict[str, bytes] = {}
        unread = walked.refused
        for path, _ in walked.files:
            try:
                data = self._disk.read(self.directory / path)
            except OSError as error:
                if not (is_gone(error) or is_never_ours(error)):
                    unread[path] = error
                continue
            if is_status_file(written := as_written(data)):
                found[path] = written
        return found, unread

    def read_all(self) -> dict[str, bytes]:
        """Return the statuses before they are replaced. Raises OSError if one cannot be read, so that it is kept."""
        found, unread = self.read()
        for path, error in unread.items():
            raise OSError(error.errno, f"{error.strerror}; it is not overwritten", str(self.directory / path))
        return found

    def write(self, path: str, data: bytes) -> None:
        """Replace a file in one step. Raises OSError."""
        target = self.directory / path
        self._disk.rename(self._disk.write_beside(target, data), target)

    def remove(self, path: str) -> None:
        """Remove a file, if it exists. Raises OSError."""
        (self.directory / path).unlink(missing_ok=True)

    def marked(self) -> str | None:
        """Return the commit that the statuses came from, if it was recorded."""
        mark = self.directory / MARK
        return mark.read_text(encoding="ascii").strip() if mark.exists() else None

    def mark(self, commit: str) -> None:
        """Record the commit that the statuses are. Raises OSError."""
        self.write(MARK, f"{commit}\n".encode())

    @property
    def _disk(self) -> LocalDisk:
        return LocalDisk(self.directory, follows_links=False, read_max_bytes=STATUS_MAX_BYTES)
