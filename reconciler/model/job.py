"""What a provider reports of a job, in words shared by all providers.

Nothing here judges. An unknown status word, a null and a missing field each keep their own value, so that
the decision core, not an adapter, says what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from reconciler.model.exit_code import ExitCode
from reconciler.model.reason import Reason


class Phase(StrEnum):
    """Where a job stands. Eight words of the field, and two of ours: `unknown` and `absent`."""

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
    """A word that we do not know: never terminal, never a reason to act."""
    ABSENT = "absent"
    """The provider's own not-found answer for this very id."""


TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})
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


class Unset(Enum):
    """The mark of a field that an answer left out. Left out is not null: the last value stays."""

    UNSET = "unset"


UNSET = Unset.UNSET


EMBEDDED = "sandbox"
"""The provider type whose jobs are in this process."""
_PORTS = {"https": 443, "http": 80}


def host_of(base_url: str) -> str:
    """Return where a normalised base URL leads, with the port."""
    scheme, _, rest = base_url.partition("://")
    host = rest.partition("/")[0]
    return host if host.rpartition(":")[2].isdecimal() else f"{host}:{_PORTS.get(scheme, scheme)}"


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """Whom we speak to: a provider type, its normalised base URL, its scoping options.

    A Provider document's name is only an alias of this; two documents may name one account.
    """

    type: str
    base_url: str
    scope: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return the one line that stands in status files, e.g. `openai https://api.openai.com/v1`."""
        return " ".join([self.type, self.base_url, *(f"{key}={value}" for key, value in self.scope)])

    @property
    def host(self) -> str:
        """Where its base URL leads, with the port."""
        return host_of(self.base_url)

    @property
    def is_embedded(self) -> bool:
        """Whether its jobs exist in this process alone, so that no other account can be meant by it."""
        return self.type == EMBEDDED


@dataclass(frozen=True, slots=True, order=True)
class CredentialScope:
    """What protects an account: the host that is asked, and the credential that is sent there.

    An author of specs can spell one account in many ways. This is what all of them have in common, so everything that
    protects goes by it: allowed paths, the guard, `DuplicateJob`, the circuit.
    """

    host: str
    """With the port; of an embedded account, its whole line."""
    credential: str
    """As an operator would write it: a variable, or a file's path after its links."""

    def __str__(self) -> str:
        """Return it as it stands in messages."""
        return f"{self.host} with {self.credential}"


@dataclass(frozen=True, slots=True, order=True)
class JobRef:
    """A job's identity: its account, and the id that the provider gave it."""

    account: Account
    id: str


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed, in the provider's words."""

    code: str | None = None
    message: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedJob:
    """One job as one answer of the provider showed it.

    `id` is the one that was asked for, or the one that a list gives. `aliases` are the other ids that the provider
    takes for this job. `phase` is the adapter's translation of `provider_status`, the provider's own word. `as_of` is
    the provider's clock (the answer's `Date`), where it gave one.
    """

    id: str
    phase: Phase
    provider_status: str
    model: str | None | Unset = UNSET
    fine_tuned_model: str | None | Unset = UNSET
    created_at: datetime | None | Unset = UNSET
    started_at: datetime | None | Unset = UNSET
    finished_at: datetime | None | Unset = UNSET
    estimated_finish_at: datetime | None | Unset = UNSET
    trained_tokens: int | None | Unset = UNSET
    error: JobError | None | Unset = UNSET
    as_of: datetime | None = None
    aliases: tuple[str, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """Every id that names it."""
        return frozenset({self.id, *self.aliases})


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took a request for a change. Only a later observation shows whether it took effect."""


@dataclass(frozen=True, slots=True)
class AlreadyOver:
    """The provider took nothing, because the job is where the request would bring it already: over, or on its way.

    `job` is the job as the provider showed it after that: an observation, which is believed as one.
    """

    job: ObservedJob


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a list. `next_cursor` is None on the last one; `garbled` rows show no job that can be told."""

    jobs: tuple[ObservedJob, ...]
    next_cursor: str | None
    garbled: int = 0


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What to list. `page_size` is at most the adapter's `Capabilities.page_size_max`."""

    page_size: int


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A line of a job's own log at the provider."""

    at: datetime | None
    level: str
    message: str


@dataclass(frozen=True, slots=True)
class JobCheckpoint:
    """A model that a job has left on its way, and that can be used."""

    at: datetime | None
    step: int | None
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do. The default is *cannot*: an adapter declares, nobody probes."""

    cancel_is_immediate: bool = False
    """A cancel that was accepted has happened; otherwise it is best effort and takes a while."""
    confirms: bool = True
    """False where `cancelling` is hidden behind `cancelled`: then only an end time confirms."""
    cancel_loses: str | None = None
    """What of a cancelled job's work is lost, where the provider's documents say so."""
    can_pause: bool = False
    can_list_events: bool = False
    can_list_checkpoints: bool = False
    has_whole_rows: bool = False
    """A list row carries every field that a retrieve does."""
    page_size_max: int = 20
    list_order: str | None = None
    """In which order a list comes, where that is promised or asked for."""
    filters: tuple[str, ...] = ()
    """What the service itself can filter a list by."""
    ends_on: str | None = None
    """The announced end of the service, with its source."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A look that worked. `job` is None where the provider said, in its own words, that there is none."""

    job: ObservedJob | None


@dataclass(frozen=True, slots=True)
class Unobserved:
    """An observation that failed, was incomplete or is doubted. It never leads to an action."""

    reason: Reason
    message: str
    retry_after_s: float | None = None
    is_transient: bool = True
    is_configuration: bool = False
    """Whether a setting of the operator is missing, such as a credential."""
    is_defect: bool = False
    """Whether a bug on our side is the cause."""

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that needed this observation."""
        if self.is_configuration:
            return ExitCode.CONFIGURATION
        is_invalid = self.reason in {Reason.INVALID_PROVIDER, Reason.INVALID_SPEC, Reason.DUPLICATE_JOB}
        return ExitCode.INVALID_DOCUMENT if is_invalid else ExitCode.PROVIDER_UNSEEN


Observation = Observed | Unobserved
