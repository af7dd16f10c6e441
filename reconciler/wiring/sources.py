"""Open the store of the statuses, and the source of the specs: a directory, a checkout, or a Git remote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconciler.controller.run_options import Paths
from reconciler.git.checkout import find_checkout
from reconciler.git.command import GitError
from reconciler.git.unreadable_specs import UnreadableSpecs
from reconciler.local.clock import SystemClock
from reconciler.local.credential_policy import Trust
from reconciler.local.disk import LocalDisk
from reconciler.local.file_index import FileIndex
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusDirectory
from reconciler.local.status_walk import STATUS_MAX_BYTES
from reconciler.ports import SpecSource


def specs_dir(paths: Paths, index: FileIndex | None = None) -> SpecsDir:
    """Return the source of the specs in a directory, without Git. If `index` is None, every file is parsed."""
    return SpecsDir(paths.specs, paths.statuses, LocalDisk(paths.specs), str(paths.specs), index)


def status_store(paths: Paths, index: FileIndex | None = None, folder: str = "") -> StatusDirectory:
    """Return the store of the statuses, which does not follow links. If `index` is None, every file is parsed.

    `folder` is a folder of the status directory, whose statuses are wanted instead.

    A status directory that the operator sets is created if needed. The default one, below the specs directory, is
    created only if the specs directory exists, because a specs directory that was removed must not appear again.
    """
    is_beside = paths.status_dir is None
    root = paths.specs if is_beside else paths.statuses
    disk = LocalDisk(root, follows_links=False, read_max_bytes=STATUS_MAX_BYTES, makes_root=not is_beside)
    return StatusDirectory(paths.statuses / folder, disk, index)


async def open_specs(
    paths: Paths,
    state_dir: Path,
    index: FileIndex,
    trust: Trust,
    *,
    may_change: bool,
    is_watch: bool,
    is_stopping: Callable[[], bool],
) -> SpecSource:
    """Return the source of the specs. In a checkout or a Git remote, it also provides commits and authors.

    If Git cannot read the checkout, the documents are returned, but are not acted on (`UnreadableSpecs`).

    With `may_change`, the caller must hold the lock, because the clone of a Git remote is then used by this process
    alone. Raises `ConfigurationError` if the Git remote cannot be used. With `is_watch`, an unreachable remote is not
    an error.
    """
    if paths.remote is not None:
        from reconciler.wiring.remote_specs import open_remote_specs  # noqa: PLC0415  only a remote needs the clone

        return await open_remote_specs(
            paths.remote, trust, state_dir, index, is_stopping, may_change=may_change, may_be_unreachable=is_watch
        )
    directory = specs_dir(paths, index)
    try:
        checkout = find_checkout(paths.specs, scratch=state_dir, is_stopping=is_stopping)
        if checkout is None:
            return directory
        from reconciler.git.checked_out_specs import CheckedOutSpecs  # noqa: PLC0415  only a checkout

        return CheckedOutSpecs(directory, paths.specs, checkout, paths.statuses, SystemClock().now, is_pinned=is_watch)
    except GitError as error:
        return UnreadableSpecs(directory, str(error))
