"""The status of a job, which is written to a file in the status tree. All records are frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.model.job import JobCounts, JobError, Phase
from reconciler.model.kind import FINE_TUNING, JobKind
from reconciler.model.money import RecordedAmount
from reconciler.model.reason import Reason

RECEIPTS_MAX = 5
HISTORY_MAX = 10
MESSAGE_MAX = 1024
NOT_JUDGED = "cannot be judged"
"""The phrase in the message of `Ready` that reports a limit that cannot be judged."""


class Verb(StrEnum):
    """The changes that can be requested."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"


class Because(StrEnum):
    """The cause of a request: the desired state in the spec, or a limit that the job exceeds."""

    DESIRED_STATE = "DesiredState"
    LIMIT_REACHED = "LimitReached"


class Outcome(StrEnum):
    """The outcome of a request.

    `running` is the outcome of a resume, even if the job is first queued again or validates its files. The outcome is
    `gone` if the job is absent after an accepted cancel, and `withdrawn` if the change is no longer wanted. The other
    values are observed phases.
    """

    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PAUSED = "paused"
    RUNNING = "running"
    GONE = "gone"
    WITHDRAWN = "withdrawn"


class ConditionType(StrEnum):
    """The condition types. `Ready` is always present. The others are present only while true, and never both."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class ConditionStatus(StrEnum):
    """The status of a condition: the three values that Kubernetes defines, as text."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition, with the fields that it has in Kubernetes."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str
    observed_generation: int
    last_transition_time: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """The commit that last changed the spec, and its author."""

    commit: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The record of one change that reconcile requests. It is on disk before the request is sent."""

    verb: Verb
    because: Because
    reason: str | None
    """The `reason` of the spec, or the limit that was exceeded. None if the spec had no reason."""
    origin: Origin | None
    """The commit that last changed the spec, or None if it is unknown."""
    requested_at: datetime
    last_attempt_at: datetime
    attempts: int
    accepted_at: datetime | None = None
    """When the provider last accepted an attempt, or None if it accepted none."""
    confirmed_at: datetime | None = None
    """When an observation showed the outcome, or None if none did or the provider refused every attempt."""
    outcome: Outcome | None = None
    """The outcome, or None while the receipt is open."""
    approved_by: str | None = None
    """The label of the approval, or None. The guard does not count an approved attempt."""
    refusals: int = 0
    """How many attempts the provider refused while the job continued."""
    not_spent: RecordedAmount | None = None
    """The spending that the cancel prevents, as estimated when it was requested. None if unknown."""
    sunk_cost: RecordedAmount | None = None
    """What the job had cost when the cancel was first requested. None if unknown."""

    @property
    def has_cancelled(self) -> bool:
        """Whether an observation confirmed that the cancel took effect."""
        is_effective = self.verb is Verb.CANCEL and self.outcome in {Outcome.CANCELLED, Outcome.GONE}
        return is_effective and self.confirmed_at is not None

    @property
    def is_open(self) -> bool:
        """Whether the outcome is still unknown."""
        return self.outcome is None

    @property
    def is_refused(self) -> bool:
        """Whether the provider refused every attempt while the job continued, so that none had an effect."""
        return self.accepted_at is None and self.refusals >= self.attempts

    @property
    def is_moot(self) -> bool:
        """Whether the job changed although the provider accepted no attempt, so the request is not the cause."""
        is_ended = self.outcome not in {None, Outcome.WITHDRAWN}
        return is_ended and self.accepted_at is None and self.confirmed_at is None


@dataclass(frozen=True, slots=True)
class RememberedAttempt:
    """A first attempt whose receipt was dropped. `account` is empty without a job, and `verb` is None for a cancel."""

    account: str
    requested_at: datetime
    approved_by: str | None = None
    verb: Verb | None = None
    sunk_cost: RecordedAmount | None = None


@dataclass(frozen=True, slots=True)
class LimitWarning:
    """The warning that a limit is about to cancel the job. The limit acts `warnBefore` after it, or later."""

    limit: str
    """The limit with its value, such as `maxAge 24h`."""
    since: datetime
    """When the warning was first written."""
    cost: str | None = None
    """What the job had cost then, for a limit of the cost."""
    price: str | None = None
    """The price from which that cost was computed."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One transition in the history of a status: its time, and the phase and reason that it led to."""

    at: datetime
    phase: Phase
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """The identity of the job, and the facts that the provider last reported about it.

    Which of these facts a job has depends on its kind (`JobKind.facts`). All other facts keep their defaults. A fact is
    None if the provider has not reported it. If the provider reports no start time, `started_at` is when reconcile
    first observed the job running. `account` is the account line (`model.account_line`).
    """

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
    output_file: str | None = None
    expires_at: datetime | None = None
    counts: JobCounts | None = None
    tokens: int | None = None

    @property
    def was_seen(self) -> bool:
        """Whether the provider ever showed this job."""
        return self.provider_status is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """The status of one job. The digest in its file is not a field, because it is computed from the file's content."""

    name: str
    observed_generation: int
    """The number of the spec's version, which reconcile counts from 1. 0 if no valid spec has been acted on."""
    observed_spec: str | None
    """The digest of the spec that the status is about (`spec_digest`). None if no valid spec has been acted on."""
    source: str
    """The file of the spec, relative to the specs directory."""
    phase: Phase
    final: bool
    """Whether the job has ended for good in this phase (`core.finality`)."""
    conditions: tuple[Condition, ...]
    job: JobFacts | None
    """The facts about the job, or None if it has not been observed yet."""
    receipts: tuple[Receipt, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    doubted_at: datetime | None = None
    """When an observation first contradicted a final phase. None once another observation has resolved the doubt."""
    warning: LimitWarning | None = None
    """The warning of a limit that is near, or None."""
    paused_elsewhere: str | None = None
    """The digest, without `suspend`, of the spec against which something else paused the job, or None."""
    spent: tuple[RememberedAttempt, ...] = ()
    """The first attempts of dropped receipts. Their key in the file is `spent`."""
    kind: JobKind = FINE_TUNING

    def condition(self, type_: ConditionType) -> Condition | None:
        """Return the condition of a type, or None if it is not present."""
        return next((each for each in self.conditions if each.type is type_), None)

    @property
    def ready(self) -> Condition:
        """The `Ready` condition. Raises `LookupError` for a draft, which may not have one yet."""
        for each in self.conditions:
            if each.type is ConditionType.READY:
                return each
        msg = f"the status of {self.name} has no Ready condition"
        raise LookupError(msg)

    @property
    def is_ready(self) -> bool:
        """Whether no change is needed: the job is in its desired state, or has ended in a way that satisfies it."""
        return self.ready.status is ConditionStatus.TRUE

    @property
    def has_unjudged_limit(self) -> bool:
        """Whether the job is in its desired state but has a limit that cannot be judged."""
        is_as_desired = self.is_ready and self.ready.reason in {Reason.AS_DESIRED, Reason.LIMIT_NEAR}
        return is_as_desired and NOT_JUDGED in self.ready.message

    @property
    def is_stalled(self) -> bool:
        """Whether a person must act."""
        return self.condition(ConditionType.STALLED) is not None

    @property
    def is_reconciling(self) -> bool:
        """Whether the condition `Reconciling` is present: a change is in progress or due, or an observation is awaited.

        An observation is awaited if the current spec was not observed yet, or if the provider reports an unknown phase.
        """
        return self.condition(ConditionType.RECONCILING) is not None

    @property
    def open_receipt(self) -> Receipt | None:
        """The receipt whose outcome is not known yet, or None. There is at most one, the newest."""
        for each in self.receipts:
            if each.is_open:
                return each
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """Why an account, or some of its jobs, cannot be observed.

    The failure is written once, to `status/_providers/`, and not to the status of each job.
    """

    name: str
    account: str
    """The account line (`model.account_line`)."""
    reason: Reason
    message: str
    since: datetime
    """When the failure was first reported."""
    jobs: tuple[str, ...] = ()
    """The ids of the jobs that cannot be observed. If it is empty, no job of the account can be observed."""

    def hides(self, account: str, job_id: str) -> bool:
        """Return whether a job is one of those that cannot be observed."""
        return account == self.account and (not self.jobs or job_id in self.jobs)
