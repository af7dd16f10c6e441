"""What the loop needs around the accounts it speaks to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from reconciler.controller.account_resolver import Environment, Reach
from reconciler.errors import ProviderError
from reconciler.model.action_record import Audit
from reconciler.model.job import Account, JobCheckpoint, JobEvent, JobPage, JobRef, ListQuery, ObservedJob
from reconciler.ports import (
    Clock,
    JobController,
    JobReader,
    Publisher,
    SpecSource,
    StatusStore,
    SupportsCheckpoints,
    SupportsEvents,
)


class Accounts(Protocol):
    """Opens accounts, each once, and keeps them open."""

    async def open(self, reach: Reach) -> JobReader:
        """Return an open account, to look at. Raises `Permanent` where it cannot be opened."""
        ...

    def requests(self, account: Account) -> int:
        """Return how many requests have gone to it so far."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What a pass works with."""

    specs: SpecSource
    statuses: StatusStore
    environment: Environment
    accounts: Accounts
    clock: Clock
    control: Callable[[Account], JobController] | None
    """The way to change something in an open account; None where nothing may be: a plan, a dry run."""
    publisher: Publisher | None = None
    is_stopping: Callable[[], bool] = lambda: False
    """Whether somebody wants to stop: then nothing new is asked for."""
    audit: Audit | None = None


@dataclass(frozen=True, slots=True)
class _Shut:
    """An account that could not be opened: every question gets the reason for an answer."""

    error: ProviderError

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:  # noqa: ARG002  the port's signature
        raise self.error

    async def get_job(self, ref: JobRef) -> ObservedJob | None:  # noqa: ARG002  the port's signature
        raise self.error


@dataclass(frozen=True, slots=True)
class _ReadOnly:
    """An account with no method that changes anything."""

    _controller: JobController

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        return await self._controller.list_page(query, cursor)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        return await self._controller.get_job(ref)


@dataclass(frozen=True, slots=True)
class _ReadOnlyWithLog(_ReadOnly):
    """The same, of a provider that tells how each job has fared. What it can tell, its capabilities say."""

    _log: object

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        return await self._log.list_events(ref, limit) if isinstance(self._log, SupportsEvents) else ()

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        return await self._log.list_checkpoints(ref, limit) if isinstance(self._log, SupportsCheckpoints) else ()


def read_only(controller: JobController) -> JobReader:
    """Return the account without every method that changes something."""
    if isinstance(controller, SupportsEvents | SupportsCheckpoints):
        return _ReadOnlyWithLog(controller, controller)
    return _ReadOnly(controller)


async def open_or_shut(accounts: Accounts, reach: Reach) -> JobReader:
    """Return an open account, or one that says why it is not."""
    try:
        return await accounts.open(reach)
    except ProviderError as error:
        return _Shut(error)
