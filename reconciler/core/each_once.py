"""Compute the result of each item of a long sequence only once, and again when the item has been replaced.

Theory: most passes of a watch follow the edit of one spec, and all other specs and statuses are the same objects as in
the last pass. Comparing the identities of all objects takes much less time than a computation for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from operator import is_not
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class EachOnce(Generic[R]):
    """The results of a pure function for each item of one or more sequences, remembered from call to call.

    The items must be immutable, because an item that is the same object counts as unchanged.
    """

    def __init__(self, compute: Callable[..., R]) -> None:
        self._compute = compute
        self._columns: tuple[Sequence[object], ...] = ()
        self._results: Sequence[R] = ()

    def of(self, *columns: Sequence[Any]) -> Sequence[R]:
        """Return `compute(*items)` for the items at each position of the columns, which have the same length.

        The returned sequence must not be changed. It is the same object as the last one if every item is the same.
        """
        if not self._columns or len(self._columns[0]) != len(columns[0]):
            self._results = list(map(self._compute, *columns))
        elif changed := self._changed(columns):
            results = list(self._results)
            # If many items have changed, `map` takes much less time than a loop.
            computed = map(self._compute, *(map(each.__getitem__, changed) for each in columns))
            for at, result in zip(changed, computed, strict=True):
                results[at] = result
            self._results = results
        self._columns = columns
        return self._results

    def _changed(self, columns: tuple[Sequence[object], ...]) -> set[int]:
        """Return the positions at which an item is another object than in the last call."""
        pairs = zip(self._columns, columns, strict=True)
        return set[int]().union(*(changed_positions(before, now) for before, now in pairs if before is not now))


def changed_positions(before: Sequence[object], now: Sequence[object]) -> list[int]:
    """Return the positions at which two sequences of the same length have different objects."""
    return list(compress(range(len(now)), map(is_not, before, now)))
