"""Select the tests of an ordinary run, which takes minutes. With `--long`, every test is run.

- A test that is marked `long` is left out.
- Of a parametrized test that is marked `sampled(n)`, `n` cases are run: the first case, and further cases at equal
  distances.

Tests that are selected by name, with `::` or `-k`, are all run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import pytest


def is_ordinary(config: pytest.Config) -> bool:
    """Return whether this run leaves out the tests that take long."""
    is_named = bool(config.getoption("keyword")) or any("::" in each for each in config.args)
    return not (config.getoption("--long") or is_named)


def left_out(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that an ordinary run leaves out."""
    found = []
    cases: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("long") is not None:
            found.append(item)
        elif item.get_closest_marker("sampled") is not None:
            cases[item.nodeid.partition("[")[0]].append(item)
    for each in cases.values():
        marker = each[0].get_closest_marker("sampled")
        number = marker.args[0] if marker is not None else len(each)
        chosen = {each[at].nodeid for at in sample(len(each), number)}
        found += [item for item in each if item.nodeid not in chosen]
    return found


def sample(count: int, number: int) -> Sequence[int]:
    """Return at most `number` positions out of `count`, at equal distances, beginning with the first."""
    return [at * count // number for at in range(number)] if number < count else range(count)
