"""Add a publisher to a run, if its options ask for statuses to be committed or pushed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reconciler.controller.run_options import Paths, Publishing
from reconciler.controller.runtime import Runtime


def published_paths(paths: Paths, publishing: Publishing, state_dir: Path) -> Paths:
    """Return the paths of a run, unchanged unless the status directory has to be below the state directory.

    It has to be there if no status directory is set, and the statuses are on a status branch or the specs are in a Git
    remote.
    """
    is_separate = publishing.status_branch is not None or paths.remote is not None
    if not is_separate or paths.status_dir is not None:
        return paths
    return replace(paths, status_dir=state_dir / "published")


async def with_publisher(
    runtime: Runtime, paths: Paths, publishing: Publishing, state_dir: Path, *, is_watch: bool = False
) -> Runtime:
    """Return the runtime with a publisher, or unchanged if no publishing is wanted.

    `is_watch` has the same meaning as in `open_git_publisher`. Raises the errors of that function.
    """
    if not publishing.is_wanted:
        return runtime
    from reconciler.wiring.git_publisher import open_git_publisher  # noqa: PLC0415  only a publisher needs the branch

    publisher = await open_git_publisher(runtime, paths, publishing, state_dir, is_watch=is_watch)
    return replace(runtime, publisher=publisher)
