"""One process of the product: the real loop and adapters over the simulated disk and world.

Rules: every effect of the process calls `ProcessLife.effect` first, which kills the process at the chosen effect. A
dead process has no further effect, not even in its `finally` clauses.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any, cast
from urllib.parse import urlsplit

import botocore.auth  # noqa: F401 - an import while virtual time runs would block the loop
from pydantic import BaseModel

from reconciler.controller.operator_policy import Credential, DefaultOption
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.runtime import Runtime
from reconciler.local.attempt_journal import StateJournal
from reconciler.local.credential_policy import Trust, credential_name, normalise_base_url
from reconciler.local.credentials import EnvCredentials
from reconciler.local.file_writer import is_temporary
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusDirectory
from reconciler.model.action_record import AccountAnswered, ActionRecord, Notify, Sent
from reconciler.model.job import Account
from reconciler.model.price import Price
from reconciler.model.request_rate import RequestRate
from reconciler.model.spec import CredentialSource
from reconciler.plugin import JobController
from reconciler.ports import (
    AccountConfig,
    Clock,
    Entry,
    JobEdit,
    JobReader,
    NotBound,
    ProviderType,
    Rate,
    Snapshot,
    jobs_by_kind,
)
from reconciler.providers import load, provider_names
from reconciler.transport import HttpTransport, Throttle
from tests.contract.dialects.services import Service
from tests.scenario.batch_services import kind_of
from tests.scenario.history import Audited, EditsRead, ExternalEvent, FileRemoved, FileWritten, History, PassStarted
from tests.scenario.listeners import Listeners, telling
from tests.scenario.price_book import PriceBook
from tests.scenario.provider import Provider, app_of
from tests.scenario.remote import Branch, Remote
from tests.scenario.repository import KEY_VARIABLE
from tests.support.non_durable_disk import NonDurableDisk, replaced_in_two_steps

SPECS = Path("/repository/specs")
STATUSES = SPECS / "status"
STATE = SPECS.parent / "state"
PAGE_SIZE = 5
RATE = Rate(requests_per_second=5, burst=10, concurrency=4)


class Killed(BaseException):
    """The process is killed, right before this effect."""


class _SmallPages:
    """A provider type with its own rate, and with pages so small that a short list has several."""

    rate = RATE

    def __init__(self, type_: ProviderType) -> None:
        self.capabilities = replace(type_.capabilities, page_size_max=PAGE_SIZE)
        self.kinds = {
            name: replace(kind, capabilities=replace(kind.capabilities, page_size_max=PAGE_SIZE))
            for name, kind in jobs_by_kind(type_).items()
        }
        self._type = type_

    def __getattr__(self, name: str) -> Any:
        return getattr(self._type, name)


@cache
def with_small_pages(name: str) -> ProviderType:
    """Return an included provider type with small pages."""
    return cast("ProviderType", _SmallPages(load(name)))


@dataclass(slots=True)
class ProcessLife:
    """The lifetime of a process, counted in effects."""

    number: int
    crash_before: int | None = None
    effects: int = 0
    is_over: bool = False
    told: list[str] = field(default_factory=list)

    def effect(self, what: str) -> None:
        """Count the next effect. Raises `Killed` instead at the chosen effect."""
        if not self.is_over:
            self.is_over = self.crash_before is not None and self.effects >= self.crash_before
        if self.is_over:
            raise Killed(what)
        self.effects += 1
        self.told.append(what)


@dataclass(slots=True)
class Machine:
    """The state that outlives a process."""

    disk: NonDurableDisk
    providers: Mapping[str, Provider]
    environ: dict[str, str]
    clock: Clock
    history: History
    failing_writes: int = 0
    """How many of the next writes fail, because the disk is full."""
    refuse: Callable[[Path], int | None] = lambda _: None
    """Returns the error number with which a read of a file or directory fails, or None if it succeeds."""
    refused: set[Path] = field(default_factory=set)
    """The paths that the disk refused and has not shown since."""
    after_reads: list[Callable[[], None]] = field(default_factory=list)
    """Functions that are called a second after the next passes have read the specs, one for each pass."""
    has_small_pages: bool = True
    branch: Branch | None = None
    """The remote that statuses are published to, or None."""
    listeners: Listeners | None = None
    """The receivers of notifications, or None."""
    prices: PriceBook | None = None
    """The prices of the operator's file, or None without such a file."""

    def at(self, account: Account) -> list[Provider]:
        """Return the simulated accounts at the base URL of an account, one for each kind of job."""
        return [each for each in self.providers.values() if each.host.base_url == account.base_url]

    def policy(self) -> Environment:
        """Return the operator's policy."""
        bound = ",".join(
            f"{KEY_VARIABLE}=http://{urlsplit(each.host.base_url).netloc}" for each in self.providers.values()
        )
        trust = Trust.read({**self.environ, "RECONCILE_TRUST": bound}, {})
        return Environment(trust, self.has_small_pages, self.prices.prices() if self.prices else None)


