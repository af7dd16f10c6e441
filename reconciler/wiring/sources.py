"""Open the source of the specs and the store of the statuses: a directory, a checkout, or a Git remote."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from reconciler.controller.run_options import GitRemote, Paths, Publishing
from reconciler.controller.runtime import Runtime
from reconciler.core.remembered_attempts import WINDOW
from reconciler.errors import PublishError
from reconciler.git.author import Author
from reconciler.git.checkout import CheckedOutSpecs, find_checkout
from reconciler.git.checkout_watcher import watching_checkout
from reconciler.git.clone import open_clone
from reconciler.git.command import GitError
from reconciler.git.poller import polling
from reconciler.git.publisher import open_publisher, publish_to_remote
from reconciler.git.remote import RemoteSpecs
from reconciler.git.remote_credentials import RemoteCredentials
from reconciler.git.status_history import earlier_statuses
from reconciler.git.unreadable_specs import UnreadableSpecs
from reconciler.local.attempt_journal import StateJournal
from reconciler.local.clock import SystemClock
from reconciler.local.credential_policy import Trust
from reconciler.local.disk import LocalDisk
from reconciler.local.file_index import FileIndex
from reconciler.local.file_watcher import watching
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusDirectory
from reconciler.local.status_walk import STATUS_MAX_BYTES
from reconciler.model.journal import EarlierStatuses
from reconciler.ports import (
    ChangeNotifier,
    SpecSource,
)
from reconciler.wiring.command_errors import ConfigurationError, UsageError

_TOKEN = "RECONCILE_GIT_TOKEN"  # noqa: S105  the variable's name


def specs_dir(paths: Paths, index: FileIndex | None = None) -> SpecsDir:
    """Return the source of the specs in a directory, without Git."""
    return SpecsDir(paths.specs, paths.statuses, LocalDisk(paths.specs), str(paths.specs), index)


def status_store(paths: Paths, index: FileIndex | None = None) -> StatusDirectory:
    """Return the store of the statuses.

    If the operator sets the status directory, the store creates it. Otherwise, it is below the specs directory, and the
    store does not recreate a specs directory that was removed. In both cases, links are not followed.
    """
    is_beside = paths.status_dir is None
    root = paths.specs if is_beside else paths.statuses
    disk = LocalDisk(root, follows_links=False, read_max_bytes=STATUS_MAX_BYTES, makes_root=not is_beside)
    return StatusDirectory(paths.statuses, disk, index)


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
    """Return the source of the specs. In a checkout or a Git remote, it also provides commits and authors."""
    if paths.remote is not None:
        access = _remote_credentials(paths.remote, trust)
        specs = _remote_specs(paths.remote, access, state_dir, index, is_stopping, may_change=may_change)
        return await _fetch(specs, may_be_unreachable=is_watch)
    directory = specs_dir(paths, index)
    try:
        checkout = find_checkout(paths.specs, scratch=state_dir, is_stopping=is_stopping)
        if checkout is None:
            return directory
        return CheckedOutSpecs(directory, paths.specs, checkout, paths.statuses, SystemClock().now, is_pinned=is_watch)
    except GitError as error:
        return UnreadableSpecs(directory, str(error))


def _remote_credentials(remote: GitRemote, trust: Trust) -> RemoteCredentials:
    """Return the credentials of a remote. Raises `ConfigurationError` if they must not be sent over plain http."""
    access = RemoteCredentials(remote.url, remote.user, remote.token_file, os.environ.get(_TOKEN) or remote.password)
    refused = trust.check_plain(_TOKEN, remote.url) if access.is_given else None
    if refused is not None:
        msg = f"the specs cannot be fetched: {refused.message(())}"
        raise ConfigurationError(msg)
    return access


def _remote_specs(
    remote: GitRemote,
    access: RemoteCredentials,
    state_dir: Path,
    index: FileIndex,
    is_stopping: Callable[[], bool],
    *,
    may_change: bool,
) -> RemoteSpecs:
    try:
        git = open_clone(state_dir / "remote", access, is_stopping, is_exclusive=may_change)
    except (OSError, GitError) as error:
        msg = f"the specs cannot be fetched: {error}"
        raise ConfigurationError(msg) from None
    statuses = str(PurePosixPath(remote.path) / "status")
    return RemoteSpecs(
        git,
        remote.ref,
        remote.path,
        statuses,
        state_dir / "revision",
        SystemClock().now,
        index,
        remote.accepted,
        may_act=may_change,
    )


async def _fetch(specs: RemoteSpecs, *, may_be_unreachable: bool) -> RemoteSpecs:
    """Poll a Git remote once, and return its specs.

    Raises `ConfigurationError` if no revision is available, unless `may_be_unreachable`.
    """
    await asyncio.to_thread(specs.poll)
    if specs.head is None and not may_be_unreachable:
        msg = f"the specs cannot be fetched: {specs.unreachable}"
        raise ConfigurationError(msg)
    return specs


def older_statuses(paths: Paths, state_dir: Path, journal: StateJournal) -> EarlierStatuses:
    """Return earlier statuses from Git history if the journal does not yet cover the window of the change budget.

    Otherwise, or if the specs come from a Git remote, return an empty value.
    """
    now = SystemClock().now()
    if paths.remote is not None:
        return EarlierStatuses()
    try:
        is_covered = now - journal.since() >= WINDOW
    except OSError:
        return EarlierStatuses()  # each pass reports that the journal cannot be read
    return EarlierStatuses() if is_covered else earlier_statuses(paths.specs, paths.statuses, state_dir, now)


def change_notifier(specs: SpecSource, paths: Paths) -> AbstractAsyncContextManager[ChangeNotifier]:
    """Return the notifier that wakes a watch. It polls the remote or watches the directory."""
    if isinstance(specs, RemoteSpecs) and paths.remote is not None:
        return polling(specs, paths.remote.poll_s)
    if isinstance(specs, CheckedOutSpecs):
        return watching_checkout(specs, paths.specs.resolve(), paths.statuses.resolve())
    return watching(paths.specs.resolve(), paths.statuses.resolve())


def published_paths(paths: Paths, publishing: Publishing, state_dir: Path) -> Paths:
    """Return the paths of a run that publishes statuses.

    With a status branch or a remote, the default status directory is below the state directory.
    """
    is_separate = publishing.status_branch is not None or paths.remote is not None
    if not is_separate or paths.status_dir is not None:
        return paths
    return replace(paths, status_dir=state_dir / "published")


async def with_publisher(
    runtime: Runtime, paths: Paths, publishing: Publishing, state_dir: Path, *, is_watch: bool = False
) -> Runtime:
    """Return the runtime with a publisher if publishing is wanted, after the published statuses have been read.

    If the remote of a shared branch is unreachable, a watch continues, but requests no change until the published
    statuses have been read. Raises `UsageError` or `ConfigurationError` if statuses cannot be published, and `OSError`
    if a disk fails.
    """
    if not publishing.is_wanted:
        return runtime
    try:
        author = Author.parse(publishing.author)
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        if isinstance(runtime.specs, RemoteSpecs):
            publisher = publish_to_remote(
                runtime.specs, paths.statuses, publishing.status_branch, author, publishing.trailers
            )
        else:
            publisher = open_publisher(
                paths.specs,
                paths.statuses,
                branch=publishing.status_branch,
                remote=publishing.remote if publishing.is_pushed else None,
                author=author,
                trailers=publishing.trailers,
                scratch=state_dir,
                is_stopping=runtime.is_stopping,
            )
        try:
            await publisher.pull()
        except PublishError:
            if not is_watch or not publisher.is_shared:
                raise
    except PublishError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None  # a failed disk is not a mistake in the configuration
        msg = f"statuses cannot be published: {error}"
        raise ConfigurationError(msg) from None
    return replace(runtime, publisher=publisher)
