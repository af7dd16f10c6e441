"""The ports that the controller works with, and read-only access to accounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from reconciler.controller.intents import IntentQueue
from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.errors import DefectError, ProviderError
from reconciler.model.action_record import Audit, Notify, ignore_event
from reconciler.model.job import Account, JobPage, JobRef, ListQuery, ObservedJob
from reconciler.model.job_log import JobCheckpoint, JobEvent
from reconciler.model.journal import EarlierStatuses
from reconciler.model.request_rate import RequestRate
from reconciler.model.retirement import ModelEnd
from reconciler.ports import (
    NO_TRACER,
    Clock,
    JobController,
    JobReader,
    Journal,
    NewsRecorder,
    Publisher,
    Rate,
    SpecSource,
    StatusStore,
    SupportsCheckpoints,
    SupportsEvents,
    SupportsModelEnds,
    Tracer,
)

R = TypeVar("R")


class Accounts(Protocol):
    """The accounts of a run. An account stays open until the run ends, or until its credential or options change."""

    async def open(self, target: ResolvedAccount) -> JobReader:
        """Return an open account for reading.

        Raises a `ProviderError` if it cannot be opened, and any other exception if the adapter has a bug.
        """
        ...

    def apply_rate(self, target: ResolvedAccount) -> None:
        """Apply a changed rate limit to an account if it is open."""
        ...

    def rate(self, target: ResolvedAccount) -> Rate:
        """Return the current rate limit of an account."""
        ...

    def request_rates(self) -> Mapping[str, RequestRate]:
        """Return the request rate of each open account and what limits it, by account line (`model.account_line`)."""
        ...

    def requests(self, account: Account) -> int:
        """Return how many requests were sent to an account so far."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """The ports, the clock and the accounts that a pass uses."""

    specs: SpecSource
    statuses: StatusStore
    policy: OperatorPolicy
    accounts: Accounts
    clock: Clock
    control: Callable[[Account], JobController] | None
    """A function that returns an open account whose jobs can be changed; None in a plan or a dry run."""
    publisher: Publisher | None = None
    """Publishes the statuses; None if they are only written to the disk."""
    intents: IntentQueue = field(default_factory=IntentQueue)
    """The intents of all accounts that wait to be published."""
    is_stopping: Callable[[], bool] = lambda: False
    """A function that returns whether the process is stopping. No new change is then requested."""
    audit: Audit | None = None
    """Writes each request to the audit log; None if there is no audit log."""
    journal: Journal | None = None
    """The record of first attempts in the state directory; None if there is no state directory."""
    older: EarlierStatuses = field(default_factory=EarlierStatuses)
    """Earlier statuses from Git history, for the part of the last hour that the journal does not cover."""
    news: NewsRecorder | None = None
    """Records the news for the sinks of notifications; None if there are no sinks."""
    notify: Notify = ignore_event
    """The callback that receives the events of a pass when they happen."""
    tracer: Tracer = NO_TRACER
    """Records a span for each pass and each observation of an account."""


@dataclass(frozen=True, slots=True)
class _UnavailableAccount:
    """An account that could not be opened. Every method raises the error that prevented the opening."""

    error: ProviderError

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:  # noqa: ARG002  the port's signature
        raise self.error

    async def get_job(self, ref: JobRef) -> ObservedJob | None:  # noqa: ARG002  the port's signature
        raise self.error

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:  # noqa: ARG002  the port's signature
        raise self.error

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:  # noqa: ARG002  as above
        raise self.error

    async def list_model_ends(self) -> tuple[ModelEnd, ...]:
        raise self.error


@dataclass(frozen=True, slots=True)
class _ReadOnly:
    """An account without methods that change jobs. If a bug makes a call fail, the call raises a `DefectError`."""

    _reader: JobReader

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        return await _contained(self._reader.list_page(query, cursor))

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        return await _contained(self._reader.get_job(ref))


@dataclass(frozen=True, slots=True)
class _ReadOnlyWithMore(_ReadOnly):
    """A read-only account of a provider that also supports events, checkpoints or ends of models.

    A list that the provider does not support is empty.
    """

    _more: object

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        return await _contained(self._more.list_events(ref, limit)) if isinstance(self._more, SupportsEvents) else ()

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        if not isinstance(self._more, SupportsCheckpoints):
            return ()
        return await _contained(self._more.list_checkpoints(ref, limit))

    async def list_model_ends(self) -> tuple[ModelEnd, ...]:
        return await _contained(self._more.list_model_ends()) if isinstance(self._more, SupportsModelEnds) else ()


async def _contained(answer: Awaitable[R]) -> R:
    try:
        return await answer
    except ProviderError:
        raise
    except Exception as error:
        raise DefectError(error) from error


def read_only(reader: JobReader) -> JobReader:
    """Return an account without the methods that change jobs. The other methods raise only `ProviderError`."""
    if isinstance(reader, SupportsEvents | SupportsCheckpoints | SupportsModelEnds):
        return _ReadOnlyWithMore(reader, reader)
    return _ReadOnly(reader)


async def open_or_unavailable(accounts: Accounts, target: ResolvedAccount) -> JobReader:
    """Return an open account.

    If it cannot be opened, return an account whose methods raise the error of the opening.
    """
    try:
        return read_only(await accounts.open(target))
    except ProviderError as error:
        return _UnavailableAccount(error)
    except Exception as error:  # noqa: BLE001  a bug in an adapter is reported when the account is used
        return _UnavailableAccount(DefectError(error))
