"""A command that runs to its end in the process of the test, with arguments, an environment and streams of its own.

A forked process takes 10 to 25 ms more, which is longer than most commands take. What one run leaves in the memory of
the product does not reach the next run: the secrets that it knows, and what it has read of this machine. Signals, a
terminal, a stream that the caller closed and the end of a process cannot be tested this way: a test of them uses
`Checkout.start`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager, suppress
from functools import _lru_cache_wrapper
from pathlib import Path
from types import FrameType
from typing import NoReturn

from reconciler import network_env, transport
from reconciler.cli import main, source_lines
from reconciler.cli.streams import BackgroundStream
from reconciler.redaction import KNOWN_SECRETS, Secrets
from tests.support.fork_server import BEFORE_PYTHON

ONCE = (*BEFORE_PYTHON, "TZ", "AWS_")
"""Prefixes of the environment variables that a process reads once. `botocore` also reads the home directory once."""
CHANGED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
"""The signals for which the product installs handlers, and the one that ends a run which takes too long."""
READ_THE_MACHINE = (source_lines, network_env, transport)
"""The modules that keep what they have read from files."""
WITHOUT_END = frozenset({"sandbox"})
"""The verbs that end at a signal. So does a watch, which has no verb."""


def can_run_here(arguments: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Return whether a command ends by itself, and whether nothing else runs in this process meanwhile."""
    verb = arguments[0] if arguments and not arguments[0].startswith("-") else None
    ends = "--once" in arguments or (verb is not None and verb not in WITHOUT_END)
    return ends and _is_alone() and not any(name.startswith(ONCE) for name in environ)


def _is_alone() -> bool:
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        return False
    return threading.current_thread() is threading.main_thread()


def run_here(
    arguments: Sequence[str], directory: Path, environ: Mapping[str, str], within_s: float
) -> tuple[int, str, str]:
    """Run one command, and return its exit code and output. Raises `TimeoutExpired` after `within_s` seconds."""
    with ExitStack() as stack:
        out, err = (stack.enter_context(_stream(name)) for name in ("stdout", "stderr"))
        stack.enter_context(chdir(directory))
        stack.enter_context(_variables(environ))
        stack.enter_context(_as_a_new_process(arguments))
        stack.enter_context(_within(within_s))
        code = main(list(arguments))
        for each in (out, err):
            each.flush()
        return code, out.text(), err.text()


class _Stream(BackgroundStream):
    """A stream to a file in memory, which needs no thread because its reader is never slow."""

    def queue(self, data: bytes) -> None:
        text = KNOWN_SECRETS.redact(data.decode(self.encoding, "surrogateescape"))
        os.write(self.fileno(), text.encode(self.encoding, "surrogateescape"))

    def text(self) -> str:
        with open(self.fileno(), "rb", closefd=False) as file:
            file.seek(0)
            return file.read().decode().replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def _stream(name: str) -> Iterator[_Stream]:
    descriptor = os.memfd_create(name)
    before = getattr(sys, name)
    setattr(sys, name, stream := _Stream(descriptor, "utf-8", None))
    try:
        yield stream
    finally:
        setattr(sys, name, before)
        stream.close()
        os.close(descriptor)


@contextmanager
def _variables(environ: Mapping[str, str]) -> Iterator[None]:
    before = {**os.environ}
    own = {name: before[name] for name in ("LC_CTYPE",) if name in before}
    os.environ.clear()
    os.environ.update({**own, **environ})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _as_a_new_process(arguments: Sequence[str]) -> Iterator[None]:
    argv, stdin, secrets = sys.argv, sys.stdin, {**vars(KNOWN_SECRETS)}
    vars(KNOWN_SECRETS).update(vars(Secrets()))
    for module in READ_THE_MACHINE:
        for each in vars(module).values():
            if isinstance(each, _lru_cache_wrapper):
                each.cache_clear()
    sys.argv = ["reconcile", *arguments]
    try:
        with Path(os.devnull).open(encoding="utf-8") as sys.stdin:
            yield
    finally:
        sys.argv, sys.stdin = argv, stdin
        vars(KNOWN_SECRETS).update(secrets)


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    def expire(_number: int, _frame: FrameType | None) -> NoReturn:
        raise subprocess.TimeoutExpired(sys.argv, seconds)

    handlers = {number: signal.getsignal(number) for number in CHANGED_SIGNALS}
    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
