"""Which files a glob means, in time that is linear in the glob and in the path.

Rules: `**` stands for any number of folders, none included, and at the end also for whatever lies below; `*`, `?` and
`[...]` stand for characters within one name; case counts. All positions of the glob that a path may have reached are
carried along name by name, so that no path is tried twice, however many `**` there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

ANY_DEPTH = "**"


def matches_any(file: str, globs: Iterable[str]) -> bool:
    """Whether a file, relative to the specs directory and with `/`, is meant by one of these globs."""
    return any(matches(file, glob) for glob in globs)


def matches(file: str, glob: str) -> bool:
    """Whether a file, relative to the specs directory and with `/`, is meant by a glob."""
    steps = compiled(glob)
    reached = _skipped({0}, steps)
    for name in _names(file):
        ahead = {
            at if step is None else at + 1
            for at in reached
            if at < len(steps) and ((step := steps[at]) is None or step.match(name))
        }
        reached = _skipped(ahead, steps)
        if not reached:
            return False
    return len(steps) in reached


def _skipped(reached: set[int], steps: tuple[re.Pattern[str] | None, ...]) -> set[int]:
    """Return these positions and the one behind each `**`, which may stand for no folder at all.

    Two of them never stand side by side, so one step is enough.
    """
    return reached | {at + 1 for at in reached if at < len(steps) and steps[at] is None}


@lru_cache(maxsize=1024)
def compiled(glob: str) -> tuple[re.Pattern[str] | None, ...]:
    """Return what each name must match, and None for `**`, of which several in a row mean no more than one."""
    steps: list[re.Pattern[str] | None] = []
    for name in _names(glob):
        if name != ANY_DEPTH:
            steps.append(re.compile(translate(name)))
        elif not steps or steps[-1] is not None:
            steps.append(None)
    return tuple(steps)


def _names(path: str) -> list[str]:
    return [each for each in path.split("/") if each not in ("", ".")]
