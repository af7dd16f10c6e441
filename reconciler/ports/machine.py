"""The ports of the machine: the clock, the disk, and notifications about changed files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """The clock, which is a port so that tests can control the time."""

    def now(self) -> datetime:
        """Return the current time as an aware datetime in UTC."""
        ...

    def monotonic(self) -> float:
        """Return the time of a monotonic clock, in seconds. Only differences are meaningful."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a directory.

    A symbolic link is a file or directory only if the disk follows it. Otherwise both flags are False.
    """

    name: str
    is_dir: bool
    is_file: bool
    why_neither: str = "neither a file nor a directory"
    """For messages: what the entry is if it is neither a file nor a directory."""
    stamp: tuple[int, ...] | None = None
    """For a file, a value that most likely changes whenever the content changes. None if it is unknown."""


class Disk(Protocol):
    """Access to files by a few operations, so that a test can use a disk that loses data that was not synced.

    Each method raises `OSError` if the operation fails, or if the path leads outside the directory of the disk.
    """

    def read(self, path: Path) -> bytes:
        """Return the content of a file. Raises `OSError` if it cannot be read."""
        ...

    def list(self, path: Path) -> list[Entry]:
        """Return the entries of a directory, sorted by name. Raises `OSError` if it cannot be read."""
        ...

    def write_beside(self, target: Path, data: bytes) -> Path:
        """Write bytes to a new file in the directory of `target`, and return the path of the new file.

        The directory is created if it is missing, but a disk may refuse to create its root. `rename` then moves the new
        file to `target`. Nothing is durable yet. Raises an `OSError` that names `target` if the file cannot be written.
        """
        ...

    def replace(self, target: Path, data: bytes) -> None:
        """Create a file, or replace it atomically, as `write_beside` and `rename` do. Nothing is durable yet.

        If that fails, the old file is unchanged, and no new file is left. Raises an `OSError` that names `target`.
        """
        ...

    def sync(self, path: Path) -> None:
        """Make the content of a file durable."""
        ...

    def sync_all(self, paths: Sequence[Path]) -> dict[Path, OSError]:
        """Make the contents of files durable at the same time. Return the error of each file for which that failed."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Move a file to `target` atomically. A file there is replaced."""
        ...

    def sync_dir(self, path: Path) -> None:
        """Make the entries of a directory durable."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file. Do nothing if it does not exist."""
        ...


class ChangeNotifier(Protocol):
    """A notifier of changes below the specs directory. It reports that something changed; a new snapshot shows what."""

    @property
    def is_alive(self) -> bool:
        """Whether the notifier would still notice a change."""
        ...

    async def wait(self) -> frozenset[str] | None:
        """Return after the next change, or at once if there was a change since the last call returned.

        It may also return although no document has changed. The result contains the changed paths, relative to the
        specs directory, with `/`. It is None if they are not known.
        """
        ...
