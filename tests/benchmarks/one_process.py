"""One watch of a Git repository with sixty accounts: its costs while idle, and how many pushes a minute it can follow.

Each push is made after the cancel of the last one has arrived. The watch publishes a receipt before each request.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import number
from tests.benchmarks.watches import LOOSE, Watched, cpu_with_children_s, idle, wait_until_settled
from tests.benchmarks.world import ENDS_WITHIN_S, Hosted, Served, checkout_of, note, serving
from tests.support.cli import SERVED, SPEC, Checkout
from tests.support.markdown_table import table
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import wait_for
from tests.support.watch_process import watching

ACCOUNTS = 60
JOBS = 100
"""The number of jobs in each account. All of them run."""
PUSHES = 10
BRANCH = "statuses"
HEAD = (
    "Jobs",
    "Idle CPU, % of one core",
    "Idle requests per minute",
    "Memory, MiB",
    "Push to request, median, s",
    "CPU per push, s",
    "Pushes per minute that one core allows",
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A clone of the remote, in which a person edits the specs of the accounts."""

    clone: Clone
    remote: Path
    served: Served
    hosted: Sequence[Hosted]

    def cancel(self, account: str, job_id: str) -> float:
        """Push a commit that cancels a job, and wait until the request arrives. Return when the commit was pushed."""
        self._want(account, job_id, "cancelled")
        self.clone.commit(f"Cancel {job_id}")
        self.clone.push()
        pushed_at = time.monotonic()
        wait_for(lambda: job_id in self.served.arrivals()["cancels"], "the cancel arrives", ENDS_WITHIN_S)
        return pushed_at

    def begin(self) -> None:
        """Push the specs of all jobs, which should all continue."""
        for each in self.hosted:
            path = self.clone.root / "specs" / each.name
            path.mkdir(parents=True)
            text = SERVED.format(name=each.name, url=self.served.url(each.name))
            (path / "provider.yaml").write_text(text, encoding="utf-8")
            for job_id in each.ids:
                self._want(each.name, job_id, "observed")
        self.clone.commit("Observe all jobs")
        self.clone.push()

    def published(self) -> int:
        """Return the number of published statuses of jobs."""
        self.clone.git("fetch", "--quiet", "origin")
        if f"origin/{BRANCH}" not in self.clone.git("branch", "--remotes"):
            return 0
        names = self.clone.git("ls-tree", "-r", "--name-only", f"origin/{BRANCH}").splitlines()
        return sum(Path(name).name.startswith("ftjob-") for name in names)

    def _want(self, account: str, job_id: str, state: str) -> None:
        text = SPEC.format(name=job_id, provider=account, job_id=job_id, state=state)
        (self.clone.root / "specs" / account / f"{job_id}.yaml").write_text(text, encoding="utf-8")


def measure(root: Path, idle_s: float) -> str:
    """Run the benchmark, and return its table."""
    note(f"one process with {ACCOUNTS} accounts of {JOBS} jobs")
    with _watched(root) as (repository, watched):
        at_rest = idle(watched, idle_s, cpu_with_children_s)
        before, delays = cpu_with_children_s(watched.pid), []
        for account in repository.hosted[:PUSHES]:
            pushed_at = repository.cancel(account.name, account.ids[0])
            delays.append(repository.served.arrivals()["cancels"][account.ids[0]] - pushed_at)
        wait_until_settled(watched.pid)
        per_push_s = (cpu_with_children_s(watched.pid) - before) / PUSHES
    row = (at_rest.core_percent, at_rest.requests_per_minute, at_rest.memory_mib, median(delays), per_push_s)
    return table(HEAD, (f"{ACCOUNTS * JOBS:,}", *map(number, row), number(60 / per_push_s)))


@contextmanager
def _watched(root: Path) -> Iterator[tuple[Repository, Watched]]:
    hosted = [Hosted(f"a{at:02}", JOBS, JOBS) for at in range(ACCOUNTS)]
    remote = a_remote(root / "remote.git")
    with serving(*hosted) as served:
        repository = Repository(a_clone(remote, root / "author"), remote, served, hosted)
        repository.begin()
        checkout = _runner(root / "runner", served)
        options = ("--git-url", remote.as_uri(), "--git-poll", "1s", "--push", "--status-branch", BRANCH)
        with watching(checkout, *options, *LOOSE) as watch:
            wait_for(lambda: repository.published() == ACCOUNTS * JOBS, "each job has a status", ENDS_WITHIN_S)
            wait_until_settled(watch.process.pid)
            yield repository, Watched(hosted[0], served, checkout, watch.process.pid)
            watch.stop()


def _runner(root: Path, served: Served) -> Checkout:
    root.mkdir()
    return checkout_of(root, RECONCILE_TRUST=f"OPENAI_API_KEY=127.0.0.1:{served.port}")
