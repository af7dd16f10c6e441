"""The ports of the machine: its clock, its disk, and notifications about changed files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Time, behind a port so that tests can control it."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never decrease."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a directory. A symbolic link is neither file nor directory unless it points inside."""

    name: str
    is_dir: bool
    is_file: bool
    why_neither: str = "neither a file nor a directory"
    """What the entry is instead, for messages."""
    stamp: tuple[int, ...] | None = None
    """Of a file: while the stamp is the same, the bytes most likely are too. None if that is unknown."""


class Disk(Protocol):
    """The only access to files: seven operations, so that a test's disk can lose what was not synced."""

    def read(self, path: Path) -> bytes:
        """Return a file's bytes. Raises OSError."""
        ...

    def list(self, path: Path) -> list[Entry]:
        """Return the entries of a directory, sorted by name. Raises OSError."""
        ...

    def write_beside(self, target: Path, data: bytes) -> Path:
        """Write bytes to a new file in the directory of `target`, which is created if needed. Return the new file.

        `rename` then puts it in the place of `target`. Nothing is durable yet. Raises OSError that names `target`.
        """
        ...

    def sync(self, path: Path) -> None:
        """Make a file's bytes durable."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in the place of another in one step."""
        ...

    def sync_dir(self, path: Path) -> None:
        """Make a directory's entries durable."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file. Does nothing if there is none."""
        ...


class ChangeNotifier(Protocol):
    """Notifies of changes below the specs directory. A snapshot finds out what changed."""

    @property
    def is_alive(self) -> bool:
        """Whether a change would still be noticed."""
        ...

    async def wait(self) -> None:
        """Return after the next change."""
        ...
