"""Match files against globs, in time that is linear in the glob and in the path.

Rules: `**` matches any number of folders, including none; at the end it also matches every file below. `*`, `?` and
`[...]` match characters within one name. Case matters.

Implementation: the matcher follows all positions of the glob that a path may have reached, name by name, as a
nondeterministic automaton does. No path is tried twice, however many `**` a glob has. `fnmatch` and `pathlib`
backtrack, and an author of specs could stop a pass with one glob.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

ANY_DEPTH = "**"


def matches_any(file: str, globs: Iterable[str]) -> bool:
    """Whether a file, relative to the specs directory and with `/`, matches one of these globs."""
    return any(matches(file, glob) for glob in globs)


def matches(file: str, glob: str) -> bool:
    """Whether a file, relative to the specs directory and with `/`, matches a glob."""
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
    """Return these positions and the one after each `**`, which may match no folder at all.

    `compiled` merges adjacent `**`, so one step is enough.
    """
    return reached | {at + 1 for at in reached if at < len(steps) and steps[at] is None}


@lru_cache(maxsize=1024)
def compiled(glob: str) -> tuple[re.Pattern[str] | None, ...]:
    """Return the pattern for each name of a glob, and None for `**`. Several `**` in a row are one."""
    steps: list[re.Pattern[str] | None] = []
    for name in _names(glob):
        if name != ANY_DEPTH:
            steps.append(re.compile(translate(name)))
        elif not steps or steps[-1] is not None:
            steps.append(None)
    return tuple(steps)


def _names(path: str) -> list[str]:
    return [each for each in path.split("/") if each not in ("", ".")]
