"""What a pass found, would do, or did: what `plan`, `--once` and their views are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.model.action import Action, Progress
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.exit_code import ExitCode, worst
from reconciler.model.job import Account, JobRef, ObservedJob, Unobserved
from reconciler.model.kind import JobDocument
from reconciler.model.spec import DesiredState
from reconciler.model.status import JobStatus
from reconciler.model.transition import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One spec: what it wants, what is, and what was done or would be."""

    name: str
    source: str
    provider: str | None
    ref: JobRef | None
    wanted: DesiredState | None
    status: JobStatus
    before: JobStatus | None
    action: Action | None = None
    progress: Progress | None = None
    seen: ObservedJob | None = None
    """The job as this pass saw it, with what moves by itself and is in no status; None where nobody looked."""
    unseen: Unobserved | None = None
    """Why the job could not be observed, if so; `status` is then what was known before."""
    document: JobDocument | None = None
    """The spec itself; None where it is not valid."""


def in_order(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return rows in the order of their names, which is where a reader looks for one."""
    return tuple(sorted(rows, key=lambda row: (row.name, row.source)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """One account in one pass."""

    name: str
    account: Account | None
    jobs: int
    requests: int = 0
    has_looked: bool = True
    """Whether there was anything to look at."""
    has_failed: bool = False
    """Whether this pass found what is wrong with it; otherwise it is from an earlier look, at other jobs of it."""
    unseen: Unobserved | None = None
    """Why the account, or some of its jobs, could not be observed."""
    since: datetime | None = None
    """Since when it has not been observed, where that is what a status tells, and not a pass."""

    @property
    def is_seen(self) -> bool:
        """Whether it was looked at, and seen."""
        return self.has_looked and self.unseen is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A batch that the guard stopped, with the numbers."""

    scope: str
    """An account, or `overall`."""
    requested: int
    earlier: int
    unfinished: int
    max_cancels: int
    max_cancel_percent: int
    max_cancels_absolute: int
    names: tuple[str, ...]
    doubt: str | None = None
    """Why the last hour could not be counted, if so: then no number of changes is few enough."""

    def __str__(self) -> str:
        """Return the sentence with the numbers in it, or why there are none."""
        if self.doubt is not None:
            return (
                f"{self.requested} changes wanted ({self.scope}), and the last hour's cannot be counted: {self.doubt}"
            )
        total = self.requested + self.earlier
        share = f"{total * 100 // self.unfinished} %" if self.unfinished else "all"
        earlier = f" and {self.earlier} in the last hour" if self.earlier else ""
        return (
            f"{self.requested} changes wanted at once{earlier}: {share} of {self.unfinished} unfinished jobs "
            f"({self.scope}); the limits are {self.max_cancels} and {self.max_cancel_percent} % together, "
            f"or {self.max_cancels_absolute} in any case"
        )


class ExpiredClock(StrEnum):
    """What bounds a run, by the option that sets it."""

    WAIT = "--wait"
    """How long what is on its way is waited for."""
    TIMEOUT = "--timeout"
    """How long something may fail."""


@dataclass(frozen=True, slots=True)
class Expired:
    """A clock that ran out."""

    clock: ExpiredClock
    length_s: float
    names: tuple[str, ...]
    """The jobs that were left."""


@dataclass(frozen=True, slots=True)
class LastPass:
    """When the last pass on this machine ended, and when each account was last observed by one."""

    at: datetime
    command: str
    observed_at: Mapping[str, datetime]
    """By the line that stands in statuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One pass, whole."""

    rows: tuple[Row, ...] = ()
    accounts: tuple[AccountReport, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unplanned: tuple[Action, ...] = ()
    """What is wanted now and the pinned plan does not hold, so that it was not asked for."""
    diagnostics: tuple[Diagnostic, ...] = ()
    errors: tuple[str, ...] = ()
    """Bugs and disks: what went wrong on our side."""
    notices: tuple[str, ...] = ()
    """What a person should know once, such as a status that was discarded."""
    revision: str | None = None
    published: str | None = None
    """The last commit that statuses were published as, if they were."""
    removed: tuple[str, ...] = ()
    """The names of the deleted specs whose statuses went in this run."""
    orphans: tuple[JobStatus, ...] = ()
    """What was last known of the jobs whose specs are gone, where that is news: nothing is asked for them any more."""
    is_dry: bool = False
    last_pass: LastPass | None = None
    """Of a report that was made from statuses, where it is known."""
    expired: tuple[Expired, ...] = ()
    """Which clocks of this run ran out, and what was left then."""
    exit_codes: frozenset[ExitCode] = field(default_factory=frozenset)

    def __repr__(self) -> str:
        """Return its size only: `asyncio.run` has its task, and so the result, shown whenever it ends."""
        return f"<Report of {len(self.rows)} rows>"

    @property
    def exit_code(self) -> ExitCode:
        """The one that the process ends with."""
        return worst(self.exit_codes)

    @property
    def is_timed_out(self) -> bool:
        """Whether something was still on its way when `--wait` ran out."""
        return any(each.clock is ExpiredClock.WAIT for each in self.expired)

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """What is news: the jobs whose status is another one than before."""
        return tuple(
            Transition(
                name=row.name,
                ref=row.ref,
                before=row.before,
                after=row.status,
                action=row.action,
                progress=row.progress,
            )
            for row in self.rows
            if row.before != row.status
        )

    @property
    def changes(self) -> tuple[Row, ...]:
        """The rows for which something is to be asked of a provider."""
        return tuple(row for row in self.rows if row.action is not None)
