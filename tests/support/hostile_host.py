"""Runs the command many times: each run is a separate process, forked from a process that has imported all modules.

Run as a script by the interpreter whose `reconciler` is tested, it needs no other file of this repository. Each line
that it reads is an order, and each line that it writes is the result of an order. Modules that a run imported are
imported before the next run, and the validators of all documents are built before the first run.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel

LIMIT_S = 30
"""The limit of real time and of processor time for a run, in seconds."""
MEMORY_MAX = 4 * 1024**3
KILLED = 137


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished run: its exit code, output and peak memory."""

    code: int
    told: str
    memory: int
    """The peak memory, in bytes."""

    @property
    def is_cut_off(self) -> bool:
        """Whether a signal ended the run, as at its time limit."""
        return self.code == KILLED


class Host:
    """The client: it starts the process, and orders runs."""

    def __init__(self, program: Sequence[str]) -> None:
        clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [*program, str(Path(__file__))],
            cwd="/",
            env=clean,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        """Return the client. Its constructor has started the process."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the process, and wait for it."""
        self._process.communicate()

    def run(self, arguments: Sequence[str], directory: Path, environ: Mapping[str, str], log: Path) -> Ended:
        """Run the command once. Both streams go to a log, which is deleted afterwards."""
        order = {"arguments": [*arguments], "directory": str(directory), "environ": {**environ}, "log": str(log)}
        pipe, answers = self._process.stdin, self._process.stdout
        assert pipe is not None
        assert answers is not None
        pipe.write(f"{json.dumps(order)}\n")
        pipe.flush()
        answer = json.loads(answers.readline())
        told = log.read_text(encoding="utf-8", errors="surrogateescape")
        log.unlink()
        return Ended(answer["code"], told, answer["memory"])


def serve() -> None:
    """Execute orders until there are no more."""
    package = importlib.import_module("reconciler")
    for each in pkgutil.walk_packages(package.__path__, "reconciler."):
        if not each.name.endswith("__main__"):
            _import(each.name)
    models = BaseModel.__subclasses__()
    for model in models:
        models += model.__subclasses__()
        model.model_rebuild()
    for line in sys.stdin:
        print(json.dumps(_obey(json.loads(line))), flush=True)  # noqa: T201 - the client reads it


def _obey(order: Mapping[str, Any]) -> dict[str, int]:
    gc.freeze()
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.setsid()
        _run(order, writer)
    os.close(writer)
    status, memory = _wait(child)
    with os.fdopen(reader, encoding="utf-8") as learned:
        for name in learned.read().split():
            _import(name)
    return {"code": status, "memory": memory}


def _wait(child: int) -> tuple[int, int]:
    """Wait for a run until its time limit. Its child processes end with it."""

    def cut_off(*_: object) -> None:
        os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, cut_off)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    _, status, usage = os.wait4(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    return KILLED if code < 0 else code, usage.ru_maxrss * 1024


def _run(order: Mapping[str, Any], writer: int) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environ"])
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    sys.argv = ["reconcile", *order["arguments"]]
    before = set(sys.modules)
    code = 1
    try:
        code = importlib.import_module("reconciler.cli").main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os.write(writer, "\n".join(set(sys.modules) - before).encode()[:60_000])
        if sys.exc_info()[0] is not None:
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        os._exit(code)


def _import(name: str) -> None:
    with contextlib.suppress(Exception):
        importlib.import_module(name)


if __name__ == "__main__":
    serve()
