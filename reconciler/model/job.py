"""A provider's report about a job, in terms that all providers share.

The records do not interpret the report. An unknown status, a null and a missing field are each represented by a
distinct value, so that the core, not an adapter, decides what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum

from reconciler.model.account_line import EMBEDDED, FINE_TUNING_JOB, KIND_MARK, host_of
from reconciler.model.exit_code import ExitCode
from reconciler.model.reason import Reason


class Phase(StrEnum):
    """The state of a job at its provider, in one vocabulary for all providers."""

    VALIDATING_FILES = "validating_files"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """The provider reports a status that the adapter does not know. In a status file, this also means that the job was
    not observed yet.
    """
    ABSENT = "absent"
    """The provider responded "not found" for this id."""


TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})
"""The phases in which a job has ended."""
UNFINISHED = frozenset(
    {
        Phase.VALIDATING_FILES,
        Phase.QUEUED,
        Phase.RUNNING,
        Phase.PAUSING,
        Phase.PAUSED,
        Phase.CANCELLING,
    }
)
"""The phases in which a job has not ended. `unknown` and `absent` are neither terminal nor unfinished."""


class Unset(Enum):
    """The value of a field that a response left out, so that the last known value is kept."""

    UNSET = "unset"


UNSET = Unset.UNSET


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """The jobs of one kind in one account at a provider.

    A provider type, a normalised base URL and scoping options identify the account. The name of a Provider document is
    only an alias for it. Two documents may describe the same account.

    The kind is part of this record, so that everything that is recorded or counted by account is separate for each
    kind, such as receipts and limits on changes. All kinds of one account have the same `shared`. It is the key of what
    they share, such as the request rate.

    Raises `ValueError` if the type, the base URL or an option contains ` kind=`, because the account line would then be
    misread.
    """

    type: str
    base_url: str
    scope: tuple[tuple[str, str], ...] = ()
    kind: str = field(default=FINE_TUNING_JOB, kw_only=True)
    _line: str = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)
    """The line and the hash are computed once, because each lookup of a job uses them."""

    def __post_init__(self) -> None:
        """Compute the line and the hash. Raises `ValueError` if the line would contain a second mark of a kind."""
        line = " ".join([self.type, self.base_url, *(f"{key}={value}" for key, value in self.scope)])
        if KIND_MARK in line:
            msg = f"the address and the options of an account must not contain {KIND_MARK.strip()!r}"
            raise ValueError(msg)
        line += "" if self.kind == FINE_TUNING_JOB else f"{KIND_MARK}{self.kind}"
        object.__setattr__(self, "_line", line)
        object.__setattr__(self, "_hash", hash((self.type, self.base_url, self.scope, self.kind)))

    def __str__(self) -> str:
        """Return the account line (`model.account_line`), such as `openai https://api.openai.com/v1`."""
        return self._line

    def __hash__(self) -> int:
        """Return the hash of the compared fields."""
        return self._hash

    def of_kind(self, kind: str) -> Account:
        """Return the record for the jobs of this kind in the same account."""
        return self if kind == self.kind else replace(self, kind=kind)

    @property
    def shared(self) -> Account:
        """The record for the default kind in the same account. It is equal for all kinds of jobs in the account."""
        return self.of_kind(FINE_TUNING_JOB)

    @property
    def host(self) -> str:
        """The host and port of the base URL, such as `api.openai.com:443`."""
        return host_of(self.base_url)

    @property
    def is_embedded(self) -> bool:
        """Whether the jobs are simulated in this process, so that no request is sent to a host."""
        return self.type == EMBEDDED


@dataclass(frozen=True, slots=True, order=True)
class CredentialScope:
    """The host to which requests are sent, and the credential that they contain.

    Spec authors can describe one account in several Provider documents. Documents with the same host and credential
    have the same credential scope. Therefore allowed paths, the guard, `DuplicateJob` and the circuit breaker use it.
    """

    host: str
    """The host and port. For an embedded account, the account line."""
    credential: str
    """The name by which an operator knows the credential: a variable, or the path of a file with links resolved."""

    def __str__(self) -> str:
        """Return the text of the scope in messages."""
        return f"{self.host} with {self.credential}"


@dataclass(frozen=True, slots=True, order=True)
class JobRef:
    """The identity of a job: its account, which includes its kind, and the id that the provider assigned."""

    account: Account
    id: str

    def __hash__(self) -> int:
        """Return a hash of both fields. A pass looks up each job a dozen times, and this takes a third of the time."""
        return self.account._hash ^ hash(self.id)  # noqa: SLF001  a call of its `__hash__` would double the time

    @property
    def kind(self) -> str:
        """The name of the kind of the job."""
        return self.account.kind


@dataclass(frozen=True, slots=True)
class JobError:
    """The provider's error or note about a job that has ended, as the adapter read it.

    `param` is the parameter of the job that the error is about. A field is None if the provider does not report it.
    """

    code: str | None = None
    message: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many requests a batch has, and how many of them succeeded and failed so far. None is an unknown number."""

    total: int | None = None
    done: int | None = None
    failed: int | None = None

    def __str__(self) -> str:
        """Return a text such as `23 of 100 done`, or an empty string if `total` or `done` is unknown."""
        return "" if self.total is None or self.done is None else f"{self.done:,} of {self.total:,} done"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedJob:
    """A job as one response from the provider showed it.

    A field is `UNSET` if the response left it out, and None if its value was null or could not be read. All times are
    aware. Which of the fields a job has depends on its kind (`model.kind`). Only batches have `output_file`,
    `expires_at`, `counts` and `tokens`. An adapter must not use the time of a job's last update as `started_at` or
    `finished_at`.
    """

    id: str
    """The requested id, or the id in a list row."""
    phase: Phase
    """The adapter's translation of `provider_status`."""
    provider_status: str
    model: str | None | Unset = UNSET
    fine_tuned_model: str | None | Unset = UNSET
    created_at: datetime | None | Unset = UNSET
    started_at: datetime | None | Unset = UNSET
    finished_at: datetime | None | Unset = UNSET
    estimated_finish_at: datetime | None | Unset = UNSET
    trained_tokens: int | None | Unset = UNSET
    error: JobError | None | Unset = UNSET
    output_file: str | None | Unset = UNSET
    """The name of what contains the results: a file, a data set or an address."""
    expires_at: datetime | None | Unset = UNSET
    counts: JobCounts | None | Unset = UNSET
    tokens: int | None | Unset = UNSET
    """The number of tokens of the input and the output so far."""
    as_of: datetime | None = None
    """The provider's clock (the response's `Date` header), or None if the response has no such header."""
    aliases: tuple[str, ...] = ()
    """The other ids that the provider accepts for this job."""
    is_of_kind: bool | Unset = True
    """False for a job of a kind other than the account's, and `UNSET` if a list row does not show the kind.

    The value only decides whether a job without a spec is listed.
    """

    @property
    def ids(self) -> frozenset[str]:
        """The id and the aliases of the job."""
        return frozenset({self.id, *self.aliases})


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider accepted a change request. Only a later observation shows whether it took effect."""


@dataclass(frozen=True, slots=True)
class AlreadyOver:
    """A request had no effect, because the job has ended or is already in or entering the requested state.

    `job` is the job as the response or a later retrieve showed it. It is treated as an observation.
    """

    job: ObservedJob


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a list. `next_cursor` is None on the last page. `garbled` is the number of unreadable rows."""

    jobs: tuple[ObservedJob, ...]
    next_cursor: str | None
    garbled: int = 0


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of a list request. `page_size` is at most the adapter's `Capabilities.page_size_max`."""

    page_size: int


@dataclass(frozen=True, slots=True)
class Observed:
    """A successful observation. `job` is None if the provider responded that the job does not exist."""

    job: ObservedJob | None


@dataclass(frozen=True, slots=True)
class Unobserved:
    """An observation that failed, was incomplete or is doubted."""

    reason: Reason
    message: str
    retry_after_s: float | None = None
    """The shortest delay before the observation is repeated, in seconds, or None if none is known."""
    is_transient: bool = True
    """Whether a later observation may succeed without any action of a person."""
    is_configuration: bool = False
    """Whether the cause is a missing or unusable setting of the operator, such as a credential."""
    is_defect: bool = False
    """Whether the cause is a bug in reconcile or in an adapter."""
    was_requested: bool = True
    """Whether the job was requested from the provider.

    False if failures of other jobs ended the observation first, or if the throttle did not send the request.
    """

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that needed this observation."""
        if self.is_configuration:
            return ExitCode.CONFIGURATION
        is_invalid = self.reason in {Reason.INVALID_PROVIDER, Reason.INVALID_SPEC, Reason.DUPLICATE_JOB}
        return ExitCode.INVALID_DOCUMENT if is_invalid else ExitCode.PROVIDER_UNOBSERVED


Observation = Observed | Unobserved
