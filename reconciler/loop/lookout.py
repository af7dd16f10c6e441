"""What a watch tells of itself: keeps one immutable `Overview` up to date, for whoever reads it in another thread.

Rules: the loop alone writes, and each time puts a whole new value in place; nothing here waits or asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import nsmallest

from reconciler.loop.tally import PassResult
from reconciler.model.job import JobRef
from reconciler.model.overview import Overview, Upcoming

UPCOMING_MAX = 20


@dataclass(slots=True)
class Lookout:
    """The keeper of one overview."""

    overview: Overview

    @classmethod
    def beginning(cls, now: float, interval_s: float) -> Lookout:
        """Return a lookout over a watch that begins now."""
        return cls(Overview(interval_s=interval_s, beat_at=now, progress_at=now, watched_at=now))

    def beat(self, now: float, *, is_idle: bool, is_watching: bool) -> None:
        """Take in that the loop runs; while it is idle, nothing hangs."""
        before = self.overview
        self.overview = replace(
            before,
            beat_at=now,
            progress_at=now if is_idle else before.progress_at,
            watched_at=now if is_watching else before.watched_at,
        )

    def moved(self, now: float) -> None:
        """Take in that a request has ended, so that a pass under way is getting on."""
        self.overview = replace(self.overview, progress_at=now)

    def stopping(self) -> None:
        """Take in that somebody wants to stop."""
        self.overview = replace(self.overview, is_stopping=True)

    def passed(self, result: PassResult, due: Iterable[tuple[float, JobRef]], now: float, at: datetime) -> None:
        """Take in what a pass found, and what is due next."""
        due = list(due)
        names = {row.ref: row for row in result.report.rows}
        upcoming = tuple(
            Upcoming(names[ref].name, when, f"{names[ref].status.phase}, {names[ref].status.ready.reason}")
            for when, ref in nsmallest(UPCOMING_MAX, due)
            if ref in names
        )
        seen = {str(each.account): at for each in result.report.accounts if each.unseen_reason is None}
        self.overview = replace(
            self.overview,
            interval_s=result.interval.total_seconds(),
            progress_at=now,
            finished_at=at,
            is_halted=result.is_halted,
            report=result.report,
            seen_at={**self.overview.seen_at, **seen},
            upcoming=upcoming,
            waiting=len(due),
        )
