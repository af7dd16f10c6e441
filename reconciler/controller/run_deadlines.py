"""The two deadlines of `--once`, and the jobs to poll before they pass. The caller provides the time.

Rules: `--timeout` bounds how long the requests for a job may keep failing before the job is given up, from the start of
the first failed observation. A job that a pass left undecided, because a spec changed meanwhile, has the same time from
the end of that pass. `--wait` bounds how long to wait for a change in progress, from the start of the run, even if
observations fail. A last observation starts shortly before a deadline. A `Retry-After` of the provider is always
respected.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from reconciler.controller.build_report import PassResult
from reconciler.controller.requeue import Requeue, RequeueReason
from reconciler.model.job import Account, JobRef
from reconciler.model.report import Expired, ExpiredClock, Row

LAST_LOOK_S = 2.0
"""How long before a deadline the last observation starts, so that it can end in time."""
LAST_LOOK_SHARE = 5
"""The time for the last observation is at most the length of the deadline divided by this number."""
_FAILED = frozenset({RequeueReason.AGAIN, RequeueReason.RETRY})


@dataclass(slots=True)
class RunDeadlines:
    """The jobs that must still be polled, each with its deadline. Times are in monotonic seconds."""

    begun_at: float
    wait_s: float | None
    """The length of `--wait`; None if the run does not wait for changes in progress."""
    timeout_s: float
    due_at: dict[JobRef, float] = field(default_factory=dict)
    _expired: dict[JobRef, ExpiredClock] = field(default_factory=dict)
    """The jobs that were given up, each with the option whose deadline passed."""
    _looked_at: dict[JobRef, float] = field(default_factory=dict)
    """When each job was last polled. The first pass is not recorded."""
    _failing_since: dict[JobRef, float] = field(default_factory=dict)
    _ends_at: dict[JobRef, tuple[float, ExpiredClock]] = field(default_factory=dict)

    def take_in(self, result: PassResult, now: float, retry_s: float, again_s: float) -> None:
        """Schedule the next poll of each job that a pass requeued, or give up the job.

        Args:
            result: the result of the pass.
            now: when the pass ended.
            retry_s: the delay before a failure is retried.
            again_s: the delay before a job is decided again after a conflict.
        """
        on_the_way = {row.ref for row in result.report.rows if row.status.open_receipt is not None}
        for due in result.due:
            self._expired.pop(due.ref, None)
            if due.pace not in _FAILED:
                self._failing_since.pop(due.ref, None)
            if due.pace is RequeueReason.RESTING or (due.pace is RequeueReason.UNDER_WAY and self.wait_s is None):
                continue
            ends_at, length_s, which = self._end(due, now, is_on_the_way=due.ref in on_the_way)
            last_look_at = ends_at - min(LAST_LOOK_S, length_s / LAST_LOOK_SHARE)
            soonest = now + (due.retry_after_s or 0.0)
            if soonest >= last_look_at:
                self._expired[due.ref] = which
            else:
                self.due_at[due.ref] = max(soonest, min(now + _delay(due, retry_s, again_s), last_look_at))
                self._ends_at[due.ref] = ends_at, which

    def rest_s(self, now: float, busy: Container[Account]) -> float:
        """Return the seconds until the next job of an idle account is due, or infinity if there is none.

        An account is idle if it is not in `busy`, the accounts with a running worker.
        """
        free = (at for ref, at in self.due_at.items() if ref.account not in busy)
        return max(0.0, min(free, default=math.inf) - now)

    def pop_due(self, now: float, busy: Container[Account]) -> tuple[frozenset[JobRef], float, ExpiredClock]:
        """Remove and return the due jobs, with the latest of their deadlines and the option that sets it.

        Jobs of a busy account stay due until its worker has finished.
        """
        ripe = frozenset(ref for ref, at in self.due_at.items() if at <= now and ref.account not in busy)
        self.due_at = {ref: at for ref, at in self.due_at.items() if ref not in ripe}
        self._looked_at.update(dict.fromkeys(ripe, now))
        return ripe, *max((self._ends_at[ref] for ref in ripe), default=(math.inf, ExpiredClock.TIMEOUT))

    def left(self, rows: Iterable[Row]) -> tuple[Expired, ...]:
        """Return the deadlines that passed, each with the names of the jobs that were given up."""
        given_up = [(row.name, self._expired[row.ref]) for row in rows if row.ref in self._expired and _is_open(row)]
        lengths = {ExpiredClock.WAIT: self.wait_s or 0.0, ExpiredClock.TIMEOUT: self.timeout_s}
        return tuple(
            Expired(which, length_s, names)
            for which, length_s in lengths.items()
            if (names := tuple(name for name, clock in given_up if clock is which))
        )

    def _end(self, due: Requeue, now: float, *, is_on_the_way: bool) -> tuple[float, float, ExpiredClock]:
        """Return the earliest deadline of a job: its time, its length in seconds, and the option that sets it.

        `is_on_the_way` is whether a request for the job is still open, so that `--wait` applies to the job.
        """
        ends = []
        if self.wait_s is not None and (is_on_the_way or due.pace is RequeueReason.UNDER_WAY):
            ends.append((self.begun_at + self.wait_s, self.wait_s, ExpiredClock.WAIT))
        if due.pace in _FAILED:
            is_undecided = due.pace is RequeueReason.AGAIN
            begun_at = now if is_undecided else self._looked_at.get(due.ref, self.begun_at)
            since = self._failing_since.setdefault(due.ref, begun_at)
            ends.append((since + self.timeout_s, self.timeout_s, ExpiredClock.TIMEOUT))
        return min(ends)


def _is_open(row: Row) -> bool:
    return row.unobserved is not None or (row.status.is_reconciling and not row.status.is_stalled)


def _delay(due: Requeue, retry_s: float, again_s: float) -> float:
    match due.pace:
        case RequeueReason.AGAIN:
            return again_s
        case RequeueReason.RETRY:
            return max(retry_s, due.retry_after_s or 0.0)
        case _:
            return due.after.total_seconds()
