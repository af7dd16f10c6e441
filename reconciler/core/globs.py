"""Match files against globs, in time that is at most proportional to the length of the glob times that of the path.

Rules: `**` matches any number of folders, including none. At the end of a glob it also matches every file below. `*`,
`?` and `[...]` match characters within one name. Matching is case-sensitive.

Implementation: the matcher reads the path name by name and keeps the set of all positions in the glob that it may have
reached, like a nondeterministic automaton. It never backtracks, however many `**` a glob contains. With a matcher that
backtracks over `**`, a spec author could stop a pass with one glob. `fnmatch.translate` is used for single names only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

ANY_DEPTH = "**"


def matches_any(file: str, globs: Iterable[str]) -> bool:
    """Return whether a path relative to the specs directory, with `/`, matches one of these globs."""
    return any(matches(file, glob) for glob in globs)


def matches(file: str, glob: str) -> bool:
    """Return whether a path relative to the specs directory, with `/`, matches a glob."""
    steps = compiled(glob)
    reached = _with_empty_matches({0}, steps)
    for name in _names(file):
        ahead = {
            at if step is None else at + 1
            for at in reached
            if at < len(steps) and ((step := steps[at]) is None or step.match(name))
        }
        reached = _with_empty_matches(ahead, steps)
        if not reached:
            return False
    return len(steps) in reached


def _with_empty_matches(reached: set[int], steps: tuple[re.Pattern[str] | None, ...]) -> set[int]:
    """Return these positions and the position after each `**` among them, because `**` may match no folder.

    `compiled` merges adjacent `**`, so one step is enough.
    """
    return reached | {at + 1 for at in reached if at < len(steps) and steps[at] is None}


@lru_cache(maxsize=1024)
def compiled(glob: str) -> tuple[re.Pattern[str] | None, ...]:
    """Return the pattern of each name in a glob, and None for `**`. Adjacent `**` are merged into one."""
    steps: list[re.Pattern[str] | None] = []
    for name in _names(glob):
        if name != ANY_DEPTH:
            steps.append(re.compile(translate(name)))
        elif not steps or steps[-1] is not None:
            steps.append(None)
    return tuple(steps)


def _names(path: str) -> list[str]:
    return [each for each in path.split("/") if each not in ("", ".")]
