"""What a watch tells of itself: keeps one immutable `Overview` up to date, for whoever reads it in another thread.

Rules: the loop alone writes, and each time puts a whole new value in place; nothing here waits or asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import nsmallest

from reconciler.controller.build_report import PassResult
from reconciler.model.job import Account, JobRef
from reconciler.model.report import Row
from reconciler.model.watch_status import Overview, Upcoming

UPCOMING_MAX = 20


@dataclass(slots=True)
class Lookout:
    """The keeper of one overview."""

    overview: Overview
    _moved_at: dict[Account, float] = field(default_factory=dict)
    _away: set[Account | None] = field(default_factory=set)

    @classmethod
    def beginning(cls, now: float, interval_s: float) -> Lookout:
        """Return a lookout over a watch that begins now."""
        return cls(Overview(interval_s=interval_s, beat_at=now, progress_at=now, watched_at=now))

    def beat(
        self, now: float, at_work: Mapping[Account, float], pass_since: float | None, *, is_watching: bool
    ) -> None:
        """Take in that the loop runs.

        Args:
            now: this moment.
            at_work: since when each account is, that is.
            pass_since: when the pass under way began, if one is.
            is_watching: whether a change would be noticed.
        """
        progress = [max(since, self._moved_at.get(account, since)) for account, since in at_work.items()]
        if pass_since is not None:
            progress.append(pass_since)
        self.overview = replace(
            self.overview,
            beat_at=now,
            progress_at=min(progress, default=now),
            watched_at=now if is_watching else self.overview.watched_at,
        )

    def moved(self, account: Account, now: float) -> None:
        """Take in that a request has ended, so that an account at work is getting on."""
        self._moved_at[account] = now

    def stopping(self) -> None:
        """Take in that somebody wants to stop."""
        self.overview = replace(self.overview, is_stopping=True)

    def passed(self, result: PassResult, due: Iterable[tuple[float, JobRef]], at: datetime) -> None:
        """Take in what a pass found, and what is due next."""
        due = list(due)
        names = {row.ref: row for row in result.report.rows}
        for each in result.report.accounts:
            (self._away.add if each.unseen_reason else self._away.discard)(each.account)
        upcoming = tuple(
            Upcoming(names[ref].name, when, self._why(names[ref]))
            for when, ref in nsmallest(UPCOMING_MAX, due)
            if ref in names
        )
        open_ = {str(row.ref.account) for row in result.report.rows if row.ref is not None and not row.status.final}
        seen = {str(each.account) for each in result.report.accounts if each.is_seen}
        self.overview = replace(
            self.overview,
            interval_s=result.interval.total_seconds(),
            finished_at=at,
            is_halted=result.is_halted,
            report=result.report,
            # An account whose jobs have all ended is asked for nothing, and so it does not go unseen. The age of one
            # that was never seen counts from when it was first wanted.
            seen_at={each: at if each in seen else self.overview.seen_at.get(each, at) for each in open_},
            upcoming=upcoming,
            waiting=len(due),
        )

    def _why(self, row: Row) -> str:
        """Return what the next look at a job is for."""
        receipt = row.status.open_receipt
        if row.ref is not None and row.ref.account in self._away:
            return "again, because the last look failed"
        if receipt is not None:
            return f"whether the {receipt.verb} took effect"
        return f"{row.status.phase}, {row.status.ready.reason}"
