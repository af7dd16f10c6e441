"""Move spec files and their statuses into the archive, and back.

Rules: every file is first copied and synced. The originals are then removed, the specs before the statuses, so that no
spec is without its status at any time. If the process ends in between, the same command can be repeated, and a status
without a spec is removed by the next pass. No file is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from reconciler.local.disk import LocalDisk
from reconciler.local.file_writer import create_file, errors_naming, naming

Move = tuple[Path, Path]
"""The path of a file before and after."""


def move_files(specs: Iterable[Move], statuses: Iterable[Move], specs_root: Path, status_root: Path) -> None:
    """Move spec files below one root, and their statuses below another.

    A missing status is ignored. Raises an `OSError` that names the file: `FileExistsError` if another file is at the
    new path, and other errors if a file cannot be read, written or removed.
    """
    spec_disk, status_disk = LocalDisk(specs_root), LocalDisk(status_root)
    of_specs, of_statuses = list(specs), list(statuses)
    copies, folders = list[Path](), set[Path]()
    for before, after in of_statuses:
        with suppress(FileNotFoundError):
            copies.append(_copy(status_disk, before, after, folders))
    copies += [_copy(spec_disk, before, after, folders) for before, after in of_specs]
    for copy, error in spec_disk.sync_all(copies).items():
        raise naming(error, copy)
    for folder in folders:
        with errors_naming(folder):
            spec_disk.sync_dir(folder)
    for disk, moves in ((spec_disk, of_specs), (status_disk, of_statuses)):
        for before, _ in moves:
            with errors_naming(before):
                disk.remove(before)


def _copy(disk: LocalDisk, before: Path, after: Path, folders: set[Path]) -> Path:
    """Copy a file, and return the path of the copy. The directories that must be synced are added to `folders`."""
    with errors_naming(before):
        data = disk.read(before)
    with errors_naming(after):
        folder = disk.resolved(after.parent)
        new = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        folders.update((folder, *(each.parent for each in new)))
        target = folder / after.name
        try:
            create_file(target, data)
        except FileExistsError as error:
            if disk.read(after) != data:
                raise naming(error, after) from None
    return target
