"""Opens accounts, each once, with what the operator gives them: a gate, a transport, a credential, and who is told.

Rules: an exit stack closes what was opened here; an account that cannot be opened leaves nothing open; a secret that
goes through here is noted, so that nothing shows it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from reconciler.controller.account_resolver import ResolvedAccount
from reconciler.errors import Kind, PermanentError, error_location
from reconciler.local.credentials import EnvCredentials, FileCredentials, NoCredentials, named_file
from reconciler.model.action_record import AccountAnswered, Notify, Sent, ignore_event
from reconciler.model.job import Account, CredentialScope
from reconciler.model.spec import CredentialSource
from reconciler.ports import AccountConfig, Credentials, JobController, JobReader, Now
from reconciler.redacted_provider import redacted
from reconciler.redaction import KNOWN_SECRETS
from reconciler.throttle import CircuitBreaker, Throttle
from reconciler.wiring.monitoring import Observers


@dataclass(frozen=True, slots=True)
class OpenAccounts:
    """The `loop.accounts.Accounts` of the real world."""

    stack: AsyncExitStack
    state_dir: Path
    secret_dirs: tuple[Path, ...]
    now: Now
    observers: Observers | None = None
    notify: Notify = ignore_event
    _opened: dict[Account, _Opened] = field(default_factory=dict)
    _gates: dict[Account, Throttle] = field(default_factory=dict)
    _quiets: dict[CredentialScope, CircuitBreaker] = field(default_factory=dict)

    async def open(self, target: ResolvedAccount) -> JobReader:
        """Return an open account, to look at. Raises `PermanentError` where it cannot be opened.

        One whose key or options were changed in the specs is closed, and opened anew.
        """
        way_in = (target.credentials, target.options)
        before = self._opened.get(target.account)
        if before is None or before.way_in != way_in:
            if before is not None:
                del self._opened[target.account]
                await before.own.aclose()
            self._opened[target.account] = _Opened(way_in, *await self._open(target))
        return self._opened[target.account].controller

    def control(self, account: Account) -> JobController:
        """Return an open account, to change something in it."""
        return self._opened[account].controller

    def requests(self, account: Account) -> int:
        """Return how many requests have gone to it so far."""
        return self._gates[account].requests if account in self._gates else 0

    async def close_at(self, stop: asyncio.Event) -> None:
        """Let nothing pass to any account once somebody wants to stop."""
        await stop.wait()
        for gate in self._gates.values():
            gate.stop()

    async def _open(self, target: ResolvedAccount) -> tuple[JobController, AsyncExitStack]:
        from reconciler.transport import HttpTransport  # noqa: PLC0415  httpx takes a fifth of a second

        quiet = self._quiets.setdefault(target.scope, CircuitBreaker())
        gate = self._gates.setdefault(target.account, Throttle(target.rate, quiet))
        hooks = (lambda _: self.notify(AccountAnswered(target.account)), *self._observers_of(target.account))
        config = AccountConfig(account=target.account, options=target.options, state_dir=self.state_dir, now=self.now)
        async with AsyncExitStack() as own:
            transport = await own.enter_async_context(HttpTransport(target.account.base_url, gate, hooks=hooks))
            try:
                opened = target.type.open(config, transport, self._credentials(target))
                controller = redacted(await own.enter_async_context(opened))
            except OSError as error:
                msg = f"{target.account} cannot be opened: {error.strerror or error_location(error)}"
                raise PermanentError(msg, kind=Kind.MISSING) from None
            kept = own.pop_all()
        self.stack.push_async_callback(kept.aclose)
        return controller, kept

    def _observers_of(self, account: Account) -> tuple[Callable[[Sent], None], ...]:
        return (partial(self.observers.sent, account),) if self.observers else ()

    def _credentials(self, target: ResolvedAccount) -> Credentials:
        return _Noted(self._usual_credentials(target), (target.account, target.scope.credential))

    def _usual_credentials(self, target: ResolvedAccount) -> Credentials:
        source = target.credentials
        if source is not None and source.file is not None:
            return FileCredentials(Path(source.file), self.secret_dirs, named_file(source.file))
        variable = source.env if source is not None else target.type.key_variable
        has_key = source is not None or (target.type.has_whole_key and bool(os.environ.get(variable or "")))
        if target.type.finds_credentials and not has_key:
            return NoCredentials()
        return EnvCredentials(variable, os.environ) if variable else NoCredentials()


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open account, by which key and options it was opened, and what closes it."""

    way_in: tuple[CredentialSource | None, BaseModel]
    controller: JobController
    own: AsyncExitStack


@dataclass(frozen=True, slots=True)
class _Noted:
    """Credentials whose secret is noted when it is given out, with each part of one that has several."""

    inner: Credentials
    paths: tuple[Account, str]

    async def token(self) -> str:
        secret = await self.inner.token()
        KNOWN_SECRETS.add(self.paths, secret, *secret.split(":"))
        return secret
