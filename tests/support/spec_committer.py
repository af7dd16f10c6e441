"""A person who commits specs to a branch while runs push statuses to it, and the check that no commit is lost."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cli import Checkout
from tests.support.repositories import Clone
from tests.support.sandbox_client import Sandbox


@dataclass(slots=True)
class SpecCommitter:
    """Commits and pushes specs. `pushed` has the commits that arrived, and `pushes` counts the attempts."""

    checkout: Checkout
    clone: Clone
    sandbox: Sandbox
    jobs: list[str] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)
    pushes: int = 0

    def work(self) -> None:
        """Request one more cancel. Every third job is first observed, and cancelled two commits later."""
        number = len(self.jobs)
        self.jobs += self.sandbox.create(1)
        self.checkout.want(f"job-{number}", self.jobs[number], "cancelled" if number % 3 else "observed")
        if number % 3 == 2:
            self.checkout.want(f"job-{number - 2}", self.jobs[number - 2])
        self.clone.commit(f"Want job {number}")
        self.push()

    def push(self) -> None:
        """Push the local commits, rebased on those that others pushed. Repeat this until the push is accepted."""
        count = len(self.pushed)
        while len(self.pushed) == count:
            self.pushes += 1
            self.clone.git("pull", "--quiet", "--rebase", "origin", "main")
            try:
                self.clone.push()
            except subprocess.CalledProcessError:
                continue
            self.pushed.append(self.clone.git("rev-parse", "HEAD"))

    def lost(self) -> list[str]:
        """Return the committer's commits that are missing on the remote's branch."""
        self.clone.git("fetch", "--quiet", "origin")
        history = self.clone.git("rev-list", "--first-parent", "origin/main").split()
        return [commit for commit in self.pushed if commit not in history]


def forced(remote: Path, branch: str) -> list[tuple[str, str]]:
    """Return each move of a remote's branch to a commit that is not a descendant of the previous commit.

    The remote must have logged how its branches moved: `core.logAllRefUpdates` is `always`.
    """
    log = (remote / "logs" / "refs" / "heads" / branch).read_text(encoding="utf-8")
    moves = [(line[:40], line[41:81]) for line in log.splitlines()][1:]
    return [(one, other) for one, other in moves if Clone(remote).git("merge-base", one, other) != one]


def until(moment: float, work: Callable[[], None], rest_s: float) -> None:
    """Repeat an action until a time of the monotonic clock, with a rest of `rest_s` seconds after each."""
    while time.monotonic() < moment:
        work()
        time.sleep(rest_s)
