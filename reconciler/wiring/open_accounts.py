"""Open accounts, each with a throttle, a transport, a credential and the observers of its requests.

Rules:

- The exit stack of the run closes every account.
- If an account cannot be opened, its transport is closed at once.
- The jobs of each kind in an account are opened separately. They share the throttle of the account.
- Every secret that is read here is registered for redaction.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from reconciler.circuit_breaker import CircuitBreaker
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.errors import Kind, PermanentError, error_location
from reconciler.local.credentials import EnvCredentials, FileCredentials, NoCredentials, canonical_file
from reconciler.model.action_record import AccountAnswered, Notify, Sent, ignore_event
from reconciler.model.job import Account, CredentialScope
from reconciler.model.request_rate import RequestRate
from reconciler.model.spec import CredentialSource
from reconciler.ports import NO_TRACER, AccountConfig, Credentials, JobController, JobReader, Now, Rate, Tracer
from reconciler.redacted_provider import redacted
from reconciler.redaction import KNOWN_SECRETS
from reconciler.throttle import Throttle
from reconciler.wiring.monitoring import Observers


@dataclass(frozen=True, slots=True)
class OpenAccounts:
    """The `Accounts` of a run, with a transport over HTTP. An account stays open until the run ends."""

    stack: AsyncExitStack
    state_dir: Path
    secret_dirs: tuple[Path, ...]
    now: Now
    observers: Observers | None = None
    notify: Notify = ignore_event
    tracer: Tracer = NO_TRACER
    _opened: dict[Account, _Opened] = field(default_factory=dict)
    _throttles: dict[Account, Throttle] = field(default_factory=dict)
    """The throttle of each account, shared by its jobs of all kinds."""
    _circuit_breakers: dict[CredentialScope, CircuitBreaker] = field(default_factory=dict)
    """The circuit breaker of each credential at a host.

    All accounts with this credential share it, because the provider throttles them together.
    """
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once no further request may be sent."""

    async def open(self, target: ResolvedAccount) -> JobReader:
        """Return an account for reading, and open it first if it is not open.

        If the source of the credential or the options of an open account have changed in the specs, the account is
        closed and opened again. Raises `PermanentError` if it cannot be opened, and any other error that the provider
        type raises.
        """
        access = (target.credentials, target.options)
        before = self._opened.get(target.account)
        if before is None or before.access != access:
            if before is not None:
                del self._opened[target.account]
                await before.stack.aclose()
            self._opened[target.account] = _Opened(access, *await self._open(target))
        return self._opened[target.account].controller

    def control(self, account: Account) -> JobController:
        """Return an open account whose jobs can be changed. Raises `KeyError` if the account is not open."""
        return self._opened[account].controller

    def apply_rate(self, target: ResolvedAccount) -> None:
        """Set the rate limit of an account if it is open. The new limit also applies to requests that already wait."""
        if target.account.shared in self._throttles:
            self._throttles[target.account.shared].set_rate(target.rate)

    def rate(self, target: ResolvedAccount) -> Rate:
        """Return the current rate limit of an account; if it is not open, the limit with which it would be opened."""
        throttle = self._throttles.get(target.account.shared)
        return target.rate if throttle is None else throttle.rate_now()

    def request_rates(self) -> Mapping[str, RequestRate]:
        """Return the request rate of each open account and what limits it, by account line (`model.account_line`)."""
        return {str(account): each.request_rate() for account, each in self._throttles.items()}

    def requests(self, account: Account) -> int:
        """Return how many requests were sent to an account so far, for jobs of any kind."""
        return self._throttles[account.shared].requests if account.shared in self._throttles else 0

    async def close_at(self, stop: asyncio.Event) -> None:
        """Wait until `stop` is set. Then refuse new and waiting requests to all accounts."""
        await stop.wait()
        self._stopping.set()
        for throttle in self._throttles.values():
            throttle.stop()

    async def _open(self, target: ResolvedAccount) -> tuple[JobController, AsyncExitStack]:
        from reconciler.transport import HttpTransport  # noqa: PLC0415  httpx takes 0.2 s to import

        circuit_breaker = self._circuit_breakers.setdefault(target.scope, CircuitBreaker())
        throttle = self._throttles.setdefault(target.account.shared, Throttle(target.rate, circuit_breaker))
        throttle.set_breaker(circuit_breaker)
        if self._stopping.is_set():  # a worker may open its account after the stop
            throttle.stop()
        hooks = (lambda _: self.notify(AccountAnswered(target.account)), *self._observers_of(target.account))
        config = AccountConfig(account=target.account, options=target.options, state_dir=self.state_dir, now=self.now)
        async with AsyncExitStack() as opening:
            client = HttpTransport(target.account.base_url, throttle, hooks=hooks, tracer=self.tracer)
            transport = await opening.enter_async_context(client)
            try:
                opened = target.type.open(config, transport, self._credentials(target))
                controller = redacted(await opening.enter_async_context(opened))
            except OSError as error:
                msg = f"{target.account} cannot be opened: {error.strerror or error_location(error)}"
                raise PermanentError(msg, kind=Kind.MISSING) from None
            # From here on, the account stays open until it is opened again or the run ends.
            stack = opening.pop_all()
        self.stack.push_async_callback(stack.aclose)
        return controller, stack

    def _observers_of(self, account: Account) -> tuple[Callable[[Sent], None], ...]:
        return (partial(self.observers.notify_sent, account),) if self.observers else ()

    def _credentials(self, target: ResolvedAccount) -> Credentials:
        return _RegisteredCredentials(self._source_of(target), (target.account, target.scope.credential))

    def _source_of(self, target: ResolvedAccount) -> Credentials:
        """Return the source of the credential: the document's if it names one, else the variable of the type.

        Return `NoCredentials` if a vendor's library finds the credential, or if the type does not need one.
        """
        source = target.credentials
        if source is not None and source.file is not None:
            return FileCredentials(Path(source.file), self.secret_dirs, canonical_file(source.file))
        variable = source.env if source is not None else target.type.key_variable
        has_key = source is not None or (target.type.has_whole_key and bool(os.environ.get(variable or "")))
        if target.type.finds_credentials and not has_key:
            return NoCredentials()
        return EnvCredentials(variable, os.environ) if variable else NoCredentials()


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open account, with the credential and options that it was opened with, and the stack that closes it."""

    access: tuple[CredentialSource | None, BaseModel]
    controller: JobController
    stack: AsyncExitStack


@dataclass(frozen=True, slots=True)
class _RegisteredCredentials:
    """Credentials that register their secret for redaction each time it is read."""

    inner: Credentials
    key: tuple[Account, str]

    async def token(self) -> str:
        secret = await self.inner.token()
        # AWS credentials consist of parts, as in ID:SECRET. Each part is redacted even where it occurs alone.
        KNOWN_SECRETS.add(self.key, secret, *secret.split(":"))
        return secret
