"""Replicas of one watch, which elect their leader. Each knows only the URL of the specs, and has its own state."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli import LOOSE, RECONCILE, Checkout, Process
from tests.support.processes import a_free_port
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

BRANCH = "statuses"
LEADS_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica as a process that listens on a port."""

    process: Process
    log: Path
    port: int

    def said(self) -> list[str]:
        """Return the messages of the log so far."""
        return [json.loads(line)["message"] for line in self.log.read_text(encoding="utf-8").splitlines()]

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the text of a response of the port."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    @property
    def is_leader(self) -> bool:
        """Whether the metrics of the replica say that it leads."""
        return any(line.startswith("reconcile_is_leader") and line.endswith(" 1.0") for line in self.lines())

    def lines(self) -> list[str]:
        """Return the lines of its metrics."""
        return self.get("/metrics")[1].splitlines()


@dataclass(frozen=True, slots=True)
class Team:
    """The remote of the specs, an author's clone of it, and what is needed to start replicas."""

    root: Path
    remote: Path
    clone: Clone
    author: Checkout
    sandbox: Sandbox
    stack: ExitStack

    def start(self, name: str, *options: str, program: Sequence[str] = RECONCILE, **environ: str) -> Replica:
        """Start a replica with a state directory of its own, and wait until it watches."""
        runner = Checkout(self.root / name, self.author.environ)
        runner.root.mkdir(exist_ok=True)
        pushed = ("--git-url", self.remote.as_uri(), "--git-poll", "1s", "--push", "--status-branch", BRANCH)
        state = ("--state-dir", str(runner.root / "state"))
        return started_replica(runner, name, self.stack, *pushed, *state, *options, program=program, **environ)

    def want(self, *names: str) -> list[str]:
        """Push specs that request the cancel of new jobs, and return the ids of the jobs."""
        ids = self.sandbox.create(len(names))
        for name, job_id in zip(names, ids, strict=True):
            self.author.want(name, job_id)
        self.clone.commit(f"Stop {', '.join(names)}")
        self.clone.push()
        return ids

    def is_cancelled(self, *ids: str) -> bool:
        """Return whether these jobs are cancelled, and their cancels are published as confirmed."""
        texts = [text for text in self.statuses().values() if "outcome: cancelled" in text]
        return all(self.sandbox.phase(each) == "cancelled" for each in ids) and len(texts) >= len(ids)

    def statuses(self) -> Mapping[str, str]:
        """Return the text of each published status of a job, by its name."""
        self.clone.git("fetch", "--quiet", "origin")
        if f"origin/{BRANCH}" not in self.clone.git("branch", "--remotes"):
            return {}
        files = self.clone.git("ls-tree", "-r", "--name-only", f"origin/{BRANCH}").split()
        return {Path(each).stem: self.clone.git("show", f"origin/{BRANCH}:{each}") for each in files}


def started_replica(
    runner: Checkout, name: str, stack: ExitStack, *options: str, program: Sequence[str] = RECONCILE, **environ: str
) -> Replica:
    """Start a replica, and wait until it watches. If it still runs when the stack is closed, it is killed."""
    port = a_free_port()
    arguments = ("--listen", f"127.0.0.1:{port}", *LOOSE, *options)
    watch = stack.enter_context(watching(runner, *arguments, name=name, program=program, **environ))
    return Replica(watch.process, watch.log, port)


def leader_of(*replicas: Replica) -> Replica:
    """Wait until exactly one replica leads, and return it."""
    wait_for(lambda: sum(each.is_leader for each in replicas) == 1, "one replica leads", LEADS_WITHIN_S)
    return next(each for each in replicas if each.is_leader)


@contextmanager
def a_team(root: Path, sandbox: Sandbox) -> Iterator[Team]:
    """Yield a remote with the specs of one account. Replicas that are still running are killed at the end."""
    remote = a_remote(root / "remote.git")
    clone = a_clone(remote, root / "author")
    author = Checkout(clone.root, sandbox.environ)
    author.name_provider()
    clone.commit("Write a provider")
    clone.push()
    with ExitStack() as stack:
        yield Team(root, remote, clone, author, sandbox, stack)
