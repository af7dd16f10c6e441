"""A queue of keys with due times. A key is in the queue at most once, at its earliest due time.

When a key is due, other keys of the same kind may be removed early, each from its own `earliest` time on. One list
request can then serve several jobs.

The queue reads no clock. Times are numbers that the caller provides.

Implementation: `_at` contains the due times, and `_heap` is an index into it. Rescheduling a key leaves an outdated
entry on the heap. `next_at` removes entries that do not match `_at`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class DelayingQueue(Generic[K]):
    """A queue of keys, each with the time at which it is due."""

    _at: dict[K, float] = field(default_factory=dict)
    _earliest: dict[K, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _count: int = 0

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._at)

    def __contains__(self, key: K) -> bool:
        """Return whether a key is in the queue."""
        return key in self._at

    def add(self, key: K, at: float, earliest: float | None = None) -> None:
        """Schedule a key, unless it is already due at that time or earlier.

        From `earliest` on, the key is also removed when another key of its kind is due. None means `at`.
        """
        if at < self._at.get(key, float("inf")):
            self._at[key] = at
            self._earliest[key] = at if earliest is None else earliest
            self._count += 1
            heappush(self._heap, (at, self._count, key))

    def drop(self, key: K) -> None:
        """Remove a key, if it is in the queue."""
        self._at.pop(key, None)
        self._earliest.pop(key, None)

    def next_at(self) -> float | None:
        """Return when the next key is due, or None if the queue is empty."""
        while self._heap and self._at.get(self._heap[0][2]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float, kind: Callable[[K], object] | None = None) -> frozenset[K]:
        """Remove and return the keys that are due, and the keys of the same kinds that may be removed early.

        `kind` returns the kind of a key. Without it, no key is removed early.
        """
        due = set()
        while (at := self.next_at()) is not None and at <= now:
            due.add(self._heap[0][2])
            self.drop(self._heap[0][2])
        if due and kind is not None:
            kinds = set(map(kind, due))
            due |= {key for key, earliest in self._earliest.items() if earliest <= now and kind(key) in kinds}
            for key in due:
                self.drop(key)
        return frozenset(due)

    def waiting(self) -> list[tuple[float, K]]:
        """Return every key with its due time, in no particular order."""
        return [(at, key) for key, at in self._at.items()]
