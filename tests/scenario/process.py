"""One process of ours: the real loop and adapters over the simulated disk and world, until it ends or is killed.

Rules: whatever leaves the process passes `Life.effect` first, which kills it when its time has come; a dead process
does nothing more, whatever its `finally` clauses try.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import botocore.auth  # noqa: F401 - here, for to import it in virtual time would take none, and all patience
from pydantic import BaseModel

from reconciler.controller.account_resolver import Reach
from reconciler.controller.runtime import Tools
from reconciler.local.credential_policy import Trust, normalise_base_url
from reconciler.local.credentials import EnvCredentials
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusesDir
from reconciler.model.job import Account
from reconciler.model.spec import CredentialSource
from reconciler.plugin import JobController
from reconciler.ports import AccountConfig, Clock, Entry, JobReader, ProviderType, Rate, Snapshot
from reconciler.providers import load
from reconciler.transport import Gate, HttpTransport
from tests.contract.dialects.services import Service
from tests.scenario.history import Gone, Happened, History, PassBegun, Put
from tests.scenario.provider import Provider
from tests.scenario.repository import KEY_VARIABLE
from tests.support.disk import ForgetfulDisk

SPECS = Path("/repository/specs")
STATUSES = SPECS / "status"
PAGE_SIZE = 5
RATE = Rate(requests_per_second=5, burst=10, concurrency=4)


class Killed(BaseException):
    """The process is killed, right before this effect."""


class _SmallPages:
    """A type as it is, but for pages so small that a short list has several, and a rate of its own."""

    rate = RATE

    def __init__(self, type_: ProviderType) -> None:
        self.capabilities = replace(type_.capabilities, page_size_max=PAGE_SIZE)
        self._type = type_

    def __getattr__(self, name: str) -> Any:
        return getattr(self._type, name)


@cache
def with_small_pages(name: str) -> ProviderType:
    """Return a type that ships, with small pages."""
    return cast("ProviderType", _SmallPages(load(name)))


@dataclass(slots=True)
class Life:
    """How long a process lives, counted in effects."""

    number: int
    dies_before: int | None = None
    effects: int = 0
    is_over: bool = False
    told: list[str] = field(default_factory=list)

    def effect(self, what: str) -> None:
        """Count an effect that is about to happen. Raises `Killed` in its place when the time has come."""
        if not self.is_over:
            self.is_over = self.dies_before is not None and self.effects >= self.dies_before
        if self.is_over:
            raise Killed(what)
        self.effects += 1
        self.told.append(what)


@dataclass(slots=True)
class Machine:
    """What outlives a process."""

    disk: ForgetfulDisk
    providers: Mapping[str, Provider]
    environ: dict[str, str]
    clock: Clock
    history: History
    failing_writes: int = 0
    """So many of the next writes find the disk full."""
    ambushes: list[Callable[[], None]] = field(default_factory=list)
    """What happens a second after the next passes have read the specs, one a pass."""
    has_small_pages: bool = True

    def environment(self) -> Environment:
        """Return what the operator decides."""
        bound = ",".join(f"{KEY_VARIABLE}=http://{urlsplit(each.base_url).netloc}" for each in self.providers.values())
        return Environment(Trust.read({**self.environ, "RECONCILE_TRUST": bound}, {}), self.has_small_pages)


@asynccontextmanager
async def run(machine: Machine, life: Life) -> AsyncIterator[Tools]:
    """Open everything that a pass works with, as `wiring` does."""
    disk = _LivingDisk(machine, life)
    async with AsyncExitStack() as stack:
        accounts = _Accounts(stack, machine, life)
        yield Tools(
            specs=_WatchedSpecs(SPECS, STATUSES, disk, "specs", machine),
            statuses=StatusesDir(STATUSES, disk),
            environment=machine.environment(),
            accounts=accounts,
            clock=machine.clock,
            control=accounts.control,
        )


class _WatchedSpecs(SpecsDir):
    """The specs directory; a snapshot is where a pass begins."""

    def __init__(self, root: Path, status_root: Path, disk: _LivingDisk, display: str, machine: Machine) -> None:
        super().__init__(root, status_root, disk, display)
        self._machine = machine

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        self._machine.history.events.append(PassBegun(self._machine.clock.now()))
        if self._machine.ambushes:
            asyncio.get_running_loop().call_later(1.0, self._machine.ambushes.pop(0))
        return super().snapshot(by_content=by_content)


@dataclass(frozen=True, slots=True)
class Environment:
    """What the operator decides, outside the specs."""

    trust: Trust
    has_small_pages: bool = True

    def provider_type(self, name: str) -> ProviderType:
        """Return the real type, but for its pages."""
        return with_small_pages(name) if self.has_small_pages else load(name)

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the normalised base URL."""
        return normalise_base_url(written or type_.own_url(options) or "")

    def distrust(
        self, type_: ProviderType, options: BaseModel, credentials: CredentialSource | None, base_url: str
    ) -> str | None:
        """Return what the real trust says."""
        return self.trust.check(type_, options, credentials, base_url)

    def show(self, file: str) -> str:
        """Return the path of a spec."""
        return f"specs/{file}"

    def show_status(self, file: str) -> str:
        """Return the path of a status."""
        return f"specs/status/{file}"


