"""The report of a pass: what it observed and what it did or would do. `plan`, `--once` and their views read it."""

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
    """One spec in a pass: its desired state, the status of its job, and the action."""

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
    """The job as this pass observed it, including values that no status has, or None if it was not observed."""
    unseen: Unobserved | None = None
    """Why the job could not be observed, if so. `status` is then the last known one."""
    document: JobDocument | None = None
    """The spec, or None if it is not valid."""


def in_order(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return rows sorted by name, so that a reader finds one."""
    return tuple(sorted(rows, key=lambda row: (row.name, row.source)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """One account in one pass."""

    name: str
    account: Account | None
    jobs: int
    requests: int = 0
    has_looked: bool = True
    """Whether there was a job to observe."""
    has_failed: bool = False
    """Whether this pass failed to observe it. Otherwise `unseen` is from an earlier pass, about other jobs of the
    account."""
    unseen: Unobserved | None = None
    """Why the account, or some of its jobs, could not be observed."""
    since: datetime | None = None
    """When the failure was first reported, if that is known from a status and not from a pass."""

    @property
    def is_seen(self) -> bool:
        """Whether all of its jobs were observed."""
        return self.has_looked and self.unseen is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A batch that the guard refused, with the numbers."""

    scope: str
    """An account, or `overall`."""
    requested: int
    """The first attempts of the batch."""
    earlier: int
    """The first attempts of the last hour before it."""
    unfinished: int
    max_cancels: int
    max_cancel_percent: int
    max_cancels_absolute: int
    names: tuple[str, ...]
    doubt: str | None = None
    """Why the last hour could not be counted, if so. Then no number of changes is allowed."""

    def __str__(self) -> str:
        """Return the sentence that reports the refusal."""
        if self.doubt is not None:
            return f"{self.requested} changes wanted ({self.scope}), but the last hour cannot be counted: {self.doubt}"
        total = self.requested + self.earlier
        share = f"{total * 100 // self.unfinished} %" if self.unfinished else "all"
        earlier = f" and {self.earlier} in the last hour" if self.earlier else ""
        return (
            f"{self.requested} changes wanted at once{earlier}: {share} of {self.unfinished} unfinished jobs "
            f"({self.scope}); the limits are {self.max_cancels} and {self.max_cancel_percent} % together, "
            f"or {self.max_cancels_absolute} in any case"
        )


class ExpiredClock(StrEnum):
    """A time limit of a run, by the option that sets it."""

    WAIT = "--wait"
    """How long to wait for pending changes."""
    TIMEOUT = "--timeout"
    """How long failures may last."""


@dataclass(frozen=True, slots=True)
class Expired:
    """A time limit that a run reached."""

    clock: ExpiredClock
    length_s: float
    names: tuple[str, ...]
    """The jobs that were still pending or failing."""


@dataclass(frozen=True, slots=True)
class LastPass:
    """When the last pass on this machine ended, and when each account was last observed by one."""

    at: datetime
    command: str
    observed_at: Mapping[str, datetime]
    """By the line that names the account in statuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one pass."""

    rows: tuple[Row, ...] = ()
    accounts: tuple[AccountReport, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unplanned: tuple[Action, ...] = ()
    """The wanted changes that the pinned plan lacks, so that they were not requested."""
    diagnostics: tuple[Diagnostic, ...] = ()
    errors: tuple[str, ...] = ()
    """Errors on our side: bugs, and files that could not be written."""
    notices: tuple[str, ...] = ()
    """Messages to report once, such as a discarded status."""
    revision: str | None = None
    published: str | None = None
    """The last commit in which statuses were published, if any."""
    removed: tuple[str, ...] = ()
    """The names of the deleted specs whose statuses this run removed."""
    orphans: tuple[JobStatus, ...] = ()
    """The last statuses of jobs whose specs were deleted, if that is new. No further change is requested for them."""
    is_dry: bool = False
    last_pass: LastPass | None = None
    """The last pass, in a report that was made from statuses alone, if it is known."""
    expired: tuple[Expired, ...] = ()
    """The time limits that this run reached, with the jobs that were left."""
    exit_codes: frozenset[ExitCode] = field(default_factory=frozenset)

    def __repr__(self) -> str:
        """Return the size only: `asyncio.run` prints its task, and thereby this result, when it is interrupted."""
        return f"<Report of {len(self.rows)} rows>"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process."""
        return worst(self.exit_codes)

    @property
    def is_timed_out(self) -> bool:
        """Whether changes were still pending when `--wait` ended."""
        return any(each.clock is ExpiredClock.WAIT for each in self.expired)

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """The jobs whose status changed in this pass."""
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
        """The rows with a change request."""
        return tuple(row for row in self.rows if row.action is not None)
