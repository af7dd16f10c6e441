"""A module run as `python -m` runs it, in a process forked from a process that has imported the product.

A new interpreter needs 0.6 s for its imports, and 0.1 s to destroy the modules at its end, around a command that takes
0.1 s. Each run here is still a separate process, with the arguments, directory, environment, streams and exit code that
a new interpreter would have. The start and the end of the interpreter cannot be tested this way: a test of them starts
a new interpreter.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self, TextIO

from tests.support import forking_process
from tests.support.forking_process import ORDER_MAX

BEFORE_PYTHON = ("PYTHON", "LC_", "LANG", "LD_")
"""Prefixes of the environment variables that the interpreter or the linker reads at startup."""


@dataclass(frozen=True, slots=True)
class Order:
    """A module to run as the main program, with its arguments and environment."""

    module: str
    arguments: Sequence[str]
    directory: Path
    environ: Mapping[str, str]
    path: Sequence[str] = ()
    """Additional directories to import modules from, as in `PYTHONPATH`."""

    def packet(self) -> bytes | None:
        """Return the order as a packet, or None if only a new interpreter can run it."""
        if any(name.startswith(BEFORE_PYTHON) for name in self.environ):
            return None
        told = [self.module, [*self.arguments], str(self.directory), {**self.environ}, [*self.path]]
        packet = json.dumps(told).encode()
        return packet if len(packet) <= ORDER_MAX else None


class ForkedProcess:
    """A run. It has those methods of `subprocess.Popen` that the tests use. `stdout` and `stderr` are None or pipes."""

    def __init__(self, answer: int, stdout: int | None, stderr: int | None) -> None:
        self._answer = os.fdopen(answer, encoding="ascii")
        self.stdout = None if stdout is None else os.fdopen(stdout, encoding="utf-8")
        self.stderr = None if stderr is None else os.fdopen(stderr, encoding="utf-8")
        self.pid = int(self._answer.readline())
        self.returncode: int | None = None

    def __enter__(self) -> Self:
        """Return this run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the pipes, and wait for the end."""
        for pipe in self._pipes():
            pipe.close()
        self.wait()

    def poll(self) -> int | None:
        """Return the exit code, or None if the process has not ended."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and return the exit code. Raises `TimeoutExpired` after `timeout` seconds."""
        if self.returncode is None:
            if not select.select([self._answer], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            with self._answer:
                self.returncode = int(self._answer.read())
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read both pipes, wait for the end, and return what was read, or an empty text for any other stream.

        Raises `TimeoutExpired` after `timeout` seconds.
        """
        until = None if timeout is None else time.monotonic() + timeout
        told = {pipe.fileno(): bytearray() for pipe in self._pipes()}
        waiting = [*told]
        while waiting:
            ready, _, _ = select.select(waiting, [], [], until and max(0, until - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0, *map(bytes, told.values()))
            for each in ready:
                piece = os.read(each, 65_536)
                told[each] += piece
                if not piece:
                    waiting.remove(each)
        self.wait(until and max(0, until - time.monotonic()))
        text = {each: told[each].decode().replace("\r\n", "\n").replace("\r", "\n") for each in told}
        out, err = (text[pipe.fileno()] if pipe else "" for pipe in (self.stdout, self.stderr))
        self.__exit__()
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM, unless the process has ended."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL, unless the process has ended."""
        self.send_signal(signal.SIGKILL)

    def _pipes(self) -> list[TextIO]:
        return [pipe for pipe in (self.stdout, self.stderr) if pipe is not None]


class ForkServer:
    """The client: it starts the process that forks, and sends orders to it."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, forking_process.__file__, str(theirs.fileno())],
                cwd="/",
                env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def end(self) -> None:
        """End the process that forks."""
        self._orders.close()
        self._process.wait()

    def fileno(self) -> int:
        """Return the descriptor to which `tests.support.forked_command` sends its orders."""
        return self._orders.fileno()

    def start(
        self,
        packet: bytes,
        stdin: int | None = None,
        stdout: int | TextIO = subprocess.PIPE,
        stderr: int | TextIO = subprocess.PIPE,
    ) -> ForkedProcess:
        """Start the process that an order describes. The streams are given as to `subprocess.Popen`."""
        with ExitStack() as sent:
            read = 0 if stdin is None else _stream(stdin, sent)[0]
            (out, our_out), (err, our_err) = _stream(stdout, sent), _stream(stderr, sent)
            our_answer, answer = os.pipe()
            sent.callback(os.close, answer)
            socket.send_fds(self._orders, [packet], [read, out, err, answer])
        return ForkedProcess(our_answer, our_out, our_err)


def _stream(given: int | TextIO, sent: ExitStack) -> tuple[int, int | None]:
    """Return the stream of a process, and the client's end of a pipe or None. `sent` closes streams opened here."""
    if not isinstance(given, int):
        return given.fileno(), None
    if given not in {subprocess.PIPE, subprocess.DEVNULL}:
        return given, None
    ours, theirs = os.pipe() if given == subprocess.PIPE else (None, os.open(os.devnull, os.O_RDWR))
    sent.callback(os.close, theirs)
    return theirs, ours


@cache
def fork_server() -> ForkServer:
    """Return the client of this process, which is created once."""
    made = ForkServer()
    atexit.register(made.end)
    return made
