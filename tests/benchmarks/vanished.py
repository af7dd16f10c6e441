"""`python -m tests.benchmarks.vanished`: the cost of many jobs that vanish at once, and a cancel's delay meanwhile.

An account has many jobs, each with a spec that observes it. A part of them is gone at the next observation. A spec
requests the cancel of one remaining job: before a pass begins, and during the first observation of a watch. The account
has the default rate limit. `--build NAME=COMMAND` adds another build to the table, and may be repeated.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World
from tests.support.cli import COLD, RECONCILE, Checkout
from tests.support.sandbox_client import STEP_S, Sandbox
from tests.support.sandbox_server import serve

NOT_FOUND = 404
JOBS = "/v1/fine_tuning/jobs"
ENDS_WITHIN_S = 30


@dataclass(frozen=True, slots=True)
class Answered:
    """A request with its response, and the time of its arrival by the monotonic clock."""

    at: float
    method: str
    path: str
    status: int


@dataclass(slots=True)
class Account:
    """A provider with these jobs, which can lose some of them."""

    ids: Sequence[str]
    app: ASGIApp = field(init=False)
    answered: list[Answered] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Create the application with all jobs."""
        self.lose(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request from the current world, and record it."""
        at = time.monotonic()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.answered.append(Answered(at, scope["method"], scope["path"], message["status"]))
            await send(message)

        await self.app(scope, receive, noting)

    def lose(self, number: int) -> None:
        """Lose this many jobs, the first ones, and clear the record of requests."""
        jobs = [{"id": each, "age": "5h", "life": [{"phase": "running"}]} for each in self.ids[number:]]
        self.app = create_app(World(SandboxOptions.model_validate({"jobs": jobs}), now()), now)
        self.answered = []

    def cancelled_at(self) -> float | None:
        """Return the time at which the first cancel arrived, or None."""
        return next((each.at for each in self.answered if each.method == "POST"), None)

    def has_missed_one(self) -> bool:
        """Return whether a request for a lost job has arrived."""
        return any(each.status == NOT_FOUND for each in self.answered)


@dataclass(frozen=True, slots=True)
class Waited:
    """How long a cancel waited, and the requests before it."""

    lists: int
    retrieves: int
    seconds: float | None
    """The time from the edit of the spec to the cancel request, or None if none was sent within the time limit."""
    ended: str


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


@contextmanager
def an_account(root: Path, jobs: int, gone: int, program: Sequence[str]) -> Iterator[tuple[Account, Checkout]]:
    """Serve this many jobs, observe all of them in one pass, and lose `gone` of them."""
    account = Account([f"ftjob-{number:05}" for number in range(jobs)])
    with serve(account) as url:
        checkout = Checkout(root, Sandbox(url).environ)
        for job_id in account.ids:
            checkout.want(job_id, job_id, "observed", provider="openai")
        with checkout.start("--once", stdin=None, program=program, stderr=subprocess.DEVNULL) as process:
            process.communicate()
        account.lose(gone)
        yield account, checkout


def by_a_pass(account: Account, checkout: Checkout, program: Sequence[str], bound_s: float) -> Waited:
    """Request the cancel, and make a pass of at most `bound_s` seconds."""
    wanted, begun = account.ids[-1], time.monotonic()
    checkout.want(wanted, wanted, provider="openai")
    with checkout.start("--once", stdin=None, program=program, stderr=subprocess.DEVNULL) as process:
        try:
            process.communicate(timeout=bound_s)
            ended = f"exit {process.returncode} after {time.monotonic() - begun:.1f} s"
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=ENDS_WITHIN_S)
            ended = f"stopped after {bound_s:.0f} s"
    return waited(account, begun, ended)


def beside_a_watch(account: Account, checkout: Checkout, program: Sequence[str], bound_s: float) -> Waited:
    """Start a watch, and request the cancel once its first observation has requested a lost job."""
    with checkout.start(stdin=None, program=program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_at_most(bound_s, account.has_missed_one)
        wanted, begun = account.ids[-1], time.monotonic()
        checkout.want(wanted, wanted, provider="openai")
        wait_at_most(bound_s, account.cancelled_at)
        found = waited(account, begun, "stopped then")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=ENDS_WITHIN_S)
    return found


def waited(account: Account, begun: float, ended: str) -> Waited:
    """Return the number of requests, and the time from the edit to the cancel."""
    asked, left_at = [each.path for each in account.answered if each.method == "GET"], account.cancelled_at()
    return Waited(asked.count(JOBS), len(asked) - asked.count(JOBS), left_at and left_at - begun, ended)


def wait_at_most(seconds: float, what: Callable[[], object]) -> None:
    """Return once the condition holds, or after this many seconds."""
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(STEP_S)


WAYS: dict[str, Callable[[Account, Checkout, Sequence[str], float], Waited]] = {
    "a pass": by_a_pass,
    "beside a watch": beside_a_watch,
}


def measure(builds: Mapping[str, Sequence[str]], jobs: int, gone: int, bound_s: float) -> Table:
    """Return the table, with a row for each build and each way."""
    table = Table("build", "way", "lists", "retrieves", "edit to cancel", "ended", title=f"{gone} of {jobs} gone")
    for name, program in builds.items():
        for way, run in WAYS.items():
            with tempfile.TemporaryDirectory() as root, an_account(Path(root), jobs, gone, program) as (account, place):
                found = run(account, place, program, bound_s)
            left = "never" if found.seconds is None else f"{found.seconds:.1f} s"
            table.add_row(name, way, str(found.lists), str(found.retrieves), left, found.ended)
    return table


def main() -> None:
    """Run the benchmark, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.vanished", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000, help="number of jobs in the account")
    parser.add_argument("--gone", type=int, default=600, help="number of jobs that vanish")
    parser.add_argument("--bound-s", type=float, default=900, help="maximum wait for a cancel, in seconds")
    parser.add_argument(
        "--build", action="append", default=[], metavar="NAME=COMMAND", help="a build to measure (default: this one)"
    )
    given = parser.parse_args()
    os.environ[COLD] = "1"
    pairs = [each.split("=", 1) for each in given.build]
    builds: dict[str, Sequence[str]] = {name: shlex.split(command) for name, command in pairs}
    Console().print(measure(builds or {"this": RECONCILE}, given.jobs, given.gone, given.bound_s))


if __name__ == "__main__":
    main()
