"""The Protocols: what the loop needs of the world, and what a provider is given.

Whoever implements one of these raises `Transient` or `Permanent` for a provider's failure, `OSError` for a disk's,
and nothing else on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from reconciler.errors import Kind, Permanent
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Account, Capabilities, JobEvent, JobPage, JobRef, ListQuery, ObservedJob
from reconciler.model.plan import CommitApproval
from reconciler.model.spec import FineTuningJob, Provider, Settings
from reconciler.model.status import JobStatus, Origin, ProviderStatus

# --- providers -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whole. `headers` has lower-case names; `at` is its `Date`, where it had a valid one."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: datetime | None = None
    retry_after_s: float | None = None

    def json(self) -> Any:
        """Return the body as JSON. Raises `Permanent(invalid)` where it is something else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            msg = f"the answer (HTTP {self.status}) is not JSON: this is not the API that was expected"
            raise Permanent(msg, kind=Kind.INVALID) from None


Sign = Callable[[str, str, bytes], Mapping[str, str]]
"""Given a request's method, whole URL and body, returns the headers that vouch for it."""


class Transport(Protocol):
    """How an adapter speaks to its account: bounded in time and rate, to that account's host only.

    `send` returns every answer whatever its status. It raises `Transient` where there is none, and `Permanent` for a
    redirect, for an answer over the size limit, and for a URL outside the account's base URL.
    """

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: object | None = None,
        headers: Mapping[str, str] | None = None,
        sign: Sign | None = None,
    ) -> Response:
        """Send one request to `base_url + path`, and return the answer.

        `sign` is asked when it is the request's turn, so that a signature is of what is sent, and fresh.
        """
        ...

    def to_app(self, app: object) -> Transport:
        """Return a transport with the same limits and deadlines that speaks to an ASGI application in this process."""
        ...


class Credentials(Protocol):
    """Where an adapter gets its secret from, just before each request."""

    async def token(self) -> str:
        """Return the secret. Raises `Permanent(missing)` with a sentence that says what to set."""
        ...


class Now(Protocol):
    """The wall clock."""

    def __call__(self) -> datetime:
        """Return this moment, aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """One account, resolved: what an adapter is opened with."""

    account: Account
    options: BaseModel
    state_dir: Path | None
    """Where the embedded sandbox keeps its world; None keeps it in memory."""
    now: Now


class JobReader(Protocol):
    """What an adapter can be asked without changing anything."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page; the walk over pages is not the adapter's."""
        ...

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job; None only for the provider's own not-found answer for this id."""
        ...


class JobController(JobReader, Protocol):
    """A reader that can also stop a job."""

    async def cancel_job(self, ref: JobRef) -> ObservedJob | None:
        """Ask for a cancel. Returns the job if the answer shows it; quiet if the job is already over."""
        ...


@runtime_checkable
class SupportsPause(Protocol):
    """Only where `Capabilities.can_pause`."""

    async def pause_job(self, ref: JobRef) -> ObservedJob | None:
        """Ask for a pause."""
        ...

    async def resume_job(self, ref: JobRef) -> ObservedJob | None:
        """Ask for a resume."""
        ...


@runtime_checkable
class SupportsEvents(Protocol):
    """Only where `Capabilities.can_list_events`."""

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        """Return the job's newest log lines, newest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How gently an account is asked."""

    requests_per_second: float = 1.0
    burst: int = 10
    concurrency: int = 4


class ProviderType(Protocol):
    """One kind of provider: everything that is true of it before an account is opened."""

    @property
    def name(self) -> str:
        """The word in `spec.type`."""
        ...

    @property
    def options(self) -> type[BaseModel]:
        """The model of `spec.options`."""
        ...

    @property
    def id_pattern(self) -> str:
        """A regular expression that every job id of this type matches whole. No `/`, `..`, `?` unless it must."""
        ...

    @property
    def key_variable(self) -> str | None:
        """The variable that the vendor's SDK reads the secret from; None where no secret is needed."""
        ...

    @property
    def url_variable(self) -> str | None:
        """The variable that the vendor's SDK reads the base URL from."""
        ...

    @property
    def finds_credentials(self) -> bool:
        """Whether the vendor's library finds the secret where a spec names none.

        It is then opened with credentials whose token is empty, and `key_variable` is what a binding calls that secret.
        """
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    @property
    def rate(self) -> Rate:
        """How gently to ask, unless the Provider document says otherwise."""
        ...

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the options that are part of the account's identity, such as project and region."""
        ...

    def own_url(self, options: BaseModel) -> str | None:
        """Return the service's own address for these options; None where every account has its own.

        The usual secret goes to its host without the operator saying so: no option may lead away from the vendor.
        """
        ...

    def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AbstractAsyncContextManager[JobController]:
        """Open one account."""
        ...


D = TypeVar("D", FineTuningJob, Provider, Settings)

# --- the rest of the world -----------------------------------------------------------------------------------