class _LivingDisk:
    """The machine's disk as one process sees it: each operation that leaves a trace is an effect."""

    def __init__(self, machine: Machine, life: Life) -> None:
        self._machine = machine
        self._life = life

    def read(self, path: Path) -> bytes:
        return self._machine.disk.read(path)

    def list(self, path: Path) -> list[Entry]:
        return self._machine.disk.list(path)

    def write(self, path: Path, data: bytes) -> None:
        self._life.effect(f"write {path.name}")
        if self._machine.failing_writes > 0:
            self._machine.failing_writes -= 1
            self._machine.history.events.append(Happened(self._machine.clock.now(), "disk full", path.name))
            raise OSError(28, "No space left on device", str(path))
        self._machine.disk.write(path, data)

    def sync(self, path: Path) -> None:
        self._life.effect(f"sync {path.name}")
        self._machine.disk.sync(path)

    def rename(self, source: Path, target: Path) -> None:
        self._life.effect(f"rename to {target.name}")
        self._machine.disk.rename(source, target)
        at, path = self._machine.clock.now(), str(target.relative_to(STATUSES))
        self._machine.history.events.append(Put(at, path, self._machine.disk.read(target)))

    def sync_dir(self, path: Path) -> None:
        self._life.effect(f"sync directory {path.name}")
        self._machine.disk.sync_dir(path)

    def remove(self, path: Path) -> None:
        self._life.effect(f"remove {path.name}")
        self._machine.disk.remove(path)
        self._machine.history.events.append(Gone(self._machine.clock.now(), str(path.relative_to(STATUSES))))


class _Accounts:
    """Opens accounts, each once, in process; the exit stack closes them."""

    def __init__(self, stack: AsyncExitStack, machine: Machine, life: Life) -> None:
        self._stack = stack
        self._machine = machine
        self._life = life
        self._open: dict[Account, JobController] = {}
        self._requests: dict[Account, Callable[[], int]] = {}

    async def open(self, reach: Reach) -> JobReader:
        if reach.account not in self._open:
            self._open[reach.account] = await self._opened(reach)
        return self._open[reach.account]

    def control(self, account: Account) -> JobController:
        return self._open[account]

    def requests(self, account: Account) -> int:
        return self._requests[account]() if account in self._requests else 0

    async def _opened(self, reach: Reach) -> JobController:
        machine = self._machine
        provider = next(each for each in machine.providers.values() if each.base_url == reach.account.base_url)
        gate = Gate(reach.rate)
        outer = HttpTransport(reach.account.base_url, gate)
        transport = outer.to_app(provider.door(self._life.number, self._life.effect))
        self._requests[reach.account] = lambda: gate.requests
        config = AccountConfig(account=reach.account, options=reach.options, state_dir=None, now=machine.clock.now)
        credentials = _Key(EnvCredentials(KEY_VARIABLE, machine.environ), provider.service)
        return await self._stack.enter_async_context(reach.type.open(config, transport, credentials))


@dataclass(frozen=True, slots=True)
class _Key:
    """The secret, written as a service's credential."""

    secret: EnvCredentials
    service: Service

    async def token(self) -> str:
        return self.service.key(await self.secret.token())
