"""The process that forks, run as a script by `tests.support.fork_server`.

Each packet that it reads is an order, with the streams of the run and a pipe for the results: a line with the process
ID, then the exit code.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import _lru_cache_wrapper
from pathlib import Path

from pydantic import BaseModel

NEVER_RUN = frozenset({"__main__", "testing"})
"""The modules and packages of the product that no command imports. The contract tests import pytest."""
ORDER_MAX = 100_000
"""The maximum length of an order, in bytes. A packet may be twice as long."""
IMPORTED_WHEN_USED = (
    "anyio._backends._asyncio",
    "certifi",
    "dateutil.parser",
    "encodings.idna",
    "google.auth.transport.requests",
    "httpcore",
    "jmespath",
    "uvicorn.lifespan.off",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)
"""The modules of other packages that the product, or a package, imports in a function.

Those that read the environment when they are imported, such as `botocore.utils`, are imported in each run.
"""
_STREAMS = (("stdin", "r", "surrogateescape"), ("stdout", "w", "surrogateescape"), ("stderr", "w", "backslashreplace"))


def serve(orders: socket.socket) -> tuple[bytes, Sequence[int]]:
    """Fork a process for each order, until there are no more. In a forked process, return its order and streams."""
    _load()
    with selectors.DefaultSelector() as waiting:
        waiting.register(orders, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is not orders:
                    _report(waiting, key)
                    continue
                packet, descriptors, *_ = socket.recv_fds(orders, 2 * ORDER_MAX, 4)
                if not packet:
                    os._exit(0)  # a process that still runs is not waited for
                *streams, answer = descriptors
                if (child := os.fork()) == 0:
                    return packet, streams
                os.write(answer, f"{child}\n".encode())
                waiting.register(os.pidfd_open(child), selectors.EVENT_READ, (child, answer))
                for each in streams:
                    os.close(each)


def _load() -> None:
    """Import the product and what it imports when it is used, and build the validators of all its documents."""
    root = Path(importlib.import_module("reconciler").__path__[0])
    files = (file.relative_to(root.parent).with_suffix("").parts for file in sorted(root.rglob("*.py")))
    names = (".".join(parts).removesuffix(".__init__") for parts in files if not NEVER_RUN.intersection(parts))
    imported = [importlib.import_module(name) for name in names]
    for name in IMPORTED_WHEN_USED:
        importlib.import_module(name)
    models = BaseModel.__subclasses__()
    for model in models:
        models += model.__subclasses__()
        model.model_rebuild()
    for each in {id(each): each for module in imported for each in vars(module).values()}.values():
        if isinstance(each, _lru_cache_wrapper):
            each.cache_clear()  # such as the list of installed packages, which a run may extend
    gc.collect()
    gc.freeze()


def _report(waiting: selectors.BaseSelector, ended: selectors.SelectorKey) -> None:
    """Report the exit code of a process that has ended."""
    child, answer = ended.data
    _, status = os.waitpid(child, 0)
    waiting.unregister(ended.fileobj)
    with suppress(BrokenPipeError):  # the client no longer reads the exit code
        os.write(answer, str(os.waitstatus_to_exitcode(status)).encode())
    os.close(answer)
    os.close(ended.fd)


def _become(order: Sequence[object], streams: Sequence[int]) -> None:
    """Change this process into the process that an order describes."""
    # Python may set `LC_CTYPE` at startup (PEP 538), so the children of a new interpreter would inherit it.
    own = {"LC_CTYPE": os.environ["LC_CTYPE"]} if "LC_CTYPE" in os.environ else {}
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


def _leave(codes: Sequence[int]) -> None:
    """End the process after all other functions of `atexit`, and leave its modules as they are."""
    with suppress(OSError, ValueError):  # the interpreter reports an output error itself, after this function
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for code in codes:
            os._exit(code)


if __name__ == "__main__":
    exit_codes: list[int] = []  # filled once the module has ended
    atexit.register(_leave, exit_codes)
    own_order, own_streams = serve(socket.socket(fileno=int(sys.argv[1])))
    _become(json.loads(own_order), own_streams)
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        exit_codes += [ended.code] if isinstance(ended.code, int) else []
        raise
