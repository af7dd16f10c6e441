"""Create commits that change some statuses of another commit, without a working tree.

Rules: Git uses a temporary index, so that the user's index is not changed. The given bytes are stored directly and not
read from a working tree. All other files stay unchanged, including those that a partial clone omits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.git.author import Author
from reconciler.git.command import Git
from reconciler.redaction import KNOWN_SECRETS


@dataclass(frozen=True, slots=True)
class CommitMaker:
    """Creates commits in a repository.

    Args:
        git: the repository.
        prefix: the path of the statuses in the tree. Empty for the whole tree.
        author: the author and committer.
        trailers: lines at the end of each commit message.
    """

    git: Git
    prefix: str
    author: Author
    trailers: tuple[str, ...] = ()

    def store(self, changes: Mapping[str, bytes | None]) -> dict[str, str | None]:
        """Store the new content of statuses, and return the id of each blob by path. None removes the status.

        Paths are relative to `prefix`. Raises `GitError` if Git fails, or `OSError` if a temporary file cannot be
        written.
        """
        contents = {path: data for path, data in changes.items() if data is not None}
        with tempfile.TemporaryDirectory(prefix="reconcile-", dir=self.git.scratch) as directory:
            files = [Path(directory) / str(number) for number in range(len(contents))]
            for file, data in zip(files, contents.values(), strict=True):
                file.write_bytes(data)
            names = "".join(f"{file}\n" for file in files).encode()
            blobs = self.git.text("hash-object", "-w", "--no-filters", "--stdin-paths", data=names).split()
        return {**dict.fromkeys(changes), **dict(zip(contents, blobs, strict=True))}

    def commit(self, parent: str | None, blobs: Mapping[str, str | None], message: str) -> str:
        """Create a commit, and return its id. No branch is moved.

        Raises `GitError` if Git fails, or `OSError` if a temporary file cannot be written.

        Args:
            parent: the parent commit, or None for the first commit of a branch.
            blobs: the id of the new content of each status, by path: see `store`.
            message: the commit message.
        """
        with tempfile.TemporaryDirectory(prefix="reconcile-", dir=self.git.scratch) as directory:
            index = {"GIT_INDEX_FILE": str(Path(directory) / "index")}
            self.git.run("read-tree", parent or "--empty", more=index)
            absent = f"0 {'0' * len(parent or '')}"
            above = f"{self.prefix}/" if self.prefix else ""
            # A removed file comes first, because a directory may take its place.
            in_order = sorted(blobs.items(), key=lambda each: each[1] is not None)
            modes = ((path, absent if blob is None else f"100644 {blob}") for path, blob in in_order)
            listing = "".join(f"{mode}\t{above}{path}\0" for path, mode in modes)
            data = listing.encode("utf-8", "surrogateescape")
            self.git.run("update-index", "-z", "--index-info", data=data, more=index)
            tree = self.git.text("write-tree", "--missing-ok", more=index)
        # GitHub reads the last paragraph as trailers.
        text = KNOWN_SECRETS.redact("\n\n\n".join(part for part in (message, "\n".join(self.trailers)) if part))
        parents = ["-p", parent] if parent else []
        environ = self.author.environment()
        return self.git.text("commit-tree", tree, *parents, "-F", "-", data=f"{text}\n".encode(), more=environ)
