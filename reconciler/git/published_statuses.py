"""Read the statuses in a commit of a status branch.

Rule: only small regular files that reconcile can have written are read, and each object is read once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.formats.status_parser import is_status_file
from reconciler.git.command import Git
from reconciler.git.commit_tree import TreeListing, list_tree
from reconciler.local.status_walk import STATUS_MAX_BYTES


@dataclass(slots=True)
class PublishedStatuses:
    """The statuses below a path of a commit's tree. An empty `prefix` is the whole tree."""

    git: Git
    prefix: str
    _contents: dict[str, bytes] = field(default_factory=dict)
    """The files of the last commit that was read, by object id."""

    def read(self, commit: str | None) -> dict[str, bytes]:
        """Return the statuses in a commit, by path relative to `prefix`. Without a commit, there are none.

        Raises `GitError` if Git fails or an object is damaged.
        """
        if commit is None:
            return {}
        found = [each for each in list_tree(self.git, commit, self.prefix) if _may_be_status(each)]
        new = list({each.name: None for each in found if each.name not in self._contents})
        known = {**self._contents, **dict(zip(new, self.git.read_blobs(new), strict=True))}
        self._contents = {each.name: known[each.name] for each in found}
        pairs = ((self._inside(each.path), self._contents[each.name]) for each in found)
        return {path: data for path, data in pairs if is_status_file(data)}

    def _inside(self, path: str) -> str:
        return path.removeprefix(f"{self.prefix}/") if self.prefix else path


def _may_be_status(listed: TreeListing) -> bool:
    """Return whether a tree entry may be a status that reconcile wrote: a small regular file with a suitable name."""
    is_plain = listed.mode == "100644" and listed.size is not None and listed.size <= STATUS_MAX_BYTES
    path = listed.path
    return is_plain and path.isprintable() and ".." not in path.split("/") and _has_status_name(path)


def _has_status_name(path: str) -> bool:
    return path.endswith(".yaml") and not path.rpartition("/")[2].startswith(".")
