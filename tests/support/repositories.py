"""Git repositories to try things in: a bare one that everybody pushes to, and clones of it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ADA = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True, slots=True)
class Clone:
    """A working tree, and what a person does in it."""

    root: Path

    def git(self, *arguments: str, **environ: str) -> str:
        """Run Git as Ada, and return what it prints."""
        ran = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root), **ADA, **environ},
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout.rstrip("\n")

    def commit(self, message: str) -> str:
        """Commit everything but statuses, and return the commit."""
        self.git("add", "--all", "--", ":!specs/status")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self) -> None:
        """Push the branch that is checked out."""
        self.git("push", "--quiet", "origin", "HEAD")

    def subjects(self, ref: str) -> list[str]:
        """Return the subject of each commit, the newest first."""
        return self.git("log", "--format=%s", ref).splitlines()

    def is_linear(self, ref: str) -> bool:
        """Whether no commit has two parents."""
        return not self.git("rev-list", "--merges", ref)


def a_remote(root: Path) -> Path:
    """Return a new bare repository."""
    root.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(root)], check=True)
    return root


def a_clone(remote: Path, root: Path, *options: str) -> Clone:
    """Return a clone of a bare repository."""
    root.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", *options, remote.as_uri(), str(root)], check=True, capture_output=True)
    clone = Clone(root)
    clone.git("symbolic-ref", "HEAD", "refs/heads/main")
    return clone
