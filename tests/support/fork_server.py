"""A module run as `python -m` runs it, in a process that is forked from one that has imported the product.

A new interpreter needs 0.6 s for its imports, before a command that takes 0.1 s. Each run here is still a separate
process, with the arguments, directory, environment, streams and exit code that a new interpreter would have. The
startup of the interpreter cannot be tested this way: such a test starts a new one.

Run as a script, this module is the process that forks. Each packet that it reads is an order, with the streams of the
run and a pipe for the results: a line with the process ID, then the exit code.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ORDER_MAX = 100_000
"""The maximum length of an order, in bytes. A packet may have twice as many."""
BEFORE_PYTHON = ("PYTHON", "LC_", "LANG", "LD_")
"""Prefixes of the environment variables that the interpreter or the linker reads at startup."""
_STREAMS = (("stdin", "r", "surrogateescape"), ("stdout", "w", "surrogateescape"), ("stderr", "w", "backslashreplace"))


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


class ForkServer:
    """The client: it starts the process that forks, and sends orders to it."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__)), str(theirs.fileno())],
                cwd="/",
                env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def end(self) -> None:
        """End the process that forks."""
        self._orders.close()
        self._process.wait()

    def run(self, packet: bytes, within_s: float) -> tuple[int, str, str]:
        """Run an order, and return its exit code, stdout and stderr. Raises `TimeoutExpired` if it takes longer."""
        with ExitStack() as stack:
            pipes = [os.pipe() for _ in range(3)]
            for reader, _ in pipes:
                stack.callback(os.close, reader)
            out, err, answer = (writer for _, writer in pipes)
            socket.send_fds(self._orders, [packet], [0, out, err, answer])
            for each in (out, err, answer):
                os.close(each)
            told = _read_all([reader for reader, _ in pipes], within_s)
        text = [each.decode().replace("\r\n", "\n").replace("\r", "\n") for each in told]
        return int(text[2].split()[1]), text[0], text[1]


@cache
def fork_server() -> ForkServer:
    """Return the client of this process, which is created once."""
    made = ForkServer()
    atexit.register(made.end)
    return made


def _read_all(readers: Sequence[int], within_s: float) -> list[bytes]:
    """Return the bytes that each pipe gets until its end. Kills a run that takes longer; raises `TimeoutExpired`."""
    told = {reader: bytearray() for reader in readers}
    deadline = time.monotonic() + within_s
    with selectors.DefaultSelector() as waiting:
        for reader in readers:
            waiting.register(reader, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(0, deadline - time.monotonic()))
            if not ready:
                os.kill(int(told[readers[-1]].split()[0]), signal.SIGKILL)
                raise subprocess.TimeoutExpired(sys.argv[:1], within_s, *(bytes(told[each]) for each in readers[:2]))
            for key, _ in ready:
                if piece := os.read(key.fd, 65_536):
                    told[key.fd] += piece
                else:
                    waiting.unregister(key.fd)
    return [bytes(told[reader]) for reader in readers]


def serve(orders: socket.socket) -> None:
    """Fork a process for each order until there are no more. Returns in a forked process that must run a module."""
    # Python may set this variable at startup (PEP 538), so the children of a new interpreter would inherit it.
    own = {"LC_CTYPE": os.environ["LC_CTYPE"]} if "LC_CTYPE" in os.environ else {}
    package = importlib.import_module("reconciler")
    for each in pkgutil.walk_packages(package.__path__, "reconciler."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)
    gc.collect()
    gc.freeze()
    keepers: set[int] = set()
    while True:
        packet, descriptors, *_ = socket.recv_fds(orders, 2 * ORDER_MAX, 4)
        keepers = {each for each in keepers if os.waitpid(each, 0 if not packet else os.WNOHANG)[0] == 0}
        if not packet:
            raise SystemExit
        if (keeper := os.fork()) == 0:
            *streams, answer = descriptors
            if (child := os.fork()) == 0:
                _become(json.loads(packet), own, streams)
                return
            _keep(child, streams, answer)
        keepers.add(keeper)
        for descriptor in descriptors:
            os.close(descriptor)


def _keep(child: int, streams: Sequence[int], answer: int) -> None:
    """Wait for a run, and report its exit code."""
    for stream in streams:
        os.close(stream)
    os.write(answer, f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    os.write(answer, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(order: Sequence[object], own: Mapping[str, str], streams: Sequence[int]) -> None:
    """Change this process into the one that an order describes."""
    module, arguments, directory, environ, path = order
    assert isinstance(arguments, list)
    assert isinstance(environ, dict)
    assert isinstance(path, list)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(len(streams), 1024)
    for number, (name, mode, errors) in enumerate(_STREAMS):
        file = open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115 - it stays open until the process ends
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # just made
    os.chdir(str(directory))
    os.environ.clear()
    os.environ.update({**own, **environ})
    time.tzset()
    sys.argv = [str(module), *arguments]
    sys.orig_argv = [sys.executable, "-m", str(module), *arguments]
    sys.path[:1] = [str(directory), *path]


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
