"""The progress of a watch until each account was observed for the first time, for its log.

A start that takes less than `EVERY_S` logs nothing here.
"""

from __future__ import annotations

from structlog.typing import FilteringBoundLogger

from reconciler.model.action_record import AccountAnswered, ObservationEnded, ObservationStarted, PassEvent
from reconciler.model.job import Account
from reconciler.model.watch_status import WatchStatus
from reconciler.views.text import count, names

EVERY_S = 10.0
"""The seconds between two lines about the progress."""
LAST = 3
"""If at most this many accounts are not observed yet, a line names them, because one of them may hang."""


class StartLog:
    """The log of the start of a watch. After a takeover, a watch starts again."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._logger = logger
        self._jobs: dict[Account, int] = {}
        """The accounts whose observation has begun, with the number of their jobs."""
        self._observed: set[Account] = set()
        self._requests = 0
        self._since: float | None = None
        """When the start began, in monotonic seconds; None if the watch does not start now."""
        self._said_at: float | None = None
        """When the last line was logged; None if this start has logged no line yet."""

    def log_event(self, event: PassEvent) -> None:
        """Count the observations and the requests of the start."""
        if isinstance(event, ObservationStarted):
            self._jobs.setdefault(event.account, event.jobs)
        if isinstance(event, ObservationEnded):
            self._observed.add(event.account)
        if isinstance(event, AccountAnswered):
            self._requests += 1

    def log_change(self, watch: WatchStatus) -> None:
        """Log the progress of the start, or its end, if a line is due."""
        now = watch.heartbeat_at
        is_starting = watch.standing_by is None and (watch.finished_at is None or bool(watch.unobserved))
        if not is_starting:
            self._end(now)
        elif self._since is None:
            self._since = now
        elif not watch.is_stopping and now - (self._said_at or self._since) >= EVERY_S:
            self._said_at = now
            self._logger.info(self._progress(watch.unobserved))

    def _end(self, now: float) -> None:
        if self._since is not None and self._said_at is not None:
            self._logger.info(
                "each account was observed, or its failure was reported, %.0f s after the start", now - self._since
            )
        self._since = self._said_at = None
        self._requests = 0
        self._jobs.clear()
        self._observed.clear()

    def _progress(self, unobserved: tuple[str, ...]) -> str:
        if not self._jobs:
            return "still starting: the specs are being read"
        jobs = sum(number for account, number in self._jobs.items() if account in self._observed)
        accounts, all_jobs = count(len(self._jobs), "account"), count(sum(self._jobs.values()), "job")
        what = f"{len(self._observed):,} of {accounts} observed, with {jobs:,} of {all_jobs}"
        last = f"; not observed yet: {names(unobserved)}" if 0 < len(unobserved) <= LAST else ""
        return f"still starting: {what}, after {count(self._requests, 'request')}{last}"
