"""The product as its users run it: a directory of specs, and the commands in it.

`Checkout.run` runs a command to its end, in the process of the test if that is possible. `Checkout.start` starts a real
process. The environment of the test run is not inherited: a command gets exactly the variables of its checkout.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from reconciler.formats.status_parser import parse_status
from reconciler.model.status import JobStatus
from tests.support.fork_server import ForkedProcess, Order, fork_server
from tests.support.run_here import can_run_here, run_here

RECONCILE = tuple(shlex.split(os.environ.get("RECONCILE_COMMAND", ""))) or (sys.executable, "-m", "reconciler")
"""The command under test. `RECONCILE_COMMAND` names another build, to show that a test fails on an older build."""
COLD = "RECONCILE_COLD"
"""The variable that makes each run start its own interpreter. A long run of the tests sets it."""
ENDS_WITHIN_S = 30
Process = subprocess.Popen[str] | ForkedProcess
"""A command that was started."""
PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: {name}}}
spec:
  type: openai
  rateLimit: {{requestsPerSecond: 1000, burst: 1000, concurrency: {concurrency}}}
  {more}
"""
SERVED = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: {name}}}
spec:
  type: openai
  baseUrl: {url}
"""
"""A Provider document with the base URL of a server."""
WORLD = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: world}}
spec:
  type: sandbox
  options:
    jobs: [{jobs}]
"""
"""A Provider document of a sandbox with its own jobs."""
SPEC = """\
apiVersion: jobs.reconciler/v1
kind: FineTuningJob
metadata: {{name: {name}}}
spec:
  provider: {provider}
  jobId: {job_id}
  desiredState: {state}
"""
LOOSE = ("--max-cancels", "1000", "--max-cancels-absolute", "1000")
"""The options with which the guard allows all cancels of a test."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished command: its exit code and output."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """A directory of specs, and the environment of its user."""

    root: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    plugins: Sequence[Path] = ()
    """Directories with packages that are installed in addition to the product's own, as in `PYTHONPATH`."""

    @property
    def specs(self) -> Path:
        """The specs directory."""
        return self.root / "specs"

    @property
    def status_dir(self) -> Path:
        """The status directory."""
        return self.specs / "status"

    def write(self, file: str, text: str) -> None:
        """Write a file to the specs directory."""
        path = self.specs / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def name_provider(self, name: str = "main", more: str = "", *, concurrency: int = 8) -> None:
        """Write a Provider document of type `openai` with a high rate limit. `more` is a further line of its spec."""
        self.write(f"{name}.yaml", PROVIDER.format(name=name, more=more, concurrency=concurrency))

    def want(self, name: str, job_id: str, state: str = "cancelled", provider: str = "main") -> None:
        """Write the spec of one job, to a file with the spec's name."""
        self.write(f"{name}.yaml", SPEC.format(name=name, job_id=job_id, state=state, provider=provider))

    def copy_to(self, root: Path) -> Checkout:
        """Copy everything, including the state directory, and return the copy."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return replace(self, root=root)

    def run(self, *arguments: str, program: Sequence[str] = RECONCILE, **environ: str) -> Ran:
        """Run one command to its end: in this process, if it can. Raises `TimeoutExpired` after 30 s."""
        variables = {**_environment(self.root), **self.environ, **environ}
        if _is_warm(program) and not self.plugins and can_run_here(arguments, variables):
            return Ran(*run_here(arguments, self.root, variables, ENDS_WITHIN_S))
        pipe = subprocess.PIPE
        with self.start(*arguments, stdin=None, stdout=pipe, stderr=pipe, program=program, **environ) as process:
            return finished(process)

    def start(
        self,
        *arguments: str,
        stdin: int | None = None,
        stdout: int | TextIO = subprocess.PIPE,
        stderr: int | TextIO = subprocess.PIPE,
        program: Sequence[str] = RECONCILE,
        **environ: str,
    ) -> Process:
        """Start one command, and return its process. It is forked unless only a new interpreter can run it."""
        variables = {**_environment(self.root), **self.environ, **environ}
        if _is_warm(program):
            order = Order("reconciler", arguments, self.root, variables, [*map(str, self.plugins)])
            if packet := order.packet():
                return fork_server().start(packet, stdin, stdout, stderr)
        if self.plugins:
            variables["PYTHONPATH"] = os.pathsep.join(map(str, self.plugins))
        command = [*program, *arguments]
        return subprocess.Popen(
            command, cwd=self.root, env=variables, stdin=stdin, stdout=stdout, stderr=stderr, text=True
        )

    def status(self, name: str) -> JobStatus:
        """Return a job's status. Fails if its file is missing or unreadable."""
        return parse_status((self.status_dir / f"{name}.yaml").read_text(encoding="utf-8"))

    def traces(self) -> dict[str, tuple[bytes, int]]:
        """Return the bytes and the modification time of every spec and status file, by path."""
        return {
            str(path.relative_to(self.root)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in self.specs.rglob("*")
            if path.is_file()
        }


def run_crashing(checkout: Checkout, crash_before: int, *arguments: str) -> tuple[int, list[str]]:
    """Run a command that is killed before its n-th effect, or never if n is 0. Return its exit code and its effects."""
    log = checkout.root / "effects.log"
    environ = {**_environment(checkout.root), **checkout.environ}
    words = (str(crash_before), str(log), *arguments)
    order = Order(
        "tests.support.crashing_process", words, checkout.root, environ, path=[str(Path(__file__).parents[2])]
    )
    packet = order.packet()
    assert packet
    with fork_server().start(packet) as process:
        code = finished(process).code
    return code, log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def finished(process: Process, within_s: float = ENDS_WITHIN_S) -> Ran:
    """Wait for the end of a command, and return its result.

    A command that takes longer than `within_s` is killed, and `TimeoutExpired` is raised.
    """
    try:
        out, err = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Ran(process.wait(), out, err)


@contextmanager
def started_sandbox(root: Path, *arguments: str, key: str | None = None) -> Iterator[str]:
    """Run `reconcile sandbox` as a process. Yields its address, which ends in `/v1`. `key` is the key it accepts."""
    user = Checkout(root, {"KEY": key} if key else {})
    with user.start("sandbox", *arguments, *(["--api-key-env", "KEY"] if key else []), stderr=2) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            assert url, "the sandbox did not start"
            yield url
        finally:
            process.send_signal(signal.SIGTERM)


def _is_warm(program: Sequence[str]) -> bool:
    """Return whether a command need not start an interpreter of its own."""
    return program is RECONCILE and program[0] == sys.executable and COLD not in os.environ


def _environment(root: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(root), "XDG_CACHE_HOME": str(root / "cache")}


def two_running_jobs(root: Path) -> Checkout:
    """Return a checkout with the running jobs `costly`, which should be cancelled, and `kept`."""
    checkout = Checkout(root)
    jobs = "{id: ftjob-a, life: [{phase: running}]}, {id: ftjob-b, life: [{phase: running}]}"
    checkout.write("world.yaml", WORLD.format(jobs=jobs))
    checkout.want("costly", "ftjob-a", provider="world")
    checkout.want("kept", "ftjob-b", state="observed", provider="world")
    return checkout
