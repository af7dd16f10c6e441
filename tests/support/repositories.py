"""Git repositories for tests: a bare repository that every clone pushes to, and its clones."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ADA = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # After each commit and fetch, Git would check in another process whether to repack the repository, which takes
    # almost as long as the commit.
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "maintenance.auto",
    "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "gc.auto",
    "GIT_CONFIG_VALUE_1": "0",
}


@dataclass(frozen=True, slots=True)
class Clone:
    """A working tree, and the actions of a person in it."""

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
        """Commit everything but statuses and state, and return the commit."""
        self.git("add", "--all", "--", ":!specs/status", ":!cache")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def forge(
        self,
        message: bytes,
        *,
        author: bytes = b"Ada <ada@example.org>",
        date: bytes | None = None,
        more: bytes = b"",
        parents: Sequence[str] | None = None,
    ) -> str:
        """Commit everything but statuses with an object that is written byte by byte, and return the commit.

        Args:
            message: the complete message.
            author: the author and committer.
            date: the date of both, in the format of a commit object; None means now.
            more: further headers, each with its line break.
            parents: the parent commits; None means the checked-out commit.
        """
        self.git("add", "--all", "--", ":!specs/status", ":!cache")
        when = date or f"{int(time.time())} +0000".encode()
        above = [self.git("rev-parse", "HEAD")] if parents is None else parents
        lines = [f"tree {self.git('write-tree')}".encode(), *(f"parent {each}".encode() for each in above)]
        lines += [b"author %b %b" % (author, when), b"committer %b %b" % (author, when)]
        data = b"\n".join(lines) + b"\n" + more + b"\n" + message
        command = ["git", "hash-object", "-t", "commit", "--literally", "-w", "--stdin"]
        made = (
            subprocess.run(command, cwd=self.root, input=data, capture_output=True, check=True).stdout.decode().strip()
        )
        self.git("update-ref", "HEAD", made)
        return made

    def push(self) -> None:
        """Push the branch that is checked out."""
        self.git("push", "--quiet", "origin", "HEAD")

    def subjects(self, ref: str) -> list[str]:
        """Return the subject of each commit, the newest first."""
        return self.git("log", "--format=%s", ref).splitlines()

    def is_linear(self, ref: str) -> bool:
        """Return whether every commit has at most one parent."""
        return not self.git("rev-list", "--merges", ref)


def a_remote(root: Path) -> Path:
    """Return a new bare repository, which no push repacks."""
    root.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(root)], check=True)
    with (root / "config").open("a", encoding="utf-8") as config:
        config.write("[receive]\n\tautogc = false\n")
    return root


def a_clone(remote: Path, root: Path, *options: str) -> Clone:
    """Return a clone of a bare repository."""
    root.parent.mkdir(parents=True, exist_ok=True)
    command = ["git", "-c", "init.defaultBranch=main", "clone", "--quiet", *options, remote.as_uri(), str(root)]
    subprocess.run(command, check=True, capture_output=True)
    return Clone(root)
