"""What is due when. One slot a key, and the earlier time wins, so that no number of reasons makes a crowd.

A key may be taken out before it is due, from a time of its own on, when one of its kind is due: so that one look serves
many.

It knows no clock: times are numbers that its caller compares.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class DueQueue(Generic[K]):
    """Keys with the time at which each is due."""

    _at: dict[K, float] = field(default_factory=dict)
    _may_from: dict[K, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _count: int = 0

    def __len__(self) -> int:
        """Return how many keys wait."""
        return len(self._at)

    def __contains__(self, key: K) -> bool:
        """Return whether a key waits."""
        return key in self._at

    def add(self, key: K, at: float, may_from: float | None = None) -> None:
        """Let a key be due at that time, unless it is due earlier already; with company, from `may_from` on."""
        if at < self._at.get(key, float("inf")):
            self._at[key] = at
            self._may_from[key] = at if may_from is None else may_from
            self._count += 1
            heappush(self._heap, (at, self._count, key))

    def drop(self, key: K) -> None:
        """Forget a key."""
        self._at.pop(key, None)
        self._may_from.pop(key, None)

    def next_at(self) -> float | None:
        """Return when the next key is due."""
        while self._heap and self._at.get(self._heap[0][2]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float, kind: Callable[[K], object] | None = None) -> frozenset[K]:
        """Take out every key that is due at that time or was before, and what may keep them company by their kind."""
        due = set()
        while (at := self.next_at()) is not None and at <= now:
            due.add(self._heap[0][2])
            self.drop(self._heap[0][2])
        if due and kind is not None:
            kinds = set(map(kind, due))
            due |= {key for key, may_from in self._may_from.items() if may_from <= now and kind(key) in kinds}
            for key in due:
                self.drop(key)
        return frozenset(due)

    def waiting(self) -> list[tuple[float, K]]:
        """Return every key with its time, in no order."""
        return [(at, key) for key, at in self._at.items()]
