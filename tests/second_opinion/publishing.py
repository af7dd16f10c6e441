"""Where statuses are published: nowhere, in commits of the checkout, or on a branch of their own of a remote.

The remote is a bare repository beside the checkout. The product uses it through a link that can be removed, and through
a `git` that can be slow or be killed. The user and the judge always have access to it.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

MODES = ("plain", "plain", "plain", "ignored", "ignored", "commit", "push", "branch", "branch", "remote", "remote")
"""`plain`: no Git. `ignored`: Git ignores the statuses. `remote`: the product gets only the address of the remote."""

BRANCH = "reconcile-status"
SLOW_GIT = """#!/bin/sh
case " $* " in
*" fetch "*|*" push "*|*" ls-remote "*) {what} ;;
esac
exec {git} "$@"
"""
TORN = '{git} "$@" & p=$!; sleep {after}; kill -9 $p 2>/dev/null && exit 137; wait $p; exit $?'


class Remote:
    """The remote of a session: the options with which the product uses it, its contents, and its faults."""

    def __init__(self, root: Path, mode: str) -> None:
        self.mode = mode
        self._bare = root.parent / "origin.git"
        self._link = root.parent / "origin"
        self._bin = root.parent / "slow-bin"
        self._readable = root.parent / "read-statuses"
        self.is_away = False
        self.is_slow = False
        if self.is_there:
            run_git(root.parent, "init", "-q", "--bare", "-b", "main", str(self._bare))
            self._link.symlink_to(self._bare)

    @property
    def is_there(self) -> bool:
        """Return whether the session has a remote."""
        return self.mode in ("push", "branch", "remote")

    @property
    def has_own_branch(self) -> bool:
        """Return whether statuses are on a branch of their own."""
        return self.mode in ("branch", "remote")

    @property
    def is_well(self) -> bool:
        """Return whether the remote is reachable and fast."""
        return not self.is_away and not self.is_slow

    @property
    def address(self) -> str:
        """Return the path that the user pushes to."""
        return str(self._bare)

    @property
    def link(self) -> str:
        """Return the path that the product fetches from and pushes to."""
        return str(self._link)

    def options(self) -> list[str]:
        """Return the options with which a pass or a watch publishes."""
        own = ["--push", "--status-branch", BRANCH]
        by_mode = {
            "commit": ["--commit"],
            "push": ["--push"],
            "branch": own,
            "remote": ["--git-url", f"file://{self._link}", "--git-poll=5s", *own],
        }
        return by_mode.get(self.mode, [])

    def reading(self) -> list[str]:
        """Return the options with which a command reads the published statuses: from a fresh copy of their branch."""
        if not self.has_own_branch:
            return []
        statuses = self.published()
        for path, data in statuses.items():
            target = self._readable / path.removeprefix("status/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        self._readable.mkdir(exist_ok=True)
        kept = {self._readable / path.removeprefix("status/") for path in statuses}
        for file in self._readable.rglob("*.yaml"):
            if file not in kept:
                file.unlink()
        return ["--status-dir", str(self._readable)]

    def leave(self) -> None:
        """Make the remote unreachable for the product."""
        if self.is_there and not self.is_away:
            self._link.unlink()
            self.is_away = True

    def be_slow(self, what: str) -> None:
        """Replace `git` by a script that runs the shell command `what` before each fetch, push and `ls-remote`."""
        self._bin.mkdir(exist_ok=True)
        wrapper = self._bin / "git"
        wrapper.write_text(SLOW_GIT.format(what=what, git=_path_of_git()))
        wrapper.chmod(0o755)
        self.is_slow = True

    def be_torn(self, after: float) -> None:
        """Let each Git command that contacts the remote be killed after this many seconds."""
        self.be_slow(TORN.format(git=_path_of_git(), after=after))

    def recover(self) -> None:
        """Make the remote reachable and fast again."""
        if self.is_away:
            self._link.symlink_to(self._bare)
        self.is_away = self.is_slow = False

    def path(self) -> str:
        """Return the PATH of the product's commands."""
        return f"{self._bin}:{os.environ['PATH']}" if self.is_slow else os.environ["PATH"]

    def published(self) -> dict[str, bytes]:
        """Return the statuses on the remote, by path below the specs directory."""
        if not self.is_there:
            return {}
        return tree(self._bare, BRANCH if self.has_own_branch else "main:specs/status")


def tree(repository: Path, rev: str) -> dict[str, bytes]:
    """Return the statuses in a tree of a repository, by path. Without such a tree, return none."""
    done = subprocess.run(
        ["git", "archive", "--format=tar", rev], cwd=repository, env=quiet_git({}), check=False, capture_output=True
    )
    if done.returncode != 0:
        return {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        found = [(member.name, archive.extractfile(member)) for member in archive.getmembers() if member.isfile()]
        return {f"status/{name}": file.read() for name, file in found if file is not None}


def quiet_git(more: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which Git reads only the settings of its repository."""
    return {"PATH": os.environ["PATH"], "HOME": "/", "GIT_CONFIG_GLOBAL": os.devnull, **more}


def run_git(where: Path, *words: str, check: bool = True, more: Mapping[str, str] | None = None) -> str:
    """Run Git in a directory, and return its standard output. Unless `check` is False, a failure of Git is an error."""
    done = subprocess.run(
        ["git", *words], cwd=where, env=quiet_git(more or {}), check=False, capture_output=True, text=True
    )
    assert not check or done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout


def _path_of_git() -> str:
    return next(path for folder in os.environ["PATH"].split(":") if os.access(path := f"{folder}/git", os.X_OK))
