"""The report of a pass: what it observed, and which changes it requested or would request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.model.account_line import titled
from reconciler.model.action import Action, CommitApproval, Progress
from reconciler.model.capabilities import Capabilities
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.exit_code import ExitCode, worst
from reconciler.model.guard_use import GuardUse
from reconciler.model.job import Account, JobRef, ObservedJob, Unobserved
from reconciler.model.kind import JobDocument
from reconciler.model.money import Unpriced
from reconciler.model.price import Price
from reconciler.model.retirement import AnnouncedEnd
from reconciler.model.spec import DesiredState
from reconciler.model.status import JobStatus
from reconciler.model.sunk_cost import RefusedCost
from reconciler.model.transition import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One spec in a pass, with its desired state, the status of its job, and the action.

    `provider` and `wanted` are None if the spec is not valid, and `ref` is None if the job is not known. `before` is
    the status before the pass, or None if there was none. `action` and `progress` are None if no action was due.
    """

    name: str
    source: str
    """The file of the spec, relative to the specs directory."""
    provider: str | None
    ref: JobRef | None
    wanted: DesiredState | None
    status: JobStatus
    before: JobStatus | None
    action: Action | None = None
    progress: Progress | None = None
    seen: ObservedJob | None = None
    """The job as this pass observed it, or None. It has fields that a status does not have."""
    unobserved: Unobserved | None = None
    """Why the job could not be observed, or None if it was observed. With a reason, `status` is the last known status.
    """
    document: JobDocument | None = None
    """The spec, or None if it is not valid."""
    line: int | None = None
    """The line of the spec in its file, or None if it is not valid."""
    capabilities: Capabilities | None = None
    """What its provider declares about jobs of this kind, or None if the account is unknown."""
    price: Price | Unpriced | None = None
    """The price of the job, or why it has none. None if no prices are stated at all."""


