"""The ports of a provider: what an adapter receives, and what it must implement."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from reconciler.errors import Kind, PermanentError
from reconciler.model.job import Accepted, Account, AlreadyOver, JobPage, JobRef, ListQuery, ObservedJob
from reconciler.model.job_log import JobCheckpoint, JobEvent
from reconciler.model.retirement import ModelEnd

BINDINGS_MAX = 600
"""The maximum length of the bindings in a message, in characters. A status cuts a message at 1,024 characters."""


@dataclass(frozen=True, slots=True)
class PeerNames:
    """How messages name what requests are sent to. The defaults are for a provider."""

    peer: str = "the provider"
    url: str = "the base URL"
    """What a person corrects if the responses are not those of the peer."""
    content: str = "the key"
    """What a redirect would send to another host."""


PROVIDER = PeerNames()


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response.

    `headers` has lower-case names. `at` is the time in the `Date` header, or None if the header is missing or invalid.
    `retry_after_s` is the pause that the provider requests, in seconds, or None.
    """

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
            msg = f"the response (HTTP {self.status}) is not JSON: check the base URL"
            raise PermanentError(msg, kind=Kind.INVALID) from None


@dataclass(frozen=True, slots=True)
class NotBound:
    """The reason why a credential must not be sent to a host, and the setting that would allow it."""

    why: str
    variable: str = ""
    """The variable in which the operator lists bindings."""
    pair: str = ""
    """The binding that would allow the request, such as `OPENAI_API_KEY=host`, or an empty string if no binding can."""

    def message(self, other_pairs: Iterable[str]) -> str:
        """Return a message with a setting that allows this pair and, if it is not too long, all other missing pairs."""
        if not self.pair:
            return self.why
        line = ",".join(sorted({self.pair, *other_pairs}))
        shown = line if len(line) <= BINDINGS_MAX else self.pair
        how = f"the operator sets {self.variable}='{shown}'"
        more = ", in addition to its current value; commas separate pairs" if "," in shown else ""
        return f"{self.why}; to allow that, {how}{more}"


Sign = Callable[[str, str, bytes], Mapping[str, str]]
"""A function that returns the headers that sign a request, given the method, complete URL and body."""


class Transport(Protocol):
    """The HTTP client of an adapter, limited in time, rate and size, and to the base URL of its account.

    `send` returns every response except a redirect, whatever its status. It raises `TransientError` if the request
    cannot be sent now or there is no complete response. It raises `PermanentError` for a redirect, for a response over
    the size limit, and for a request that must not or cannot be sent. It raises `SupersededError` if a change is no
    longer wanted when its request could be sent. An adapter must not catch that error. Known secrets are redacted in
    every response: those from credentials, those in a header for authorisation, and those passed to `conceal`.
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
        """Send one request to `base_url + path`, and return the response. A throttled request may be sent again.

        `query` and `headers` are added to the request, and `json` is sent as its body. None adds nothing. `sign` is
        called right before the request is sent, so that the signature is recent and covers the final request.
        """
        ...

    def conceal(self, *secrets: str) -> None:
        """Redact these secrets in every response too. An adapter passes secrets that no header contains."""
        ...

    def to_app(self, app: object) -> Transport:
        """Return a transport with the same limits and deadlines that calls an ASGI application in this process."""
        ...


class Credentials(Protocol):
    """The source of an adapter's secret. An adapter calls `token` right before each request."""

    async def token(self) -> str:
        """Return the secret, or an empty text if the account needs none or the vendor's library finds it.

        Raises `PermanentError(missing)` if the secret is missing or cannot be used; the message states what to set. If
        the secret is a token that must be requested first, the errors of that request are raised too.
        """
        ...


class Now(Protocol):
    """The wall clock, as a function."""

    def __call__(self) -> datetime:
        """Return the current time as an aware datetime in UTC."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """The resolved account for which an adapter is opened."""

    account: Account
    options: BaseModel
    state_dir: Path | None
    """The directory in which the embedded sandbox keeps its state, or None to keep it in memory."""
    now: Now


class JobReader(Protocol):
    """The methods of an adapter that do not change jobs.

    Every method of an adapter raises the errors of `Transport.send` and `Credentials.token`, and `PermanentError` if
    the response is not what the API returns.
    """

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page of the list of jobs: the first page if `cursor` is None, else the page of this cursor."""
        ...

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job, or None if the provider itself, not a gateway, responds that no job has this id."""
        ...


class JobController(JobReader, Protocol):
    """A reader that can also cancel a job."""

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a cancel, and return the outcome.

        A 2xx response is `Accepted`, even if it does not contain the job. If it shows that the job has already ended in
        another way, or if the provider refuses because the job has ended or is being cancelled, the outcome is
        `AlreadyOver`. Raises `PermanentError` for any other refusal.
        """
        ...


@runtime_checkable
class SupportsPause(Protocol):
    """The port that an adapter must implement if `Capabilities.can_pause` is True."""

    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a pause, and return the outcome.

        A 2xx response is `Accepted`, even if it shows the job pausing or paused. If it shows that the job has ended, or
        if the provider refuses because the job has ended, is paused or is pausing, the outcome is `AlreadyOver`. Raises
        `PermanentError` for any other refusal.
        """
        ...

    async def resume_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a resume, and return the outcome.

        A 2xx response is `Accepted`, even if it shows the job running again. If it shows that the job has ended, or if
        the provider refuses because the job has ended or is not paused, the outcome is `AlreadyOver`. Raises
        `PermanentError` for any other refusal.
        """
        ...


@runtime_checkable
class SupportsEvents(Protocol):
    """The port that an adapter must implement if `Capabilities.can_list_events` is True."""

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        """Return at most `limit` of the job's newest log lines, newest first."""
        ...


@runtime_checkable
class SupportsCheckpoints(Protocol):
    """The port that an adapter must implement if `Capabilities.can_list_checkpoints` is True."""

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        """Return at most `limit` of the newest models that the job saved before it ended, newest first."""
        ...


@runtime_checkable
class SupportsModelEnds(Protocol):
    """The port that an adapter must implement if `Capabilities.can_list_model_ends` is True."""

    async def list_model_ends(self) -> tuple[ModelEnd, ...]:
        """Return the models for which the provider reports a shutdown day, each with that day."""
        ...
