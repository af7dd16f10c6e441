"""The author of the specs: more and more jobs should be cancelled, and other specs are edited too."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from tests.cluster_run.cluster import BRANCH
from tests.cluster_run.provider import Provider, job_ids
from tests.support.cli import SERVED, SPEC
from tests.support.repositories import Clone

CANCELS_MAX = 8
"""The maximum number of cancels in one commit."""
NO_MATCH = 1
"""The exit code of `git grep` if no file matches."""
EVERY_S = (2.0, 6.0)
"""The shortest and the longest time between two commits."""


@dataclass(slots=True)
class Author:
    """The author of all specs. `wanted_at` is when the cancel of a job was pushed, in monotonic seconds, by its id."""

    clone: Clone
    rng: random.Random
    accounts: Sequence[str]
    jobs: int
    wanted_at: dict[str, float] = field(default_factory=dict)
    commits: int = 0
    _others: list[tuple[str, str]] = field(default_factory=list)
    """The account and the id of each job that should not be cancelled."""

    def begin(self, provider: Provider) -> None:
        """Push the specs of all jobs, which should all continue."""
        for account in self.accounts:
            self._write(account, SERVED.format(name=account, url=provider.address(account)))
            for job_id in job_ids(account, self.jobs):
                self._others.append((account, job_id))
                self._want(account, job_id, "observed")
        self.rng.shuffle(self._others)
        self._push("Observe all jobs")

    def work(self, stop: Event) -> None:
        """Push commits until `stop` is set, as long as half of the jobs should continue."""
        least = len(self._others) // 2
        while not stop.wait(self.rng.uniform(*EVERY_S)) and len(self._others) > least:
            self.edit()

    def edit(self) -> None:
        """Push one commit that wants some jobs to be cancelled, and that edits the spec of another job."""
        chosen = [self._others.pop() for _ in range(self.rng.randint(1, CANCELS_MAX))]
        for account, job_id in chosen:
            self._want(account, job_id, "cancelled")
        self._want(*self._others[0], "observed", f", labels: {{edit: {self.commits}}}")
        self._push(f"Cancel {len(chosen)} jobs")
        self.wanted_at.update(dict.fromkeys((job_id for _, job_id in chosen), time.monotonic()))

    def cancelled(self) -> set[str]:
        """Return the names of the specs whose published status says that a cancel was confirmed."""
        self.clone.git("fetch", "--quiet", "origin")
        try:
            listed = self.clone.git("grep", "--files-with-matches", "outcome: cancelled", f"origin/{BRANCH}")
        except subprocess.CalledProcessError as error:
            if error.returncode != NO_MATCH:
                raise
            return set()
        return {Path(each).stem for each in listed.splitlines()}

    def statuses(self) -> set[str]:
        """Return the names of all published statuses of jobs."""
        listed = self.clone.git("ls-tree", "-r", "--name-only", f"origin/{BRANCH}")
        return {Path(each).stem for each in listed.splitlines()} & self.names()

    def has_published_all(self) -> bool:
        """Return whether each job has a published status."""
        self.clone.git("fetch", "--quiet", "origin")
        is_pushed = f"origin/{BRANCH}" in self.clone.git("branch", "--remotes")
        return is_pushed and self.statuses() == self.names()

    def names(self) -> set[str]:
        """Return the names of all specs of jobs, which are the ids of the jobs."""
        return {job_id for account in self.accounts for job_id in job_ids(account, self.jobs)}

    def _want(self, account: str, job_id: str, state: str, more: str = "") -> None:
        text = SPEC.format(name=job_id, provider=account, job_id=job_id, state=state)
        self._write(f"{account}/{job_id}", text.replace(f"name: {job_id}}}", f"name: {job_id}{more}}}"))

    def _write(self, name: str, text: str) -> None:
        path = self.clone.root / "specs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _push(self, message: str) -> None:
        self.clone.commit(message)
        self.clone.push()
        self.commits += 1
