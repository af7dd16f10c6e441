"""The ports of a provider: what it is given, and what it must be able to do."""

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

BINDINGS_MAX = 600
"""The most characters of bindings in a message. A status cuts a message at 1,024."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer. `headers` has lower-case names; `at` is its `Date`, if it had a valid one."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: datetime | None = None
    retry_after_s: float | None = None

    def json(self) -> Any:
        """Return the body as JSON. Raises `PermanentError(invalid)` if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            msg = f"the answer (HTTP {self.status}) is not JSON: this is not the API that was expected"
            raise PermanentError(msg, kind=Kind.INVALID) from None


@dataclass(frozen=True, slots=True)
class NotBound:
    """Why a credential must not be sent to a host, and the setting with which an operator could allow it."""

    why: str
    variable: str = ""
    """The variable in which the operator lists bindings."""
    pair: str = ""
    """The binding that would allow it, or an empty text if none would."""

    def message(self, other_pairs: Iterable[str]) -> str:
        """Return the message, with one setting that allows this pair and all other pairs that are not bound yet."""
        if not self.pair:
            return self.why
        line = ",".join(sorted({self.pair, *other_pairs}))
        shown = line if len(line) <= BINDINGS_MAX else self.pair
        how = f"the operator sets {self.variable}='{shown}'"
        more = ", in addition to its current value; commas separate pairs" if "," in shown else ""
        return f"{self.why}; to allow that, {how}{more}"


Sign = Callable[[str, str, bytes], Mapping[str, str]]
"""Returns the headers that sign a request, given its method, complete URL and body."""


class Transport(Protocol):
    """The HTTP client of an adapter: limited in time and rate, and to the host of its account.

    `send` returns every answer, whatever its status. It raises `TransientError` if there is no answer, and
    `PermanentError` for a redirect, for an answer over the size limit, and for a URL outside the account's base URL.
    Known secrets are redacted in every answer: those from credentials, those in a header that authorises, and those
    given to `conceal`.
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

        `sign` is called right before the request is sent, so that the signature is fresh and of the final request.
        """
        ...

    def conceal(self, *secrets: str) -> None:
        """Redact further secrets that no header carries, such as a signing key."""
        ...

    def to_app(self, app: object) -> Transport:
        """Return a transport with the same limits and deadlines that calls an ASGI application in this process."""
        ...


class Credentials(Protocol):
    """The source of an adapter's secret. It is called right before each request."""

    async def token(self) -> str:
        """Return the secret. Raises `PermanentError(missing)` with a sentence that says what to set."""
        ...


class Now(Protocol):
    """The wall clock."""

    def __call__(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """One resolved account, with which an adapter is opened."""

    account: Account
    options: BaseModel
    state_dir: Path | None
    """Where the embedded sandbox keeps its state. None keeps it in memory."""
    now: Now


class JobReader(Protocol):
    """The requests of an adapter that change nothing."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page of the list. The caller requests the next ones."""
        ...

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job, or None only for the provider's own not-found answer for this id."""
        ...


class JobController(JobReader, Protocol):
    """A reader that can also cancel a job."""

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a cancel, and return the provider's answer.

        An answer of 2xx without a job in it is `Accepted`. `AlreadyOver` is for a job that has ended or is being
        cancelled. Any other refusal raises `PermanentError`.
        """
        ...


@runtime_checkable
class SupportsPause(Protocol):
    """Required if `Capabilities.can_pause`."""

    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a pause. `AlreadyOver` is for a job that has ended, is paused or is pausing."""
        ...

    async def resume_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a resume. `AlreadyOver` is for a job that has ended or is not paused."""
        ...


@runtime_checkable
class SupportsEvents(Protocol):
    """Required if `Capabilities.can_list_events`."""

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        """Return the job's newest log lines, newest first."""
        ...


@runtime_checkable
class SupportsCheckpoints(Protocol):
    """Required if `Capabilities.can_list_checkpoints`."""

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        """Return the newest models that the job saved before its end, newest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The rate limit of an account."""

    requests_per_second: float = 1.0
    burst: int = 10
    concurrency: int = 4


class ProviderType(Protocol):
    """A provider type: everything that is known before an account is opened."""

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
        """A regular expression that matches every complete job id. It allows `/`, `..` or `?` only if it must."""
        ...

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the canonical spelling of a job id in this account; pure.

        The id matches `id_pattern`. If each job has one spelling, the id is returned as it is. Raises ValueError with a
        sentence if no job of this account can have it.
        """
        ...

    @property
    def key_variable(self) -> str | None:
        """The variable from which the vendor's SDK reads the secret, or None if no secret is needed."""
        ...

    @property
    def has_whole_key(self) -> bool:
        """Whether `key_variable` holds the complete secret, not a part of it or the path of a file."""
        ...

    @property
    def url_variables(self) -> tuple[str, ...]:
        """The variables from which the vendor's SDK reads the base URL. The first one that is set counts."""
        ...

    @property
    def option_variables(self) -> Mapping[str, tuple[str, ...]]:
        """The variables from which the vendor's SDK reads options, by the options' names in a document.

        They count if an account uses the usual key and its document leaves the option out.
        """
        ...

    @property
    def finds_credentials(self) -> bool:
        """Whether the vendor's library finds a secret that neither a spec names nor a variable holds completely.

        The account is then opened with credentials whose token is empty, and a binding calls the secret `key_variable`.
        """
        ...

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the type."""
        ...

    @property
    def rate(self) -> Rate:
        """The default rate limit. A Provider document may set another."""
        ...

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the options that belong to the account's identity, such as project and region."""
        ...

    def own_url(self, options: BaseModel) -> str | None:
        """Return the service's own address for these options, or None if each account has its own.

        The usual secret is sent to this host without a binding of the operator. Therefore no option may lead to a host
        that is not the vendor's.
        """
        ...

    def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AbstractAsyncContextManager[JobController]:
        """Open one account."""
        ...
