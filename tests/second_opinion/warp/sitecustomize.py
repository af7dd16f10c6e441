"""Gives a Python process the clock of the run before other imports, and a disk that fails for a while.

It changes `time` and `datetime.now`, and the waits of selectors and `time.sleep`, which are in seconds of the run.
Opening or listing files below a directory fails for some seconds with an operating system error, as on a network disk.
Without the variables, nothing is changed.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import sys
import time
from typing import Any

_WORDS = os.environ.get("SECOND_OPINION_CLOCK", "").split()
_TRUE_DATETIME = dt.datetime


class _AnyDatetime(type):
    """Makes every datetime an instance of the replaced class, because C code still creates original ones."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _TRUE_DATETIME)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _TRUE_DATETIME)


def _install(real: float, base: float, speed: float) -> None:
    true_time, true_monotonic, true_sleep = time.time, time.monotonic, time.sleep
    first = true_monotonic()

    def now() -> float:
        return base + (true_time() - real) * speed

    def monotonic() -> float:
        return first + (true_monotonic() - first) * speed

    time.time = now
    time.time_ns = lambda: int(now() * 1e9)
    time.monotonic = monotonic
    time.monotonic_ns = lambda: int(monotonic() * 1e9)
    time.sleep = lambda seconds: true_sleep(float(seconds) / speed)

    def of_clock(tz: dt.tzinfo | None = None) -> Any:
        return _TRUE_DATETIME.fromtimestamp(now(), tz)

    ours = _AnyDatetime("datetime", (_TRUE_DATETIME,), {"now": staticmethod(of_clock), "__module__": "datetime"})
    dt.datetime = ours  # type: ignore[misc, assignment]
    if speed != 1:
        _hurry_selectors(speed)


def _hurry_selectors(speed: float) -> None:
    import selectors  # noqa: PLC0415 - only where it is needed: each command pays for it

    true_select: Any = selectors.DefaultSelector.select

    def hurried(self: Any, timeout: float | None = None) -> Any:
        return true_select(self, timeout if timeout is None or timeout <= 0 else timeout / speed)

    selectors.DefaultSelector.select = hurried  # type: ignore[method-assign]


def _spoil(name: str, seconds: float, directory: str) -> None:
    code, until = getattr(errno, name), time.monotonic() + seconds

    def fail(event: str, args: tuple[Any, ...]) -> None:
        if event not in ("open", "os.listdir", "os.scandir") or time.monotonic() > until:
            return
        named = isinstance(args[0], str | bytes)
        path = os.path.abspath(os.fsdecode(args[0])) if named else ""  # noqa: PTH100 - follows no link
        if path == directory or path.startswith(directory + os.sep):
            raise OSError(code, os.strerror(code), path)

    sys.addaudithook(fail)


_DISK = os.environ.get("SECOND_OPINION_DISK", "").split(" ", 2)
if len(_DISK) == 3:
    _spoil(_DISK[0], float(_DISK[1]), _DISK[2])

if len(_WORDS) == 3:
    _install(*(float(word) for word in _WORDS))
