"""Read the statuses in a commit of a status branch.

Rule: only small regular files that reconcile can have written are read. If an earlier commit was read, only the files
that differ are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from reconciler.formats.status_parser import is_status_file
from reconciler.git.command import Git, GitError
from reconciler.git.commit_tree import FILES_MAX, list_tree
from reconciler.local.status_walk import STATUS_MAX_BYTES

_PLAIN = "100644"


@dataclass(frozen=True, slots=True)
class PublishedStatuses:
    """The statuses below a path of a commit's tree. An empty `prefix` is the whole tree."""

    git: Git
    prefix: str

    def read(self, commit: str | None) -> dict[str, bytes]:
        """Return the statuses in a commit, by path relative to `prefix`. Without a commit, there are none.

        Raises `GitError` if Git fails or an object is damaged.
        """
        if commit is None:
            return {}
        sized = [each for each in list_tree(self.git, commit, self.prefix) if each.size is not None]
        found = [each for each in sized if _may_be_status(each.mode, each.path, each.size or 0)]
        names = list(dict.fromkeys(each.name for each in found))
        contents = dict(zip(names, self.git.read_blobs(names), strict=True))
        pairs = ((self._inside(each.path), contents[each.name]) for each in found)
        return {path: data for path, data in pairs if is_status_file(data)}

    def changed(self, before: str, after: str) -> dict[str, bytes | None]:
        """Return each status that differs between two commits, by path, as in the later one; None if it has none.

        Raises `GitError` if Git fails, if an object is missing or damaged, or if there are too many changes.
        """
        within = ["--", f"{self.prefix}/"] if self.prefix else []
        options = ("-r", "-z", "--no-renames", "--no-abbrev", "--end-of-options")
        listed = self.git.run("diff-tree", *options, before, after, *within)
        if listed.count(b"\0") > 2 * FILES_MAX:
            msg = f"more than {FILES_MAX:,} files were changed"
            raise GitError(msg)
        differing = dict(_differences(listed.decode("utf-8", "surrogateescape")))
        contents = self._small({name for path, (mode, name) in differing.items() if _may_be_status(mode, path, 0)})
        found: dict[str, bytes | None] = {}
        for path in filter(_is_path_of_status, differing):
            mode, name = differing[path]
            data = contents.get(name) if mode == _PLAIN else None
            found[self._inside(path)] = data if data is not None and is_status_file(data) else None
        return found

    def _small(self, blobs: Collection[str]) -> dict[str, bytes]:
        """Return the contents of the blobs that are small enough for a status. Raises `GitError` if one is missing."""
        if not blobs:
            return {}
        sizes = self.git.sizes(list(blobs))
        names = [each for each in blobs if sizes.get(each, 0) <= STATUS_MAX_BYTES]
        return dict(zip(names, self.git.read_blobs(names), strict=True))

    def _inside(self, path: str) -> str:
        return path.removeprefix(f"{self.prefix}/") if self.prefix else path


def _differences(listed: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the path, and the later mode and object id, of each difference that `git diff-tree -z` prints."""
    parts = listed.split("\0")[:-1]
    for facts, path in zip(parts[::2], parts[1::2], strict=True):
        _, mode, _, name, _ = facts.split(" ")
        yield path, (mode, name)


def _may_be_status(mode: str, path: str, size: int) -> bool:
    """Return whether a tree entry may be a status that reconcile wrote: a small regular file with a suitable name."""
    return mode == _PLAIN and size <= STATUS_MAX_BYTES and _is_path_of_status(path)


def _is_path_of_status(path: str) -> bool:
    return path.isprintable() and ".." not in path.split("/") and _has_status_name(path)


def _has_status_name(path: str) -> bool:
    return path.endswith(".yaml") and not path.rpartition("/")[2].startswith(".")
