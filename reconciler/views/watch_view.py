"""A running watch as its page shows it: every job with its state, and the jobs in each state.

Rule: the rows of one pass lack what other passes found. A view adds the recorded failures of accounts and the last
observation of each job, so that the page, its totals and its links agree with `reconcile get`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property

from reconciler.model.job import ObservedJob
from reconciler.model.money import Cost
from reconciler.model.outages import hidden, hiding, is_hidden
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.status import ProviderStatus, Receipt
from reconciler.model.watch_status import WatchStatus
from reconciler.views.cost_text import spent
from reconciler.views.row_state import JobState, RowState, row_state
from reconciler.views.usage import expected_end, used_tokens

NEEDS_A_PERSON = (JobState.REFUSED, JobState.STALLED)
"""The states in which a person must act."""
NOT_SEEN = (JobState.UNOBSERVED, JobState.OUT_OF_DATE)
"""The states in which the last status may be outdated."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job as the page shows it. `row` is that of the last pass, completed by what earlier passes observed."""

    row: Row
    state: RowState
    unseen_since: datetime | None
    """When the failure that hides the job was first reported; None if no recorded failure hides it."""
    cost: Cost | None = None
    """What the job had cost when the last pass ended.

    None before the first pass ends, if no prices are stated at all, or if the job was never observed.
    """


@dataclass(frozen=True)
class JobLines:
    """The jobs of a pass, sorted by name, and what is counted in all of them. Each count is computed once."""

    lines: tuple[JobLine, ...]

    @cached_property
    def by_state(self) -> Mapping[JobState, tuple[JobLine, ...]]:
        """The jobs in each state, which may be none."""
        found: dict[JobState, list[JobLine]] = {state: [] for state in JobState}
        for line in self.lines:
            found[line.state.job_state].append(line)
        return {state: tuple(lines) for state, lines in found.items()}

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The names of the kinds of the jobs."""
        return frozenset(line.row.status.kind.name for line in self.lines)

    @cached_property
    def providers(self) -> tuple[str, ...]:
        """The names of the providers of the jobs."""
        return tuple(sorted({line.row.provider for line in self.lines if line.row.provider}))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels of the jobs, each as `key=value`."""
        documents = (line.row.document for line in self.lines)
        return tuple(
            sorted({f"{key}={each.metadata.labels[key]}" for each in documents if each for key in each.metadata.labels})
        )

    @cached_property
    def has_ends(self) -> bool:
        """Whether a provider reports when one of the jobs is expected to end."""
        return any(expected_end(line.row) for line in self.lines)

    @cached_property
    def has_tokens(self) -> bool:
        """Whether one of the jobs has used tokens."""
        return any(used_tokens(line.row) for line in self.lines)

    @cached_property
    def has_prices(self) -> bool:
        """Whether the page shows costs: at least one of the jobs has a cost, or a reason why its cost is unknown."""
        return any(line.cost is not None for line in self.lines)

    @cached_property
    def by_key(self) -> Mapping[tuple[str, str], JobLine]:
        """The jobs by the name and the file of their specs."""
        return {(line.row.name, line.row.source): line for line in self.lines}


@dataclass(frozen=True, slots=True)
class WatchView:
    """A running watch, with each of its jobs as the page shows it."""

    watch: WatchStatus
    jobs: JobLines

    @property
    def lines(self) -> tuple[JobLine, ...]:
        """The jobs, sorted by name."""
        return self.jobs.lines

    def costs_at(self, now: datetime) -> datetime:
        """Return the time of the costs: the end of the last pass, so that they agree with the metrics."""
        return self.watch.finished_at or now

    def named(self, name: str) -> tuple[JobLine, ...]:
        """Return the jobs with this name. There are several if two specs have the name."""
        return tuple(line for line in self.lines if line.row.name == name)

    def in_state(self, states: Iterable[JobState]) -> tuple[JobLine, ...]:
        """Return the jobs in these states."""
        return tuple(line for state in states for line in self.jobs.by_state[state])

    def hidden_by(self, outage: ProviderStatus) -> tuple[JobLine, ...]:
        """Return the jobs whose current state a failure of their account hides."""
        return tuple(line for line in self.in_state(NOT_SEEN) if is_hidden(line.row, outage))

    def cancelled_on(self, day: date) -> list[tuple[JobLine, Receipt]]:
        """Return the jobs whose cancel was confirmed on a day (UTC), the latest first, each with its receipt."""
        found = [
            (line, receipt)
            for line in self.lines
            for receipt in line.row.status.receipts
            if receipt.has_cancelled
            and receipt.confirmed_at is not None
            and receipt.confirmed_at.astimezone(UTC).date() == day
        ]
        return sorted(found, key=lambda each: each[1].confirmed_at or datetime.min.replace(tzinfo=UTC), reverse=True)


def watch_view(watch: WatchStatus, before: WatchView | None = None) -> WatchView:
    """Return the view of a watch. The lines of unchanged jobs are taken from `before`, the view of an earlier pass."""
    known = before.jobs.by_key if before is not None else {}
    lines = (_line(row, watch, known.get((row.name, row.source))) for row in watch.report.rows)
    return WatchView(watch, JobLines(tuple(lines)))


def changed_names(before: WatchView, after: WatchView) -> list[str]:
    """Return the names of the jobs whose line differs, or that only one of the two views has."""
    old, new = before.jobs.by_key, after.jobs.by_key
    changed = {key for key in old.keys() | new.keys() if not _is_same(old.get(key), new.get(key))}
    return sorted({name for name, _ in changed})


def _line(row: Row, watch: WatchStatus, known: JobLine | None) -> JobLine:
    seen = watch.last_seen(row)
    outage = hiding(row, watch.outages) if watch.outages else None
    if outage is not None:
        row = hidden(row, outage)
    same = known if known is not None and _is_as_before(row, seen, known.row) else None
    if same is not None and row.price is None:
        return same
    if seen is not row.seen:
        row = replace(row, seen=seen)
    cost = spent(row, watch.finished_at) if watch.finished_at is not None else None
    if same is not None:
        return replace(same, cost=cost)
    return JobLine(row, _state(row), outage.since if outage else None, cost)


def _is_as_before(row: Row, seen: ObservedJob | None, before: Row) -> bool:
    """Return whether a row of an observed job has not changed since an earlier row of the job."""
    is_same = row.status is before.status and row.document is before.document and seen is before.seen
    is_same = is_same and row.price == before.price
    is_observed = row.unobserved is None and before.unobserved is None
    return is_same and is_observed and (row.line, row.progress) == (before.line, before.progress)


def _state(row: Row) -> RowState:
    """Return the state of a row. A refused change stays `REFUSED` in later passes that do not repeat the refusal."""
    state = row_state(row)
    is_refused = state.job_state is JobState.STALLED and state.reason == Reason.REFUSED_BY_GUARD
    return replace(state, job_state=JobState.REFUSED) if is_refused else state


def _is_same(one: JobLine | None, other: JobLine | None) -> bool:
    if one is None or other is None or one is other:
        return one is other
    return (one.state, one.row.wanted, one.row.status) == (other.state, other.row.wanted, other.row.status)
