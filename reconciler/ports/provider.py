"""What a provider is given, and what it must be able to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from reconciler.errors import Kind, PermanentError
from reconciler.model.job import (
    Accepted,
    Account,
    AlreadyOver,
    Capabilities,
    JobCheckpoint,
    JobEvent,
    JobPage,
    JobRef,
    ListQuery,
    ObservedJob,
)

PAIRS_MAX = 600
"""So many letters of what is to be bound fit into a message, which a status cuts at 1,024."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whole. `headers` has lower-case names; `at` is its `Date`, where it had a valid one."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: datetime | None = None
    retry_after_s: float | None = None

    def json(self) -> Any:
        """Return the body as JSON. Raises `PermanentError(invalid)` where it is something else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            msg = f"the answer (HTTP {self.status}) is not JSON: this is not the API that was expected"
            raise PermanentError(msg, kind=Kind.INVALID) from None


@dataclass(frozen=True, slots=True)
class NotBound:
    """Why a credential must not be sent to a host, and what an operator would write to allow it."""

    why: str
    variable: str = ""
    """The variable that holds what the operator binds."""
    pair: str = ""
    """What would have to stand there besides the rest; empty where nothing would help."""

    def told(self, pairs: Iterable[str]) -> str:
        """Return the sentence that says what would allow this, together with all else that is not allowed yet."""
        if not self.pair:
            return self.why
        line = ",".join(sorted({self.pair, *pairs}))
        told = line if len(line) <= PAIRS_MAX else self.pair
        how = f"the operator sets {self.variable}='{told}'"
        more = ", besides what it holds already; commas separate its pairs" if "," in told else ""
        return f"{self.why}; only if that is what is meant, {how}{more}"


Sign = Callable[[str, str, bytes], Mapping[str, str]]
"""Given a request's method, whole URL and body, returns the headers that vouch for it."""


class Transport(Protocol):
    """How an adapter speaks to its account: bounded in time and rate, to that account's host only.

    `send` returns every answer whatever its status. It raises `TransientError` where there is none, and
    `PermanentError` for a redirect, for an answer over the size limit, and for a URL outside the account's base URL.
    Known secrets are struck out of every answer: what credentials gave, what went out in a header that authorises, and
    what `conceal` was told.
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

    def conceal(self, *secrets: str) -> None:
        """Remember secrets that go out in no header, such as one that signs, so that they are shown nowhere."""
        ...

    def to_app(self, app: object) -> Transport:
        """Return a transport with the same limits and deadlines that speaks to an ASGI application in this process."""
        ...


class Credentials(Protocol):
    """Where an adapter gets its secret from, just before each request."""

    async def token(self) -> str:
        """Return the secret. Raises `PermanentError(missing)` with a sentence that says what to set."""
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

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Ask for a cancel, and return what the provider made of it.

        An answer of 2xx without a job in it is `Accepted`. `AlreadyOver` is for a job that has ended or is being
        cancelled. Any other refusal raises `PermanentError`.
        """
        ...


@runtime_checkable
class SupportsPause(Protocol):
    """Only where `Capabilities.can_pause`."""

    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Ask for a pause. `AlreadyOver` is for a job that has ended, is paused or is pausing."""
        ...

    async def resume_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Ask for a resume. `AlreadyOver` is for a job that has ended or is not paused."""
        ...


@runtime_checkable
class SupportsEvents(Protocol):
    """Only where `Capabilities.can_list_events`."""

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        """Return the job's newest log lines, newest first."""
        ...


@runtime_checkable
class SupportsCheckpoints(Protocol):
    """Only where `Capabilities.can_list_checkpoints`."""

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        """Return the newest models that the job has left on its way, newest first."""
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

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the one spelling of a job's id that the job goes by in this account; pure.

        The id matches `id_pattern`. Where every job has one spelling, it is returned as it is. Raises ValueError with a
        sentence for people where no job of this account can have it.
        """
        ...

    @property
    def key_variable(self) -> str | None:
        """The variable that the vendor's SDK reads the secret from; None where no secret is needed."""
        ...

    @property
    def has_whole_key(self) -> bool:
        """Whether `key_variable` holds all of the secret, and not a part of it or the path of a file."""
        ...

    @property
    def url_variables(self) -> tuple[str, ...]:
        """The variables that the vendor's SDK reads the base URL from; the first that is set counts."""
        ...

    @property
    def option_variables(self) -> Mapping[str, tuple[str, ...]]:
        """For some options, by their names in a document, the variables that the vendor's SDK reads them from.

        They count where an account uses the usual key and its document leaves the option out.
        """
        ...

    @property
    def finds_credentials(self) -> bool:
        """Whether the vendor's library finds the secret where a spec names none, and no variable holds the whole of it.

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
