"""Open the specs in a branch of a Git remote."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from reconciler.controller.run_options import GitRemote
from reconciler.git.clone import open_clone
from reconciler.git.command import GitError
from reconciler.git.remote import RemoteSpecs
from reconciler.git.remote_credentials import RemoteCredentials
from reconciler.local.clock import SystemClock
from reconciler.local.credential_policy import Trust
from reconciler.local.file_index import FileIndex
from reconciler.wiring.command_errors import ConfigurationError

_TOKEN = "RECONCILE_GIT_TOKEN"  # noqa: S105  the variable's name


async def open_remote_specs(
    remote: GitRemote,
    trust: Trust,
    state_dir: Path,
    index: FileIndex,
    is_stopping: Callable[[], bool],
    *,
    may_change: bool,
    may_be_unreachable: bool,
) -> RemoteSpecs:
    """Poll a Git remote once, and return its specs.

    With `may_change`, the caller must hold the lock, because the clone is then used by this process alone. In addition,
    the commit of each trusted snapshot is recorded in the state directory, so that a later run notices a rewind.

    Raises `ConfigurationError` if the remote cannot be used and, without `may_be_unreachable`, also if no commit of it
    is available.
    """
    access = _remote_credentials(remote, trust)
    specs = _remote_specs(remote, access, state_dir, index, is_stopping, may_change=may_change)
    await asyncio.to_thread(specs.poll)
    if specs.head is None and not may_be_unreachable:
        msg = f"the specs cannot be fetched: {specs.unreachable}"
        raise ConfigurationError(msg)
    return specs


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
