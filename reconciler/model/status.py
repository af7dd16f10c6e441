"""What we say of a job: the status that stands beside its spec. All of it is frozen; `core` makes new ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.model.job import JobError, Phase
from reconciler.model.kind import FINE_TUNING, JobKind
from reconciler.model.reason import Reason

RECEIPTS_MAX = 5
HISTORY_MAX = 10
MESSAGE_MAX = 1024
NOT_JUDGED = "cannot be judged"
"""What `Ready` says, with why, of a limit that nobody can tell whether it is reached."""


class Verb(StrEnum):
    """What we can ask of a provider."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"


class Because(StrEnum):
    """Why we asked."""

    DESIRED_STATE = "DesiredState"
    LIMIT_REACHED = "LimitReached"


class Outcome(StrEnum):
    """How a request ended: the phase that a later look showed, or `gone`, or `withdrawn`."""

    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PAUSED = "paused"
    RUNNING = "running"
    GONE = "gone"
    WITHDRAWN = "withdrawn"


class ConditionType(StrEnum):
    """`Ready` is always there; the other two only while they are true, and never both."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class ConditionStatus(StrEnum):
    """Kubernetes's three values, as text."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition; the fields are Kubernetes's."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str
    observed_generation: int
    last_transition_time: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """The commit that last changed the spec, and who wrote it."""

    commit: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One request of ours: on disk before it is sent, closed by what a later look shows."""

    verb: Verb
    because: Because
    reason: str | None
    origin: Origin | None
    requested_at: datetime
    last_attempt_at: datetime
    attempts: int
    accepted_at: datetime | None = None
    confirmed_at: datetime | None = None
    outcome: Outcome | None = None
    approved_by: str | None = None
    """What let it past the guard, if something had to; such a receipt does not count against later ones."""
    refusals: int = 0
    """How many of its attempts the provider refused while the job went on."""

    @property
    def is_open(self) -> bool:
        """Whether nobody knows yet how it ended."""
        return self.outcome is None

    @property
    def is_refused(self) -> bool:
        """Whether the provider refused every attempt while the job went on: none of them had an effect."""
        return self.accepted_at is None and self.refusals >= self.attempts

    @property
    def is_moot(self) -> bool:
        """Whether the job ended and the provider had taken nothing: how it ended is none of our doing."""
        is_ended = self.outcome not in {None, Outcome.WITHDRAWN}
        return is_ended and self.accepted_at is None and self.confirmed_at is None


@dataclass(frozen=True, slots=True)
class RememberedAttempt:
    """A first attempt whose receipt is no longer there, because its spec names another job now; the guard counts it."""

    account: str
    requested_at: datetime
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One transition."""

    at: datetime
    phase: Phase
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What the provider last said of the job, and its identity."""

    account: str
    id: str
    provider_status: str | None = None
    model: str | None = None
    fine_tuned_model: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    trained_tokens: int | None = None
    error: JobError | None = None

    @property
    def was_seen(self) -> bool:
        """Whether the provider ever showed this job."""
        return self.provider_status is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """The whole status of one job, but for its digest, which is of the bytes that it is written as."""

    name: str
    observed_generation: int
    observed_spec: str | None
    source: str
    phase: Phase
    final: bool
    conditions: tuple[Condition, ...]
    job: JobFacts | None
    receipts: tuple[Receipt, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    doubted_at: datetime | None = None
    """When a look first contradicted a final phase, while no second one has."""
    spent: tuple[RememberedAttempt, ...] = ()
    kind: JobKind = FINE_TUNING

    def condition(self, type_: ConditionType) -> Condition | None:
        """Return the condition of that type, if it is there."""
        return next((each for each in self.conditions if each.type is type_), None)

    @property
    def ready(self) -> Condition:
        """The `Ready` condition; every status has one."""
        return next(each for each in self.conditions if each.type is ConditionType.READY)

    @property
    def is_ready(self) -> bool:
        """Whether the job is as its spec wants it."""
        return self.ready.status is ConditionStatus.TRUE

    @property
    def has_unjudged_limit(self) -> bool:
        """Whether the job is as its spec wants it, but for a limit that cannot be judged."""
        return self.is_ready and self.ready.reason is Reason.AS_DESIRED and NOT_JUDGED in self.ready.message

    @property
    def is_stalled(self) -> bool:
        """Whether a person must act."""
        return self.condition(ConditionType.STALLED) is not None

    @property
    def is_reconciling(self) -> bool:
        """Whether it is on its way."""
        return self.condition(ConditionType.RECONCILING) is not None

    @property
    def open_receipt(self) -> Receipt | None:
        """The request whose end nobody knows yet; there is at most one, and it is the newest."""
        return next((each for each in self.receipts if each.is_open), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """What is wrong with one account, in `status/_providers/`: one condition, not three hundred job files."""

    name: str
    account: str
    reason: Reason
    message: str
    since: datetime
    jobs: tuple[str, ...] = ()
    """The ids of the jobs that it keeps from being seen, where it does not keep all."""

    def hides(self, account: str, job_id: str) -> bool:
        """Whether it keeps a job from being seen."""
        return account == self.account and (not self.jobs or job_id in self.jobs)
