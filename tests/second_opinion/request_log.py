"""The record of each request: its time, operation, response and effect."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

CHANGES = frozenset({"cancel", "pause", "resume"})


@dataclass
class Exchange:
    """One request and its response.

    `shown` has the status of each job in a complete and readable response, in OpenAI's words. `said` has it in the
    vendor's words.
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
        """Return whether the request was for a change."""
        return self.verb in CHANGES

    @property
    def clean(self) -> bool:
        """Return whether the response was a clear acceptance: a 2xx without a fault that a client could doubt."""
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
    """All exchanges, in the order of their arrival. It can be read while the world handles requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Exchange] = []

    def add(self, exchange: Exchange) -> None:
        """Record an exchange. Its response may be added later."""
        with self._lock:
            self._all.append(exchange)

    def all(self) -> list[Exchange]:
        """Return the exchanges so far."""
        with self._lock:
            return list(self._all)

    def changes(self) -> list[Exchange]:
        """Return the change requests so far."""
        return [each for each in self.all() if each.change]
