"""Compare trees of statuses, and move those on the disk onto newer published statuses, as a rebase does."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconciler.formats.status_merge import carried_over
from reconciler.git.status_files import StatusFiles


def differences(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """Return the new content of each status that differs, by path. None means that it was removed."""
    found = {path: data for path, data in after.items() if before.get(path) != data}
    return {**dict.fromkeys(before.keys() - after.keys()), **found}


def move_files(
    files: StatusFiles, changed: Collection[str], before: Mapping[str, bytes], published: Mapping[str, bytes]
) -> None:
    """Write the statuses that others have changed to the disk, merged with the changes of this run.

    Other files stay unchanged, because workers may write them meanwhile. Raises `OSError` if a file cannot be read or
    replaced.

    Args:
        files: the statuses on the disk.
        changed: the paths at which `before` and `published` differ.
        before: the published statuses from which those on the disk were derived.
        published: the newer published statuses.
    """
    here = files.read_some(changed)
    merged = carried_over(here, published, _of(before, changed))
    if merged.keys() <= set(changed):
        files.replace_all(_of(published, changed) | merged, here)
    else:  # our status of a job moves to the file of another status
        here = files.read_all()
        files.replace_all(moved(here, before, published, published), here)


def moved(
    here: Mapping[str, bytes], before: Mapping[str, bytes], published: Mapping[str, bytes], under: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return the statuses to have on the disk.

    Args:
        here: the statuses of this run.
        before: the published statuses from which they were derived.
        published: the newer published statuses.
        under: the statuses on which the changes of this run are put: usually the published statuses.
    """
    gone = {path for path in before.keys() - here.keys() if published.get(path) == before[path]}
    wanted = {**under, **carried_over(here, published, before)}
    return {path: data for path, data in wanted.items() if path not in gone}


def _of(statuses: Mapping[str, bytes], paths: Collection[str]) -> dict[str, bytes]:
    return {path: statuses[path] for path in paths if path in statuses}
