"""Time limits for the observation of accounts: an observation fails if the account does not respond in time.

Rules: only observations are limited. A request that changes a job has its own deadline, because a request whose
response is not awaited would have to be repeated. Each successful response restarts the limit, so an account that is
only slow is observed completely, unless the run's deadline passes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.runtime import Accounts
from reconciler.errors import Delivered, TransientError
from reconciler.model.job import Account, JobPage, JobRef, ListQuery, ObservedJob
from reconciler.model.report import ExpiredClock
from reconciler.model.request_rate import RequestRate
from reconciler.ports import Clock, JobReader, Rate

R = TypeVar("R")


@dataclass(slots=True)
class Bounds:
    """How long to wait for an account: `silence_s` without a successful response, but not beyond the run's deadline."""

    clock: Clock
    silence_s: float
    until: float = math.inf
    """The deadline of the run, in monotonic seconds."""
    cut_by: ExpiredClock = ExpiredClock.TIMEOUT
    """The option that set the deadline `until`."""
    answered_at: dict[Account, float] = field(default_factory=dict)
    """When each account last responded with success, in monotonic seconds.

    The kinds of job in an account share its request rate, so a request for one kind may wait for those of another kind.
    """

    async def within(self, account: Account, work: Coroutine[Any, Any, R]) -> R:
        """Return the result of `work`, or raise its error.

        Raises `TransientError` if the account does not respond within the bounds. `work` is then cancelled.
        """
        begun = self.clock.monotonic()
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                heard = max(begun, self.answered_at.get(account.shared, begun))
                left = min(heard + self.silence_s, self.until) - self.clock.monotonic()
                if left <= 0:
                    raise TransientError(self._silent(heard), delivered=Delivered.NO)
                await asyncio.wait({task}, timeout=left)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        found = task.result()
        self.answered_at[account.shared] = self.clock.monotonic()
        return found

    def _silent(self, heard: float) -> str:
        waited = f"no response within {self.clock.monotonic() - heard:.0f} s"
        return f"{waited}, then {self.cut_by} expired" if self.until < heard + self.silence_s else waited


@dataclass(frozen=True, slots=True)
class BoundedAccounts:
    """The `Accounts` of a run, with time limits for observations."""

    accounts: Accounts
    bounds: Bounds

    async def open(self, target: ResolvedAccount) -> JobReader:
        """Return an open account for reading, within the bounds.

        Raises `TransientError` if the account does not respond within them, and the errors of `Accounts.open`.
        """
        reader = await self.bounds.within(target.account, self.accounts.open(target))
        return _BoundedReader(target.account, reader, self.bounds)

    def apply_rate(self, target: ResolvedAccount) -> None:
        """Apply a changed rate limit to an account if it is open."""
        self.accounts.apply_rate(target)

    def rate(self, target: ResolvedAccount) -> Rate:
        """Return the current rate limit of an account."""
        return self.accounts.rate(target)

    def request_rates(self) -> Mapping[str, RequestRate]:
        """Return the request rate of each open account and what limits it, by account line (`model.account_line`)."""
        return self.accounts.request_rates()

    def requests(self, account: Account) -> int:
        """Return how many requests were sent to an account so far."""
        return self.accounts.requests(account)


@dataclass(frozen=True, slots=True)
class _BoundedReader:
    account: Account
    reader: JobReader
    bounds: Bounds

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        return await self.bounds.within(self.account, self.reader.list_page(query, cursor))

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        return await self.bounds.within(self.account, self.reader.get_job(ref))
