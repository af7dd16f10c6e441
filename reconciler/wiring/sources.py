"""Where specs come from, and where statuses go: a directory, a checkout, or a Git remote."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from reconciler.controller.run_options import GitRemote, Place, Publishing
from reconciler.controller.runtime import Tools
from reconciler.errors import PublishError
from reconciler.formats.yaml_text import Parse, parse
from reconciler.git.author import Signature
from reconciler.git.checkout import CheckedOutSpecs, UnreadableSpecs, find_checkout, why_unreadable
from reconciler.git.command import GitError
from reconciler.git.poller import polling
from reconciler.git.publisher import open_publisher
from reconciler.git.remote import RemoteSpecs, open_remote, publish_to_remote
from reconciler.git.remote_credentials import GitAccess
from reconciler.local.clock import SystemClock
from reconciler.local.disk import LocalDisk
from reconciler.local.file_watcher import watching
from reconciler.local.specs_dir import SpecsDir
from reconciler.ports import (
    SpecSource,
    Waker,
)
from reconciler.wiring.command_errors import ConfigurationError, UsageError


def specs_of(place: Place, parse: Parse = parse) -> SpecsDir:
    """Return the specs directory as a source, without what Git knows of it."""
    return SpecsDir(place.specs, place.statuses, LocalDisk(place.specs), str(place.specs), parse)


async def source_of(
    place: Place, state_dir: Path, parse: Parse, *, is_watch: bool, is_stopping: Callable[[], bool]
) -> SpecSource:
    """Return the specs, with what Git knows of them where they are checked out or fetched."""
    if place.remote is not None:
        specs = _remote_specs(place.remote, state_dir, parse, is_stopping)
        return await _fetched(specs, may_be_away=is_watch)
    here, checkout = specs_of(place, parse), find_checkout(place.specs)
    if checkout is not None:
        return CheckedOutSpecs(here, place.specs, checkout, place.statuses, SystemClock().now, is_pinned=is_watch)
    why = why_unreadable(place.specs)
    return here if why is None else UnreadableSpecs(here, why)


def _remote_specs(remote: GitRemote, state_dir: Path, parse: Parse, is_stopping: Callable[[], bool]) -> RemoteSpecs:
    try:
        token = os.environ.get("RECONCILE_GIT_TOKEN") or remote.password
        access = GitAccess(remote.url, remote.user, remote.token_file, token)
        git = open_remote(state_dir / "remote", access, is_stopping)
    except (OSError, GitError) as error:
        msg = f"the specs cannot be fetched: {error}"
        raise ConfigurationError(msg) from None
    statuses = str(PurePosixPath(remote.path) / "status")
    return RemoteSpecs(
        git, remote.ref, remote.path, statuses, state_dir / "revision", SystemClock().now, parse, remote.accepted
    )


async def _fetched(specs: RemoteSpecs, *, may_be_away: bool) -> RemoteSpecs:
    """Return the specs of a Git remote, once it was asked. A watch waits for one that is away; one pass cannot."""
    await asyncio.to_thread(specs.poll)
    if specs.head is None and not may_be_away:
        msg = f"the specs cannot be fetched: {specs.away}"
        raise ConfigurationError(msg)
    return specs


def waking(specs: SpecSource, place: Place) -> AbstractAsyncContextManager[Waker]:
    """Return what wakes a watch: the remote that is polled, or the directory that is watched."""
    if isinstance(specs, RemoteSpecs) and place.remote is not None:
        return polling(specs, place.remote.poll_s)
    return watching(place.specs.resolve(), place.statuses.resolve())


def published_place(place: Place, publishing: Publishing, state_dir: Path) -> Place:
    """Return where statuses stand: those of a branch of their own are kept beside the other state."""
    is_elsewhere = publishing.status_branch is not None or place.remote is not None
    if not is_elsewhere or place.status_dir is not None:
        return place
    return replace(place, status_dir=state_dir / "published")


async def publishing_tools(tools: Tools, place: Place, publishing: Publishing, *, is_watch: bool = False) -> Tools:
    """Return the tools with a publisher, once what is published has been read back.

    A watch waits for a remote that is away: until what is published has been read, nothing is asked for.
    """
    if not publishing.is_wanted:
        return tools
    try:
        signature = Signature.parse(publishing.author)
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        if isinstance(tools.specs, RemoteSpecs):
            publisher = publish_to_remote(
                tools.specs, place.statuses, publishing.status_branch, signature, publishing.trailers
            )
        else:
            publisher = open_publisher(
                place.specs,
                place.statuses,
                branch=publishing.status_branch,
                remote=publishing.remote if publishing.is_pushed else None,
                signature=signature,
                trailers=publishing.trailers,
                is_stopping=tools.is_stopping,
            )
        try:
            await publisher.pull()
        except PublishError:
            if not is_watch or not publisher.is_shared:
                raise
    except PublishError as error:
        msg = f"statuses cannot be published: {error}"
        raise ConfigurationError(msg) from None
    return replace(tools, publisher=publisher)
