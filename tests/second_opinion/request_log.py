"""The record of each request: its time, operation, response and effect."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

CHANGES = frozenset({"cancel", "pause", "resume"})


@dataclass
class Exchange:
    """One request and its answer.

    `shown` has the status that a whole, readable answer showed of each job, in OpenAI's words; `said` has it as it
    stood there.
    """

    at: float
    verb: str
    job: str | None
    account: str | None
    query: str = ""
    status: int | None = None
    fault: str | None = None
    effect: bool = False
    refused_as_ended: bool = False
    shown: dict[str, Any] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    whole: bool = False
    first_page: bool = False
    last_page: bool = False
    word_before: str | None = None
    ended: float | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def change(self) -> bool:
        """Say whether the request asked for a change."""
        return self.verb in CHANGES

    @property
    def clean(self) -> bool:
        """Say whether a change was accepted with an answer that a client has no reason to doubt."""
        return self.status is not None and 200 <= self.status < 300 and self.fault in (None, *HARMLESS)

    def __str__(self) -> str:
        """Return the exchange as a line of a transcript."""
        said = "no answer" if self.status is None else str(self.status)
        extra = f" [{self.fault}]" if self.fault else ""
        did = " took effect" if self.effect else ""
        seen = " ".join(f"{job}={word}" for job, word in sorted(self.shown.items()))
        target = self.job or self.query
        return f"{self.at:.2f} {self.account} {self.verb} {target} -> {said}{extra}{did} {seen}".rstrip()


HARMLESS = ("silent-close", "no-date", "date-ahead", "date-behind", "slow")


class RequestLog:
    """All exchanges, in the order in which they came. Safe to read while the world serves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Exchange] = []

    def add(self, exchange: Exchange) -> None:
        """Keep one exchange, as soon as its request is read."""
        with self._lock:
            self._all.append(exchange)

    def all(self) -> list[Exchange]:
        """Return the exchanges until now."""
        with self._lock:
            return list(self._all)

    def changes(self) -> list[Exchange]:
        """Return the requests for a change until now."""
        return [each for each in self.all() if each.change]
