"""What a pass found, would do, or did: what `plan`, `--once` and their views are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Account, JobRef, ObservedJob
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, JobStatus, Verb

APPROVED_FOR = timedelta(hours=24)
"""How long a commit's approval holds."""
_BY_COMMIT = "Approve-Cancels "


class ExitCode(IntEnum):
    """How a command ends, as `sysexits.h` has it where it has a word for it."""

    OK = 0
    STALLED = 1
    CHANGES_PENDING = 2
    REFUSED = 3
    USAGE = 64
    INVALID_DOCUMENT = 65
    PROVIDER_UNSEEN = 69
    SOFTWARE = 70
    TIMED_OUT = 75
    CONFIGURATION = 78


PRECEDENCE = (
    ExitCode.SOFTWARE,
    ExitCode.REFUSED,
    ExitCode.CONFIGURATION,
    ExitCode.INVALID_DOCUMENT,
    ExitCode.STALLED,
    ExitCode.PROVIDER_UNSEEN,
    ExitCode.TIMED_OUT,
    ExitCode.CHANGES_PENDING,
)


def worst(codes: frozenset[ExitCode]) -> ExitCode:
    """Return the one that the process ends with, of several that hold."""
    return next((code for code in PRECEDENCE if code in codes), ExitCode.OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One request that should be made: data, to be compared, printed, refused or sent."""

    verb: Verb
    ref: JobRef
    name: str
    because: Because
    reason: str | None
    """The spec's own words, or the limit that was reached."""
    is_first_attempt: bool


@dataclass(frozen=True, slots=True)
class CommitApproval:
    """The line `Approve-Cancels: N` of a commit message, for the jobs whose wanted state that commit changed."""

    commit: str
    made_at: datetime
    count: int
    names: frozenset[str]

    @property
    def label(self) -> str:
        """What a receipt says that was let through by it; counting those is what makes it work once."""
        return f"{_BY_COMMIT}{self.commit}"


def is_by_commit(approved_by: str) -> bool:
    """Whether what a receipt says that it was approved by is a commit."""
    return approved_by.startswith(_BY_COMMIT)


class Progress(StrEnum):
    """What became of an action in this run."""

    PLANNED = "planned"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNANSWERED = "unanswered"
    NOT_DELIVERED = "not delivered"
    FORBIDDEN = "forbidden"
    REJECTED = "rejected"
    NOT_RECORDED = "not recorded"
    OVERTAKEN = "overtaken"
    """Its spec, or what is published, changed between the decision and the request; nothing was sent."""


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
    unseen: str | None = None
    """Why the provider could not be looked at for this job, if so; `status` is then what was known before."""


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
    unseen_reason: str | None = None
    message: str | None = None
    is_transient: bool = False
    is_configuration: bool = False
    retry_after_s: float | None = None

    @property
    def is_seen(self) -> bool:
        """Whether it was looked at, and seen."""
        return self.has_looked and self.unseen_reason is None


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

    def __str__(self) -> str:
        """Return the sentence with the numbers in it."""
        total = self.requested + self.earlier
        share = f"{total * 100 // self.unfinished} %" if self.unfinished else "all"
        earlier = f" and {self.earlier} in the last hour" if self.earlier else ""
        return (
            f"{self.requested} changes wanted at once{earlier}: {share} of {self.unfinished} unfinished jobs "
            f"({self.scope}); the limits are {self.max_cancels} and {self.max_cancel_percent} % together, "
            f"or {self.max_cancels_absolute} in any case"
        )


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
    is_dry: bool = False
    is_timed_out: bool = False
    exit_codes: frozenset[ExitCode] = field(default_factory=frozenset)

    def __repr__(self) -> str:
        """Return its size only: `asyncio.run` has its task, and so the result, shown whenever it ends."""
        return f"<Report of {len(self.rows)} rows>"

    @property
    def exit_code(self) -> ExitCode:
        """The one that the process ends with."""
        return worst(self.exit_codes)

    @property
    def changes(self) -> tuple[Row, ...]:
        """The rows for which something is to be asked of a provider."""
        return tuple(row for row in self.rows if row.action is not None)
