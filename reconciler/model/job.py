"""What a provider reports of a job, in words shared by all providers.

Nothing here judges. An unknown status word, a null and a missing field each keep their own value, so that
the decision core, not an adapter, says what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

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
class JobPage:
    """One page of a list. `next_cursor` is None on the last one."""

    jobs: tuple[ObservedJob, ...]
    next_cursor: str | None


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
class Seen:
    """A look that worked. `job` is None where the provider said, in its own words, that there is none."""

    job: ObservedJob | None


@dataclass(frozen=True, slots=True)
class Unseen:
    """A look that failed, was partial or is not believed. It never leads to an action."""

    reason: Reason
    message: str
    retry_after_s: float | None = None
    is_transient: bool = True
    is_configuration: bool = False
    """Because the operator has not set something, such as a credential."""


Look = Seen | Unseen
