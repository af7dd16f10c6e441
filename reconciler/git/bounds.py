"""What a command of Git may use of memory and disk, where the system can bound that, as Linux can.

Rules: a bound holds for the command and for all that it starts. It is set once the command runs, for nothing may be
done between a fork and what is executed then; so what the command has started by that time is looked for.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path


def bound(process: int, limits: Mapping[int, int]) -> None:
    """Bound what a process may use, and each that it has started.

    Args:
        process: its id.
        limits: by the number of the limit (`resource.RLIMIT_…`), the most. A lower one that is set already stays.
    """
    waiting = [process] if sys.platform == "linux" else []
    while waiting:
        # One that has ended, or belongs to another user, is let be.
        with suppress(OSError):
            each = waiting.pop()
            for limit, most in limits.items():
                _lower(each, limit, most)
            # What it starts from now on is bounded by its own limits.
            waiting += _started_by(each)


def _lower(process: int, limit: int, most: int) -> None:
    soft, hard = (most if each == resource.RLIM_INFINITY else each for each in resource.prlimit(process, limit))
    resource.prlimit(process, limit, (min(soft, most), min(hard, most)))


def _started_by(process: int) -> Iterator[int]:
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        yield from map(int, children.read_text(encoding="ascii").split())