@asynccontextmanager
async def run(machine: Machine, life: ProcessLife, stop: asyncio.Event, notify: Notify) -> AsyncIterator[Runtime]:
    """Open everything that a pass works with, as `wiring` does, until the process ends.

    Args:
        machine: the machine on which the process runs.
        life: the lifetime of the process.
        stop: set once the process is requested to stop.
        notify: called with each event within a pass.
    """
    disk = _LivingDisk(machine, life)
    async with AsyncExitStack() as stack:
        accounts = _Accounts(stack, machine, life, notify)
        closing = asyncio.ensure_future(accounts.close_at(stop))
        stack.callback(closing.cancel)
        state_disk = _StateDisk(machine, life)
        heard = machine.listeners
        news = await stack.enter_async_context(telling(heard, state_disk, STATE, life.effect)) if heard else None
        yield Runtime(
            specs=_WatchedSpecs(SPECS, STATUSES, disk, "specs", machine),
            statuses=StatusDirectory(STATUSES, disk),
            policy=machine.policy(),
            accounts=accounts,
            clock=machine.clock,
            control=accounts.control,
            is_stopping=stop.is_set,
            journal=StateJournal(STATE, state_disk, str(STATUSES), machine.clock.now),
            news=news,
            notify=notify,
            audit=partial(_audited, machine),
            publisher=_remote(machine, life),
        )


def _audited(machine: Machine, record: ActionRecord) -> None:
    ref = record.action.ref
    account = next(each.name for each in machine.at(ref.account) if kind_of(each.name) == ref.kind)
    machine.history.events.append(
        Audited(machine.clock.now(), account, ref.id, record.action.verb.value, record.progress.value)
    )


def _remote(machine: Machine, life: ProcessLife) -> Remote | None:
    if machine.branch is None:
        return None
    return Remote(machine.branch, machine.disk, STATUSES, machine.clock, machine.history, life.effect)


class _WatchedSpecs(SpecsDir):
    """The specs directory. A pass begins with a snapshot of it, or with the last snapshot and later edits."""

    def __init__(self, root: Path, status_root: Path, disk: _LivingDisk, display: str, machine: Machine) -> None:
        super().__init__(root, status_root, disk, display)
        self._machine = machine

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        self._begin(is_scan=by_content)
        return super().snapshot(by_content=by_content)

    def advance(self, paths: Collection[str]) -> Snapshot | None:
        found = super().advance(paths)
        if found is not None:
            self._begin(is_scan=False)
        return found

    def _begin(self, *, is_scan: bool) -> None:
        self._machine.history.events.append(PassStarted(self._machine.clock.now(), is_scan))
        if self._machine.after_reads:
            asyncio.get_running_loop().call_later(1.0, self._machine.after_reads.pop(0))

    def reread(self, paths: Collection[str]) -> tuple[JobEdit, ...] | None:
        edits = super().reread(paths)
        if edits:
            files = frozenset(each.after.file for each in edits)
            self._machine.history.events.append(EditsRead(self._machine.clock.now(), files))
        return edits


@dataclass(frozen=True, slots=True)
class Environment:
    """The `OperatorPolicy` of a process, with real trust rules, and an operator's file that has at most prices."""

    trust: Trust
    has_small_pages: bool = True
    listed: tuple[Price, ...] | None = None

    def provider_type(self, name: str) -> ProviderType:
        """Return the real type, with small pages if the machine has them."""
        return with_small_pages(name) if self.has_small_pages else load(name)

    def is_provider_type(self, name: str) -> bool:
        """Return whether a name is that of a provider type."""
        return name in provider_names()

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the normalised base URL."""
        return normalise_base_url(written or type_.own_url(options) or "")

    def why_not_trusted(
        self, type_: ProviderType, options: BaseModel, credentials: CredentialSource | None, base_url: str
    ) -> NotBound | None:
        """Return the result of the real check, which is None if the host is trusted."""
        return self.trust.check(type_, options, credentials, base_url)

    def credential(self, type_: ProviderType, source: CredentialSource | None) -> Credential:
        """Return the credential with its name only."""
        return Credential(credential_name(type_, source))

    def default_options(self, *_: object) -> Mapping[str, DefaultOption]:
        """Return no options, because a simulated process has no variables."""
        return {}

    def named(self) -> Mapping[str, Credential]:
        """Return no credentials, because no operator's file names any."""
        return {}

    def ruled(self) -> tuple[tuple[Credential, str | None, tuple[str, ...]], ...]:
        """Return no rulings: every spec may use every credential."""
        return ()

    def prices(self) -> tuple[Price, ...] | None:
        """Return the prices of the operator's file, or None if it has none."""
        return self.listed

    def show(self, file: str) -> str:
        """Return the path of a spec, as messages show it."""
        return f"specs/{file}"

    def show_status(self, file: str) -> str:
        """Return the path of a status, as messages show it."""
        return str(PurePosixPath("specs/status", file))


