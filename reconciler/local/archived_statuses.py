"""Read archived statuses by the names of their specs."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path, PurePosixPath

from reconciler.formats.status_parser import StatusTooNewError, StatusUnreadableError, as_written
from reconciler.local.status_contents import parse_file
from reconciler.local.status_walk import walk
from reconciler.model.status import JobStatus
from reconciler.ports import ARCHIVE, Disk


def archived_statuses(root: Path, disk: Disk, names: Collection[str]) -> tuple[JobStatus, ...]:
    """Return the statuses of these specs in the archive of a status tree. Files that cannot be read are left out."""
    folder, found = root / ARCHIVE, list[JobStatus]()
    for path, _ in walk(disk, folder).files:
        if PurePosixPath(path).stem in names:
            with suppress(OSError, StatusUnreadableError, StatusTooNewError, UnicodeDecodeError):
                status = parse_file(path, as_written(disk.read(folder / path)))
                found += [status] if isinstance(status, JobStatus) else []
    return tuple(found)
