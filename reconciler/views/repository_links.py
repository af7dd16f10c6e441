"""The addresses of a repository on its host, for the links in a Markdown text."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryLinks:
    """The repository, the commit and the run of a CI job.

    Args:
        base: the address before `/commit/SHA` and `/blob/SHA/PATH`.
        commit: the full ID of the commit that the run is for.
        head: if the run is for a merge of a proposed commit with its base branch, the ID of the proposed commit.
        run: the name of the run, such as `run 88`.
        run_url: the address of the run.
    """

    base: str
    commit: str
    head: str | None
    run: str
    run_url: str

    def knows(self, commit: str | None) -> bool:
        """Return whether the repository is known to contain this commit."""
        return commit is not None and commit in (self.commit, self.head)

    def commit_url(self, commit: str) -> str:
        """Return the address of a commit."""
        return f"{self.base}/commit/{commit}"

    def file_url(self, commit: str, path: str, line: int | None) -> str:
        """Return the address of a file in a commit, and of its line unless that is None.

        Args:
            commit: the full ID of the commit.
            path: the path of the file from the top of the repository.
            line: the number of the line, from 1.
        """
        return f"{self.base}/blob/{commit}/{quote(path)}{f'#L{line}' if line is not None else ''}"
