"""The environment of the benchmarks: the canned provider as a process, directories of specs, and timed commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.benchmarks import timed
from tests.benchmarks.canned_jobs import job_ids
from tests.benchmarks.canned_provider import Manner
from tests.benchmarks.figures import Used
from tests.support.cli import RECONCILE, SPEC, Checkout
from tests.support.markdown_table import ROOT

ENDS_WITHIN_S = 600
FEW = 5
"""The number of specs of a run whose cost counts as that of the start and the imports."""
ONE_IN, MIN_UNFINISHED = 10, 50
"""One job in `ONE_IN` still runs, but at least `MIN_UNFINISHED` jobs. The others succeeded, as in an old account."""
KEY = "sk-canned"
STATE = "state"


@dataclass(frozen=True, slots=True)
class Hosted:
    """One account of the canned provider: its jobs, how many of them are unfinished, and how it responds."""

    name: str
    jobs: int
    unfinished: int
    manner: Manner = Manner.AT_ONCE

    @property
    def word(self) -> str:
        """The argument of the provider that names the account."""
        return f"{self.name},{self.jobs},{self.unfinished},{self.manner.value}"

    @property
    def ids(self) -> list[str]:
        """The IDs of all jobs of the account."""
        return job_ids(self.name, self.jobs)


@dataclass(frozen=True, slots=True)
class Served:
    """A running canned provider."""

    port: int

    def url(self, account: str) -> str:
        """Return the address of an account, which ends in `/v1`."""
        return f"http://127.0.0.1:{self.port}/{account}/v1"

    def arrivals(self) -> dict[str, Any]:
        """Return the time of the first cancel of each job, by the monotonic clock, and the number of all requests."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/arrivals")
        told: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return told


@contextmanager
def serving(*accounts: Hosted) -> Iterator[Served]:
    """Run a canned provider with these accounts until the body ends."""
    command = [sys.executable, "-m", "tests.benchmarks.canned_provider", *(each.word for each in accounts)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        port = process.stdout.readline() if process.stdout else ""
        assert port.strip(), "the canned provider did not start"
        try:
            yield Served(int(port))
        finally:
            if process.stdin:
                process.stdin.close()


def observing(root: Path, served: Served, account: Hosted, provider: str = "openai") -> Checkout:
    """Return a directory with a spec of desired state `observed` for each job of an account, and no other document."""
    checkout = checkout_of(root, OPENAI_BASE_URL=served.url(account.name))
    write_specs(checkout, account, provider)
    return checkout


def checkout_of(root: Path, **environ: str) -> Checkout:
    """Return a directory with a key and a state directory. All settings have their defaults."""
    return Checkout(root, {"OPENAI_API_KEY": KEY, "RECONCILE_STATE_DIR": str(root / STATE), **environ})


@dataclass(frozen=True, slots=True)
class Fleet:
    """An account with many jobs and one with a few, both served, and the directories with their specs."""

    served: Served
    many: Hosted
    few: Hosted
    large: Checkout
    small: Checkout


@contextmanager
def fleet(root: Path, size: int) -> Iterator[Fleet]:
    """Serve this many jobs, of which one in `ONE_IN` still runs, with a spec for each."""
    many, few = Hosted("m", size, max(MIN_UNFINISHED, size // ONE_IN)), Hosted("f", FEW, 1)
    with serving(many, few) as served:
        large, small = observing(root / "many", served, many), observing(root / "few", served, few)
        yield Fleet(served, many, few, large, small)


def write_specs(checkout: Checkout, account: Hosted, provider: str, state: str = "observed") -> None:
    """Write a spec for each job of an account, in a file of its own with the name of the job."""
    checkout.specs.mkdir(parents=True, exist_ok=True)
    for job_id in account.ids:
        text = SPEC.format(name=job_id, provider=provider, job_id=job_id, state=state)
        (checkout.specs / f"{job_id}.yaml").write_text(text, encoding="utf-8")


def forget(checkout: Checkout) -> None:
    """Move the statuses and the state directory away, so that the next run is cold.

    They are not removed, because ext4 creates files more slowly in the seconds after it has removed many.
    """
    past = new_directory(checkout, "past")
    for directory in (checkout.status_dir, checkout.root / STATE):
        if directory.exists():
            directory.rename(past / directory.name)


def new_directory(checkout: Checkout, name: str) -> Path:
    """Return a new empty directory in a checkout, whose name begins with `name`."""
    return Path(mkdtemp(prefix=f"{name}-", dir=checkout.root))


def run_timed(command: Sequence[str], checkout: Checkout, *, expected: int = 0) -> Used:
    """Run a command to its end, and return the resources that it used. Fails if its exit code is not `expected`."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(checkout.root), "XDG_CACHE_HOME": str(checkout.root / "cache")}
    with subprocess.Popen(
        [sys.executable, "-I", "-S", timed.__file__, *command],
        cwd=checkout.root,
        env={**environ, **checkout.environ},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            told, _ = process.communicate(timeout=ENDS_WITHIN_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    used = json.loads(told)
    assert used["code"] == expected, f"{' '.join(command[1:])} ended with {used['code']}"
    return Used(used["wall_s"], used["cpu_s"], used["peak_mib"])


def ours(*arguments: str) -> list[str]:
    """Return a command line of `reconcile`."""
    return [*RECONCILE, *arguments]


def peer(module: str, *arguments: str) -> list[str]:
    """Return the command line of a peer, which is a script beside this one."""
    return [sys.executable, str(Path(__file__).with_name(f"{module}.py")), *arguments]


def note(text: str) -> None:
    """Print on standard error what is being measured."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
