"""Open the publisher of a run, and read what is already published."""

from __future__ import annotations

from pathlib import Path

from reconciler.controller.run_options import Paths, Publishing
from reconciler.controller.runtime import Runtime
from reconciler.errors import PublishError
from reconciler.git.author import Author
from reconciler.git.publisher import GitPublisher, open_publisher, publish_to_remote
from reconciler.git.remote import RemoteSpecs
from reconciler.wiring.command_errors import ConfigurationError, UsageError


async def open_git_publisher(
    runtime: Runtime, paths: Paths, publishing: Publishing, state_dir: Path, *, is_watch: bool
) -> GitPublisher:
    """Return a publisher that has pulled the published statuses.

    If a watch cannot pull a branch that it also pushes, the publisher is returned nevertheless. The watch then requests
    no change until it has pulled the branch. Raises `UsageError` or `ConfigurationError` if statuses cannot be
    published, and `OSError` if a disk fails.
    """
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
        publisher.branch.turns.is_lasting = is_watch
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
    return publisher