class _LivingDisk:
    """The machine's disk as one process uses it: each operation that changes it is an effect."""

    def __init__(self, machine: Machine, life: ProcessLife) -> None:
        self._machine = machine
        self._life = life

    def read(self, path: Path) -> bytes:
        self._refuse(path)
        return self._machine.disk.read(path)

    def list(self, path: Path) -> list[Entry]:
        self._refuse(path)
        return self._machine.disk.list(path)

    def _refuse(self, path: Path) -> None:
        number = self._machine.refuse(path)
        if number is None and path in self._machine.refused:
            self._machine.refused.discard(path)
            self._machine.history.events.append(
                ExternalEvent(self._machine.clock.now(), "disk yields", str(path.relative_to(SPECS.parent)))
            )
        if number is not None:
            self._machine.refused.add(path)
            self._machine.history.events.append(
                ExternalEvent(self._machine.clock.now(), "disk refuses", str(path.relative_to(SPECS.parent)))
            )
            raise OSError(number, os.strerror(number), str(path))

    def write_beside(self, target: Path, data: bytes) -> Path:
        self._life.effect(f"write {target.name}")
        if self._machine.failing_writes > 0:
            self._machine.failing_writes -= 1
            self._machine.history.events.append(ExternalEvent(self._machine.clock.now(), "disk full", target.name))
            raise OSError(28, "No space left on device", str(target))
        return self._machine.disk.write_beside(target, data)

    def replace(self, target: Path, data: bytes) -> None:
        replaced_in_two_steps(self, target, data)

    def sync(self, path: Path) -> None:
        self._life.effect(f"sync {path.name}")
        self._machine.disk.sync(path)

    def sync_all(self, paths: Sequence[Path]) -> dict[Path, OSError]:
        for path in paths:
            self.sync(path)
        return {}

    def rename(self, source: Path, target: Path) -> None:
        self._life.effect(f"rename to {target.name}")
        self._machine.disk.rename(source, target)
        at, path = self._machine.clock.now(), str(target.relative_to(STATUSES))
        self._machine.history.events.append(FileWritten(at, path, self._machine.disk.read(target)))

    def sync_dir(self, path: Path) -> None:
        self._life.effect(f"sync directory {path.name}")
        self._machine.disk.sync_dir(path)

    def remove(self, path: Path) -> None:
        self._life.effect(f"remove {path.name}")
        self._machine.disk.remove(path)
        if is_temporary(path.name):
            return
        self._machine.history.events.append(FileRemoved(self._machine.clock.now(), str(path.relative_to(STATUSES))))


class _StateDisk(_LivingDisk):
    """The disk of one process for the state directory. Writes are not recorded, because only the product reads them."""

    def rename(self, source: Path, target: Path) -> None:
        self._life.effect(f"rename to {target.name}")
        self._machine.disk.rename(source, target)


class _Accounts:
    """Opens accounts, each once, in process; the exit stack closes them. The kinds of an account share its throttle."""

    def __init__(self, stack: AsyncExitStack, machine: Machine, life: ProcessLife, notify: Notify) -> None:
        self._stack = stack
        self._machine = machine
        self._life = life
        self._notify = notify
        self._open: dict[Account, JobController] = {}
        self._gates: dict[Account, Throttle] = {}

    async def open(self, target: ResolvedAccount) -> JobReader:
        if target.account not in self._open:
            self._open[target.account] = await self._opened(target)
        return self._open[target.account]

    def control(self, account: Account) -> JobController:
        return self._open[account]

    def apply_rate(self, target: ResolvedAccount) -> None:
        if target.account.shared in self._gates:
            self._gates[target.account.shared].set_rate(target.rate)

    def rate(self, target: ResolvedAccount) -> Rate:
        gate = self._gates.get(target.account.shared)
        return target.rate if gate is None else gate.rate_now()

    def request_rates(self) -> Mapping[str, RequestRate]:
        return {str(account): gate.request_rate() for account, gate in self._gates.items()}

    def requests(self, account: Account) -> int:
        return self._gates[account.shared].requests if account.shared in self._gates else 0

    async def close_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        for gate in self._gates.values():
            gate.stop()

    async def _opened(self, target: ResolvedAccount) -> JobController:
        machine = self._machine
        providers = machine.at(target.account)
        if (error := providers[0].host.open_error) is not None:
            raise error
        gate = self._gates.setdefault(target.account.shared, Throttle(target.rate))
        outer = HttpTransport(target.account.base_url, gate, hooks=(self._answered(target.account),))
        transport = outer.to_app(app_of(providers, self._life.number, self._life.effect))
        config = AccountConfig(account=target.account, options=target.options, state_dir=None, now=machine.clock.now)
        credentials = _Key(EnvCredentials(KEY_VARIABLE, machine.environ), providers[0].service)
        return await self._stack.enter_async_context(target.type.open(config, transport, credentials))

    def _answered(self, account: Account) -> Callable[[Sent], None]:
        return lambda _: self._notify(AccountAnswered(account))


@dataclass(frozen=True, slots=True)
class _Key:
    """The secret, in the format of a service's credential."""

    secret: EnvCredentials
    service: Service

    async def token(self) -> str:
        return self.service.key(await self.secret.token())
