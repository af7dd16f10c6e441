"""Opens accounts, each once, with what the operator gives them: a gate, a transport, a credential, and who is told.

Rules: an exit stack closes what was opened here; an account that cannot be opened leaves nothing open; a secret that
goes through here is noted, so that a log can strike it out.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from reconciler.controller.account_resolver import Reach
from reconciler.controller.runtime import read_only
from reconciler.errors import Kind, Permanent
from reconciler.local.credentials import EnvCredentials, FileCredentials, NoCredentials
from reconciler.model.job import Account
from reconciler.model.spec import CredentialSource
from reconciler.ports import AccountConfig, Credentials, JobController, JobReader, Now
from reconciler.throttle import Gate
from reconciler.wiring.monitoring import Observers


@dataclass(frozen=True, slots=True)
class OpenAccounts:
    """The `controller.runtime.Accounts` of the real world."""

    stack: AsyncExitStack
    state_dir: Path
    secret_dirs: tuple[Path, ...]
    now: Now
    observers: Observers | None = None
    _opened: dict[Account, _Opened] = field(default_factory=dict)
    _gates: dict[Account, Gate] = field(default_factory=dict)

    async def open(self, reach: Reach) -> JobReader:
        """Return an open account, to look at. Raises `Permanent` where it cannot be opened.

        One whose key or options were changed in the specs is closed, and opened anew.
        """
        way_in = (reach.credentials, reach.options)
        before = self._opened.get(reach.account)
        if before is None or before.way_in != way_in:
            if before is not None:
                del self._opened[reach.account]
                await before.own.aclose()
            self._opened[reach.account] = _Opened(way_in, *await self._open(reach))
        return read_only(self._opened[reach.account].controller)

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

    async def _open(self, reach: Reach) -> tuple[JobController, AsyncExitStack]:
        from reconciler.transport import HttpTransport  # noqa: PLC0415  httpx takes a fifth of a second

        gate = self._gates.setdefault(reach.account, Gate(reach.rate))
        hooks = (partial(self.observers.sent, reach.account),) if self.observers else ()
        config = AccountConfig(account=reach.account, options=reach.options, state_dir=self.state_dir, now=self.now)
        async with AsyncExitStack() as own:
            transport = await own.enter_async_context(HttpTransport(reach.account.base_url, gate, hooks=hooks))
            try:
                opened = reach.type.open(config, transport, self._credentials(reach))
                controller = await own.enter_async_context(opened)
            except OSError as error:
                msg = f"{reach.account} cannot be opened: {error.strerror or error}"
                raise Permanent(msg, kind=Kind.MISSING) from None
            kept = own.pop_all()
        self.stack.push_async_callback(kept.aclose)
        return controller, kept

    def _credentials(self, reach: Reach) -> Credentials:
        found = self._usual_credentials(reach)
        return _Noted(found, self.observers.secrets) if self.observers else found

    def _usual_credentials(self, reach: Reach) -> Credentials:
        source = reach.credentials
        if source is not None and source.file is not None:
            return FileCredentials(Path(source.file), self.secret_dirs)
        if source is None and reach.type.finds_credentials:
            return NoCredentials()
        variable = source.env if source is not None else reach.type.key_variable
        return EnvCredentials(variable, os.environ) if variable else NoCredentials()


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open account, by which key and options it was opened, and what closes it."""

    way_in: tuple[CredentialSource | None, BaseModel]
    controller: JobController
    own: AsyncExitStack


@dataclass(frozen=True, slots=True)
class _Noted:
    """Credentials whose secret is noted when it is given out."""

    inner: Credentials
    secrets: set[str]

    async def token(self) -> str:
        secret = await self.inner.token()
        self.secrets.add(secret)
        return secret