def in_order(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return rows sorted by the names and files of their specs."""
    return tuple(sorted(rows, key=lambda row: (row.name, row.source)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """The result of one pass for one account, or the failure that statuses record for it."""

    name: str
    account: Account | None
    """The account, or None if the report was made from statuses."""
    jobs: int
    requests: int = 0
    has_observed: bool = True
    """Whether there was a job to observe, and reconcile did not stop the observation."""
    has_failed: bool = False
    """Whether this pass failed to observe the account.

    If this is False, `unobserved` is None, or it is a failure that an earlier pass found for other jobs of the account.
    """
    unobserved: Unobserved | None = None
    """Why the account, or some of its jobs, could not be observed, or None."""
    since: datetime | None = None
    """When the failure was first reported, if the report was made from statuses. None in the report of a pass."""

    @property
    def title(self) -> str:
        """The name of the account for display, with the kind of its jobs if they are not fine-tuning jobs."""
        return self.name if self.account is None else titled(self.name, self.account.kind)

    @property
    def is_seen(self) -> bool:
        """Whether the account was observed. Single jobs of it may still be unobserved."""
        return self.has_observed and self.unobserved is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A batch that the guard refused, with the numbers that led to the refusal."""

    scope: str
    """The text of the scope, such as an account or `overall`."""
    requested: int
    """The number of unapproved first attempts in the batch, including those that were refused earlier."""
    earlier: int
    """The number of unapproved first attempts of the last hour, and those that this pass has already allowed."""
    unfinished: int
    max_cancels: int
    max_cancel_percent: int
    max_cancels_absolute: int
    names: tuple[str, ...]
    doubt: str | None = None
    """Why the attempts of the last hour could not be counted, or None. If there is a reason, every batch is refused."""
    ignored: tuple[CommitApproval, ...] = ()
    """The approvals of commits for these specs that are ignored."""
    cost: RefusedCost | None = None
    """Why the sunk cost of these cancels led to the refusal, or None if the number of changes did."""

    def message_after(self, earlier: str | None) -> str:
        """Return the message for a status whose last message is `earlier`.

        The costs of jobs grow all the time. The earlier message is kept if only its amounts differ, so that a status
        that reports a refusal stays as it is.
        """
        message = str(self)
        if earlier is not None and self.cost is not None and self.cost.differs_only_in_amounts(message, earlier):
            return earlier
        return message

    def __str__(self) -> str:
        """Return the message that reports the refusal."""
        if self.cost is not None:
            return self.cost.text(self.requested, self.scope)
        changes = "1 change" if self.requested == 1 else f"{self.requested} changes"
        if self.doubt is not None:
            return f"{changes} wanted ({self.scope}), but the last hour cannot be counted: {self.doubt}"
        total = self.requested + self.earlier
        share = "no unfinished job is known"
        if self.unfinished:
            share = f"{total * 100 // self.unfinished} % of {self.unfinished} unfinished jobs"
        earlier = f", besides {self.earlier} allowed within the last hour" if self.earlier else ""
        return (
            f"{changes} wanted at once{earlier}: {share} "
            f"({self.scope}); the limit per hour is the larger of {self.max_cancels} and "
            f"{self.max_cancel_percent} %, but at most {self.max_cancels_absolute}"
        )


class ExpiredClock(StrEnum):
    """A time limit of a run, named after the option that sets it."""

    WAIT = "--wait"
    """How long the run waits for pending changes."""
    TIMEOUT = "--timeout"
    """How long the requests about a job may keep failing."""


@dataclass(frozen=True, slots=True)
class Expired:
    """A time limit that a run has reached."""

    clock: ExpiredClock
    length_s: float
    names: tuple[str, ...]
    """The jobs that were still pending or failing."""


@dataclass(frozen=True, slots=True)
class LastPass:
    """The last pass on this machine, and when a pass last observed each account."""

    at: datetime
    """When the pass ended."""
    command: str
    observed_at: Mapping[str, datetime]
    """When each account was last observed, by its account line (`model.account_line`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one pass, of all passes of `--once`, or of reading the statuses."""

    rows: tuple[Row, ...] = ()
    accounts: tuple[AccountReport, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unplanned: tuple[Action, ...] = ()
    """The changes that are wanted but not in the pinned plan, so they were not requested."""
    diagnostics: tuple[Diagnostic, ...] = ()
    errors: tuple[str, ...] = ()
    """Errors that no provider or document caused, such as bugs and files that could not be written."""
    notices: tuple[str, ...] = ()
    """Messages to report once, such as a discarded status."""
    revision: str | None = None
    """The commit of the specs, or None if it is unknown or the specs are not in Git."""
    published: str | None = None
    """The last commit in which this run published statuses, or None."""
    removed: tuple[str, ...] = ()
    """The names of the deleted specs whose statuses this run removed."""
    orphans: tuple[JobStatus, ...] = ()
    """The last statuses of deleted specs that no earlier pass reported. No change is requested for their jobs."""
    ends: tuple[AnnouncedEnd, ...] = ()
    """The announced ends that concern the accounts and models of the jobs, the next end first. Only a plan has them."""
    is_dry: bool = False
    """Whether this is the report of a plan or a dry run, in which nothing was requested or written."""
    is_shadow: bool = False
    """Whether this is the report of a run in shadow mode, in which no change was requested."""
    guard: Mapping[str, GuardUse] = field(default_factory=dict)
    """How much of the guard's limits each account uses with the changes of a plan, by account line. Only a plan has it.
    """
    last_pass: LastPass | None = None
    """The last pass if it is known and the report was made only from statuses, or None."""
    expired: tuple[Expired, ...] = ()
    """The time limits that this run reached, with the jobs that were still pending or failing."""
    exit_codes: frozenset[ExitCode] = field(default_factory=frozenset)

    def __repr__(self) -> str:
        """Return only the number of rows, because `asyncio.run` prints its task's result when it is interrupted."""
        return f"<Report of {len(self.rows)} rows>"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process: of all that apply, the one that takes precedence (`worst`)."""
        return worst(self.exit_codes)

    @property
    def is_timed_out(self) -> bool:
        """Whether changes were still pending when the time limit `--wait` expired."""
        return any(each.clock is ExpiredClock.WAIT for each in self.expired)

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """The transition of each job whose status changed."""
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
            if row.before is not row.status and row.before != row.status  # comparing the contents is slow
        )

    @property
    def changes(self) -> tuple[Row, ...]:
        """The rows of the jobs for which a change was due, whether or not it was requested."""
        return tuple(row for row in self.rows if row.action is not None)