class Clock(Protocol):
    """Time, so that tests can make it."""

    def now(self) -> datetime:
        """Return this moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that long."""
        ...


class Disk(Protocol):
    """The only way to files: seven operations, so that a test's disk can forget what was not synced."""

    def read(self, path: Path) -> bytes:
        """Return a file's bytes. Raises OSError."""
        ...

    def list(self, path: Path) -> list[Entry]:
        """Return what stands in a directory, sorted by name. Raises OSError."""
        ...

    def write(self, path: Path, data: bytes) -> None:
        """Create or replace a file's bytes, making its directories; nothing of this is durable yet."""
        ...

    def sync(self, path: Path) -> None:
        """Make a file's bytes durable."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in the place of another in one step."""
        ...

    def sync_dir(self, path: Path) -> None:
        """Make a directory's entries durable."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file, and nothing if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a directory. A symbolic link is neither file nor directory unless it points inside."""

    name: str
    is_dir: bool
    is_file: bool
    stamp: tuple[int, ...] | None = None
    """Of a file: as long as it is the same, so most likely are the bytes. None: nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Generic[D]):
    """A document, and where it stands."""

    document: D
    file: str
    """Relative to the specs directory, with `/`."""
    line: int
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)
    """Line by field path, such as `("spec", "jobId")`, for diagnostics that come later than parsing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenJob:
    """A job document that is not valid, but whose name can be read: its status must say so."""

    name: str
    file: str
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that stands under the specs directory at one moment."""

    jobs: tuple[Located[FineTuningJob], ...] = ()
    providers: tuple[Located[Provider], ...] = ()
    settings: tuple[Located[Settings], ...] = ()
    broken_jobs: tuple[BrokenJob, ...] = ()
    broken_providers: frozenset[str] = frozenset()
    """Names of Provider documents that are there and not valid."""
    broken_files: frozenset[str] = frozenset()
    """Files of which nothing, or not everything, could be read."""
    is_settings_broken: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()
    revision: str | None = None
    distrust: str | None = None
    """Why this revision is read and not acted on (`RevisionNotTrusted`), if so."""
    approvals: tuple[CommitApproval, ...] = ()
    """What the commits of the last day approve."""
    notices: tuple[str, ...] = ()
    """What a person should know of this revision."""


class SpecSource(Protocol):
    """Where the documents come from."""

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Read everything. Never raises for what a user wrote: that is in `diagnostics`.

        Without `by_content`, a file whose stamp has not changed since the last snapshot is not read again.
        """
        ...

    def current(self, file: str, name: str) -> FineTuningJob | None:
        """Return the job document as it stands at this moment, or None if it is gone or not valid."""
        ...

    def origin(self, file: str) -> Origin | None:
        """Return the commit that last changed a file, where there is a Git checkout that knows it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatuses:
    """The status tree as it was read."""

    jobs: tuple[JobStatus, ...] = ()
    providers: tuple[ProviderStatus, ...] = ()
    discarded: tuple[str, ...] = ()
    """Status files that count as none: unparsable, in conflict, or with a wrong digest."""
    too_new: tuple[str, ...] = ()
    """Status files of a later apiVersion: untouched, and no action for their jobs."""


class Publisher(Protocol):
    """Where statuses go besides the disk. Each method may raise `PublishError`."""

    @property
    def is_shared(self) -> bool:
        """Whether others publish there too, so that an intent must be there before its request leaves."""
        ...

    async def pull(self) -> None:
        """Put what is published in the place of what is on the disk."""
        ...

    async def publish(self, message: str) -> str | None:
        """Publish what changed; returns the revision, or None if nothing did. Raises `Overtaken`."""
        ...

    async def publish_on_top(self, message: str) -> str | None:
        """Publish what changed on top of whatever is there by now: for what has happened, and must not be lost."""
        ...


class Waker(Protocol):
    """Tells that something changed under the specs; what, is for a snapshot to find."""

    @property
    def is_alive(self) -> bool:
        """Whether a change would still be noticed."""
        ...

    async def wait(self) -> None:
        """Return after the next change."""
        ...


class StatusStore(Protocol):
    """Where statuses are kept."""

    def load(self, *, by_content: bool = True) -> StoredStatuses:
        """Read the whole tree. Without `by_content`, a file whose stamp has not changed is not read again."""
        ...

    def write(self, status: JobStatus, *, durable: bool) -> bool:
        """Write a status if its bytes differ from those that are there. Returns whether it did. Raises OSError."""
        ...

    def remove(self, status: JobStatus) -> None:
        """Remove a status file that was loaded."""
        ...

    def restore(self, status: JobStatus, last: JobStatus | None) -> None:
        """Put the last status back in the place of one that was written; none at all where there was none."""
        ...

    def write_provider(self, status: ProviderStatus) -> bool:
        """Write what is wrong with an account, if that is news."""
        ...

    def remove_provider(self, name: str) -> None:
        """Remove it: the account can be seen again."""
        ...
