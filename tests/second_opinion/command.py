"""The product as a process: its start, its end, its signals and its output."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.second_opinion.clock import Clock
from tests.second_opinion.snapshot import duration

GIVE_UP = 90.0
"""How many real seconds a command may run beyond its own time limits before it counts as hung.

On a busy machine, this is multiplied by `crowded()`.
"""

READS_ONLY = frozenset(
    {
        "plan",
        "get",
        "describe",
        "validate",
        "drift",
        "providers",
        "explain",
        "schema",
        "version",
        "wait",
        "set",
        "suspend",
        "unsuspend",
    }
)


def command() -> list[str]:
    """Return the command line of the product: RECONCILE_COMMAND, or the command that is installed with this Python."""
    if words := os.environ.get("RECONCILE_COMMAND"):
        return words.split()
    beside = Path(sys.executable).with_name("reconcile")
    found = str(beside) if beside.exists() else shutil.which("reconcile")
    assert found is not None, "reconcile is not installed"
    return [found]


@dataclass
class Run:
    """One run of the command: its time, exit code and output, and the files before and after."""

    args: tuple[str, ...]
    began: float
    env: dict[str, str] = field(default_factory=dict)
    ended: float = 0.0
    code: int | None = None
    out: str = ""
    err: str = ""
    killed: str | None = None
    signalled: float | None = None
    disturbed: bool = False
    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)
    first: int = 0
    last: int = 0
    plan: str = ""
    audit: str = ""
    unpublished: tuple[str, ...] = ()
    disk: float = 0.0
    crowd: float = 1.0

    @property
    def verb(self) -> str:
        """Return the verb; `watch` if there is none, `once` for --once."""
        if self.args and not self.args[0].startswith("-"):
            return self.args[0]
        return "once" if "--once" in self.args else "watch"

    @property
    def may_change(self) -> bool:
        """Return whether this command may request changes."""
        return self.verb not in READS_ONLY and "--dry-run" not in self.args

    def option(self, name: str) -> list[str]:
        """Return the values of an option."""
        spelled = [word.partition("=")[2] for word in self.args if word.startswith(f"{name}=")]
        return spelled + [value for word, value in zip(self.args, self.args[1:], strict=False) if word == name]

    @property
    def bounds(self) -> float:
        """Return the sum of `--wait` and `--timeout` in seconds."""
        return sum(duration(text) for name in ("--wait", "--timeout") for text in self.option(name))

    def __str__(self) -> str:
        """Return the command as a line of a transcript."""
        killed = f" {self.killed}" if self.killed else ""
        return f"reconcile {' '.join(self.args)} -> {self.code}{killed}"


class Process:
    """A running command. Its output is written to files, so that a full pipe never blocks it."""

    def __init__(self, args: tuple[str, ...], cwd: Path, env: dict[str, str], clock: Clock, scratch: Path) -> None:
        self._clock = clock
        self.run = Run(args, clock.now(), env)
        scratch.mkdir(parents=True, exist_ok=True)
        number = len(list(scratch.iterdir()))
        self._out, self._err = scratch / f"{number:03}.out", scratch / f"{number:03}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [*command(), *args], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    @property
    def alive(self) -> bool:
        """Return whether the process is running."""
        return self._process.poll() is None

    def signal(self, which: signal.Signals) -> None:
        """Send a signal, if the process is running."""
        if self.alive:
            self.run.killed, self.run.signalled = which.name, self._clock.now()
            self._process.send_signal(which)

    def end(self) -> Run:
        """Wait until the process ends, or kill it after a time limit. Return the run."""
        hung = False
        try:
            self._process.wait(self.run.bounds / self._clock.speed + GIVE_UP * crowded())
        except subprocess.TimeoutExpired:
            hung = True
            self._process.send_signal(signal.SIGABRT)  # with PYTHONFAULTHANDLER, it prints where it hangs
            wait_real(1)
            self._process.kill()
            self._process.wait(10)
        self.run.ended, self.run.crowd = self._clock.now(), crowded()
        self.run.code = None if hung else self._process.returncode
        self.run.out = self._out.read_text("utf-8", "replace")
        self.run.err = self._err.read_text("utf-8", "replace")
        return self.run


def crowded() -> float:
    """Return the factor by which time limits are extended, because the machine is busy."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def wait_real(seconds: float) -> None:
    """Wait for this many real seconds."""
    time.sleep(seconds)
