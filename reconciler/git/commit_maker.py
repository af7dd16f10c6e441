"""Create a commit that changes some files of its parent, without a working tree.

Rules: Git uses a temporary index, so that the user's index is not changed. The given bytes are stored directly and not
read from a working tree. All other files stay unchanged, including those that a partial clone omits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.git.author import Author
from reconciler.git.command import Git


def make_commit(git: Git, parent: str | None, changes: Mapping[str, bytes | None], message: str, author: Author) -> str:
    """Create a commit, and return its id. No branch is moved.

    Raises `GitError` if Git fails, or `OSError` if a temporary file cannot be written.

    Args:
        git: the repository.
        parent: the parent commit, or None for the first commit of a branch.
        changes: the new content of each file, by its path in the tree. None removes the file.
        message: the commit message.
        author: the author and committer.
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
    return git.text("commit-tree", tree, *parents, "-F", "-", data=message.encode(), more=author.environment())


def _store(git: Git, contents: Sequence[bytes], directory: Path) -> list[str]:
    """Store blobs, and return their ids."""
    files = [directory / str(number) for number in range(len(contents))]
    for file, data in zip(files, contents, strict=True):
        file.write_bytes(data)
    names = "".join(f"{file}\n" for file in files).encode()
    return git.text("hash-object", "-w", "--no-filters", "--stdin-paths", data=names).split()
