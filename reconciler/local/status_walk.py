"""List the files in a status tree, and the paths in it that cannot be read.

Rules: a directory that cannot be listed is reported, because statuses below it are unknown, not missing. A file that
cannot be a status because of its name, depth or type is ignored. Links are ignored, because reconcile does not create
links.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.local.file_writer import is_temporary
from reconciler.ports import Disk, Entry, Unread

DEPTH_MAX = 32
"""The maximum nesting depth of directories, the same as for specs."""
STATUS_MAX_BYTES = 1024 * 1024
_NEVER_OURS = frozenset({errno.EFBIG, errno.EINVAL, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.EISDIR})
"""The errors for paths that reconcile cannot have created, such as a link or a directory with the name of a status."""
_TOO_MANY_OPEN = frozenset({errno.EMFILE, errno.ENFILE})
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM})

StatusStamp = tuple[int, ...] | None
"""The stamp of a status file, or None if it is unknown."""


@dataclass(slots=True)
class Walked:
    """The files in a status tree. Paths are relative to the tree, with `/`."""

    files: list[tuple[str, StatusStamp]] = field(default_factory=list)
    """The files that may be statuses, sorted."""
    refused: dict[str, OSError] = field(default_factory=dict)
    """The directories that could not be listed. Each path ends with `/`, and the tree itself is the empty path."""
    temporary: list[str] = field(default_factory=list)
    """The temporary files, which reconcile renames when they are complete. A killed process leaves them behind."""
    is_missing: bool = False
    """Whether the tree does not exist."""


def walk(disk: Disk, root: Path) -> Walked:
    """Return the files in a status tree. Errors are not raised: a directory that cannot be listed is in `refused`."""
    found = Walked()
    directories = [""]
    while directories:
        directory = directories.pop()
        try:
            entries = disk.list(root / directory)
        except (FileNotFoundError, NotADirectoryError) as error:
            found.is_missing |= not directory and isinstance(error, FileNotFoundError)
            continue
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                found.refused[directory] = error
            continue
        directories += _sort_in(found, directory, entries)
    found.files.sort(key=lambda file: file[0])
    return found


def _sort_in(found: Walked, directory: str, entries: Sequence[Entry]) -> list[str]:
    """Add the files of a directory to what was found, and return the directories in it that are walked too."""
    found.temporary += [f"{directory}{entry.name}" for entry in entries if is_temporary(entry.name)]
    visible = [entry for entry in entries if not entry.name.startswith(".")]
    ours = [entry for entry in visible if entry.is_file and entry.name.endswith(".yaml")]
    found.files.extend((f"{directory}{entry.name}", entry.stamp) for entry in ours)
    if directory.count("/") >= DEPTH_MAX:
        return []
    return [f"{directory}{entry.name}/" for entry in visible if entry.is_dir]


def is_gone(error: OSError) -> bool:
    """Return whether an error means that the file no longer exists."""
    return error.errno == errno.ENOENT


def is_never_ours(error: OSError) -> bool:
    """Return whether an error shows that reconcile cannot have created the file, because of its type, size or name."""
    return error.errno in _NEVER_OURS


def unread(path: str, error: OSError) -> Unread:
    """Return the record of a path that could not be read, with a remedy for the user."""
    if error.errno in _NOT_ALLOWED:
        remedy = f"give user {os.geteuid()} permission to read it"
    elif error.errno in _TOO_MANY_OPEN:
        remedy = "raise the limit on open files (ulimit -n)"
    elif error.errno == errno.ELOOP:
        remedy = "replace the link with a directory, or name the directory of the statuses with --status-dir"
    else:
        remedy = "check the disk; the next pass reads this path again"
    return Unread(path, error.strerror or str(error), remedy)
