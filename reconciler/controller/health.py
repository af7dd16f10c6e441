"""Track the health of a watch in one immutable `WatchStatus`, which the health server reads in another thread.

Rules: only the watch updates the value, and each update replaces it as a whole. This module never waits or sends a
request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Any

from reconciler.controller.build_report import PassResult
from reconciler.model.election import ElectionStatus
from reconciler.model.guard_use import GuardUse
from reconciler.model.job import Account, JobRef, ObservedJob
from reconciler.model.notification import SinkDelivery
from reconciler.model.report import Report, Row
from reconciler.model.request_rate import RequestRate
from reconciler.model.status import ProviderStatus
from reconciler.model.watch_status import Upcoming, WatchStatus

UPCOMING_MAX = 20


@dataclass(slots=True)
class HealthTracker:
    """The tracker that keeps the `WatchStatus` of one watch up to date."""

    overview: WatchStatus
    on_change: Callable[[WatchStatus], object] = lambda _: None
    """A function that receives each new state. It must not block."""
    _moved_at: dict[Account, float] = field(default_factory=dict)
    """When a request to each account last ended, or last waited for its turn."""
    _away: set[Account | None] = field(default_factory=set)
    _seen_at: dict[JobRef, datetime] = field(default_factory=dict)
    """When each job was last seen. A job that was never seen has the start of the first pass that wanted it."""
    _looked_at: set[Account | None] = field(default_factory=set)
    """The accounts with at least one observation, successful or failed."""
    _is_ready: bool = False
    """Whether every wanted account has been observed at least once, successfully or not. Once True, it stays True."""

    @classmethod
    def beginning(cls, now: float, interval_s: float) -> HealthTracker:
        """Return a tracker for a watch that starts now. `now` is in monotonic seconds."""
        return cls(WatchStatus(interval_s=interval_s, heartbeat_at=now, progress_at=now, watched_at=now))

    def beat(
        self,
        now: float,
        at_work: Mapping[Account, float],
        pass_since: float | None,
        rates: Mapping[str, RequestRate],
        *,
        is_watching: bool,
        overdue: int = 0,
    ) -> None:
        """Record that the event loop is running.

        Args:
            now: the current time, in monotonic seconds.
            at_work: when each running account worker started.
            pass_since: when the current pass began; None between passes.
            rates: the current request rate of each open account, by account line (`model.account_line`).
            is_watching: whether the watcher would notice a change of the specs.
            overdue: how many jobs are due to be observed again, but wait for the running worker of their account.
        """
        # At a low rate, a request may wait for its turn for longer than the time after which a worker seems to hang.
        # Therefore an account whose requests wait counts as making progress.
        shared = {account.shared for account in at_work}
        waiting = [each for each in shared if (rate := rates.get(str(each))) is not None and rate.is_waiting]
        self._moved_at.update(dict.fromkeys(waiting, now))
        progress = [max(since, self._moved_at.get(account.shared, since)) for account, since in at_work.items()]
        if pass_since is not None:
            progress.append(pass_since)
        self._change(
            heartbeat_at=now,
            progress_at=min(progress, default=now),
            watched_at=now if is_watching else self.overview.watched_at,
            rates=rates,
            overdue=overdue,
        )

    def moved(self, account: Account, now: float) -> None:
        """Record that a request to an account has ended, so its workers are making progress.

        The kinds of job in an account share its request rate, so a worker of one kind may wait for requests of another
        kind.
        """
        self._moved_at[account.shared] = now

    def delivered(self, sinks: Mapping[str, SinkDelivery]) -> None:
        """Record what became of the notifications of each sink, by its name."""
        if sinks != self.overview.sinks:
            self._change(sinks=sinks)

    def stopping(self) -> None:
        """Record that the watch is stopping. A watch that no longer leads only stands by."""
        self._change(is_stopping=self.overview.standing_by is None)

    def elected(self, leadership: ElectionStatus, now: float) -> None:
        """Record what the watch knows of the election. While it stands by, this also shows that its event loop runs.

        `now` is in monotonic seconds.
        """
        beat = {} if leadership.is_leader else {"heartbeat_at": now, "progress_at": now, "watched_at": now}
        self._change(leadership=leadership, **beat)

    def forget(self, now: float) -> None:
        """Drop what is known of accounts and jobs, because a term has ended. `now` is in monotonic seconds."""
        before = self.overview
        for each in (self._moved_at, self._away, self._seen_at, self._looked_at):
            each.clear()
        self._is_ready = False
        self.overview = self.beginning(now, before.interval_s).overview
        self._change(passes=before.passes + 1, leadership=before.leadership)

    def _change(self, **fields: Any) -> None:
        self.overview = replace(self.overview, **fields)
        self.on_change(self.overview)

    def passed(
        self,
        result: PassResult,
        due: Iterable[tuple[float, JobRef]],
        at: datetime,
        *,
        took_s: float = 0.0,
        outages: tuple[ProviderStatus, ...] = (),
        guard: Mapping[str, GuardUse] | None = None,
    ) -> None:
        """Record the result of a pass.

        Args:
            result: the result.
            due: the jobs that are polled next, each with the time in monotonic seconds.
            at: when the pass ended.
            took_s: the duration of the pass, in seconds.
            outages: the failures of accounts that statuses record after the pass.
            guard: how much of the limit on changes each account has used, by account line.
        """
        due = list(due)
        for each in result.report.accounts:
            (self._away.add if each.unobserved else self._away.discard)(each.account)
        self._take_in(result, at - timedelta(seconds=took_s))
        has_warned = bool(result.report.notices or result.report.errors)
        self._change(
            interval_s=result.interval.total_seconds(),
            finished_at=at,
            passes=self.overview.passes + 1,
            took_s=took_s,
            is_halted=result.is_halted,
            report=result.report,
            seen_at=self._ages(),
            unobserved=self._unobserved(result),
            upcoming=self._upcoming(due, result.report),
            outages=outages,
            observed=self._last_observed(result.report),
            guard=guard or {},
            waiting=len(due),
            warned_since=(self.overview.warned_since or at) if has_warned else None,
        )

    def _upcoming(self, due: Iterable[tuple[float, JobRef]], report: Report) -> tuple[Upcoming, ...]:
        """Return the next polls, each with its reason."""
        soonest = nsmallest(UPCOMING_MAX, due)
        ids = {ref.id for _, ref in soonest}
        rows = {row.ref: row for row in report.rows if row.ref is not None and row.ref.id in ids}
        return tuple(Upcoming(rows[ref].name, when, self._why(rows[ref])) for when, ref in soonest if ref in rows)

    def _take_in(self, result: PassResult, begun_at: datetime) -> None:
        """Record when each wanted job was last seen, and which accounts were observed."""
        self._seen_at = {ref: self._seen_at.get(ref, begun_at) for ref in result.wanted}
        for ref in result.seen_at.keys() & self._seen_at.keys():
            self._seen_at[ref] = max(result.seen_at[ref], self._seen_at[ref])
        self._looked_at.update(each.account for each in result.report.accounts)

    def _last_observed(self, report: Report) -> Mapping[JobRef, ObservedJob]:
        """Return each job as it was last observed. Jobs that no spec names are removed if there are more than specs."""
        new = {row.ref: row.seen for row in report.rows if row.seen is not None and row.ref is not None}
        found = {**self.overview.observed, **new} if new else self.overview.observed
        if len(found) <= len(report.rows):
            return found
        named = {row.ref for row in report.rows}
        return {ref: job for ref, job in found.items() if ref in named}

    def _ages(self) -> dict[str, datetime]:
        """Return, for each account, when its least recently seen job was last seen."""
        oldest: dict[str, datetime] = {}
        for ref, at in self._seen_at.items():
            oldest[str(ref.account)] = min(at, oldest.get(str(ref.account), at))
        return oldest

    def _unobserved(self, result: PassResult) -> tuple[str, ...]:
        """Return the wanted accounts that have not been observed yet.

        Once every wanted account has been observed, always return an empty tuple.
        """
        missing = {ref.account for ref in result.wanted} - self._looked_at
        self._is_ready |= not missing
        return () if self._is_ready else tuple(sorted(map(str, missing)))

    def _why(self, row: Row) -> str:
        """Return the reason for the next poll of a job, as text for users."""
        receipt = row.status.open_receipt
        if row.ref is not None and row.ref.account in self._away:
            return "retry, because the last observation failed"
        if receipt is not None:
            return f"check whether the {receipt.verb} took effect"
        return f"{row.status.phase}, {row.status.ready.reason}"
