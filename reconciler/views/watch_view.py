"""A running watch as its page shows it: every job with its state, and what a person on call asks first.

Rule: the rows of one pass lack what other passes found. A view adds the recorded failures of accounts and the last
observation of each job, so that the page, its totals and its links agree with `reconcile get`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from reconciler.model.outages import hiding, marked
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.status import Outcome, ProviderStatus, Receipt, Verb
from reconciler.model.watch_status import WatchStatus
from reconciler.views.row_state import JobState, RowState, row_state

NEEDS_A_PERSON = (JobState.REFUSED, JobState.STALLED)
"""The states in which a person must act."""
NOT_SEEN = (JobState.UNOBSERVED, JobState.OUT_OF_DATE)
"""The states in which the last status may be outdated."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job of the page."""

    row: Row
    state: RowState
    unseen_since: datetime | None
    """When the failure was first reported that hides the job; None if no recorded failure hides it."""


@dataclass(frozen=True, slots=True)
class WatchView:
    """The watch, and its jobs sorted by name."""

    watch: WatchStatus
    lines: tuple[JobLine, ...]

    def named(self, name: str) -> tuple[JobLine, ...]:
        """Return the jobs of a name. There are several if two specs have the same name."""
        return tuple(line for line in self.lines if line.row.name == name)

    def in_state(self, states: Iterable[JobState]) -> tuple[JobLine, ...]:
        """Return the jobs in these states."""
        wanted = set(states)
        return tuple(line for line in self.lines if line.state.job_state in wanted)

    def hidden_by(self, outage: ProviderStatus) -> tuple[JobLine, ...]:
        """Return the jobs that a failure hides."""
        return tuple(line for line in self.in_state(NOT_SEEN) if _is_hidden_by(line, outage))

    def cancelled_on(self, day: date) -> list[tuple[JobLine, Receipt]]:
        """Return the jobs whose cancel was confirmed on a day (UTC), the latest first, each with its receipt."""
        found = [
            (line, receipt)
            for line in self.lines
            for receipt in line.row.status.receipts
            if receipt.verb is Verb.CANCEL
            and receipt.outcome in {Outcome.CANCELLED, Outcome.GONE}
            and receipt.confirmed_at is not None
            and receipt.confirmed_at.astimezone(UTC).date() == day
        ]
        return sorted(found, key=lambda each: each[1].confirmed_at or datetime.min.replace(tzinfo=UTC), reverse=True)


def watch_view(watch: WatchStatus) -> WatchView:
    """Return the view of a watch."""
    return WatchView(watch, tuple(_line(row, watch) for row in watch.report.rows))


def changed_names(before: WatchView, after: WatchView) -> list[str]:
    """Return the names of the jobs whose line differs, or that only one of the two views has."""
    old = {(line.row.name, line.row.source): line for line in before.lines}
    new = {(line.row.name, line.row.source): line for line in after.lines}
    changed = {key for key in old.keys() | new.keys() if not _is_same(old.get(key), new.get(key))}
    return sorted({name for name, _ in changed})


def _line(row: Row, watch: WatchStatus) -> JobLine:
    outage = hiding(row, watch.outages)
    if outage is not None:
        row = marked(row, (outage,))
    if row.seen is None and row.ref is not None and row.ref in watch.observed:
        row = replace(row, seen=watch.observed[row.ref])
    return JobLine(row, _state(row), outage.since if outage else None)


def _state(row: Row) -> RowState:
    """Return the state of a row. A refusal stays one in the passes after the pass that refused."""
    state = row_state(row)
    is_refused = state.job_state is JobState.STALLED and state.reason == Reason.REFUSED_BY_GUARD
    return replace(state, job_state=JobState.REFUSED) if is_refused else state


def _is_hidden_by(line: JobLine, outage: ProviderStatus) -> bool:
    ref = line.row.ref
    return ref is not None and outage.hides(str(ref.account), ref.id) and not line.row.status.final


def _is_same(one: JobLine | None, other: JobLine | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.state, one.row.wanted, one.row.status) == (other.state, other.row.wanted, other.row.status)
