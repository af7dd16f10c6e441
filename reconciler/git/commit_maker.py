"""A commit that changes some files of the one before it, made without a working tree.

Rules: Git gets an index of its own, so that a person's is left alone; what is stored are the bytes that are given, and
no file that stands anywhere; all other files stay as they are, also those that were left out of a clone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.git.author import Author
from reconciler.git.command import Git


def make_commit(
    git: Git, parent: str | None, changes: Mapping[str, bytes | None], message: str, signature: Author
) -> str:
    """Return a new commit, which no branch is moved to. Raises `GitError`, or OSError.

    Args:
        git: the repository.
        parent: the commit that it follows; None is the first of a branch.
        changes: by their paths in the tree, what files hold now; None removes one.
        message: its message.
        signature: who makes it.
    """
    with tempfile.TemporaryDirectory(prefix="reconcile-", dir=git.scratch) as directory:
        index = {"GIT_INDEX_FILE": str(Path(directory) / "index")}
        git.run("read-tree", parent or "--empty", more=index)
        contents = {path: data for path, data in changes.items() if data is not None}
        blobs = _store(git, list(contents.values()), Path(directory))
        nothing = "0" * len(parent or "")
        lines = [f"0 {nothing}\t{path}" for path, data in changes.items() if data is None]
        lines += [f"100644 {blob}\t{path}" for path, blob in zip(contents, blobs, strict=True)]
        listing = "".join(f"{line}\0" for line in lines).encode("utf-8", "surrogateescape")
        git.run("update-index", "-z", "--index-info", data=listing, more=index)
        tree = git.text("write-tree", "--missing-ok", more=index)
    parents = ["-p", parent] if parent else []
    return git.text("commit-tree", tree, *parents, "-F", "-", data=message.encode(), more=signature.environment())


def _store(git: Git, contents: Sequence[bytes], directory: Path) -> list[str]:
    """Store blobs, and return their names."""
    files = [directory / str(number) for number in range(len(contents))]
    for file, data in zip(files, contents, strict=True):
        file.write_bytes(data)
    names = "".join(f"{file}\n" for file in files).encode()
    return git.text("hash-object", "-w", "--no-filters", "--stdin-paths", data=names).split()
