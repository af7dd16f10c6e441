"""Find the jobs of an account that no spec names. Such jobs are listed and never changed.

The jobs of an account are listed for each kind that its specs name, and for the first kind of its type. Other kinds are
listed only if the user asks for them, because a gateway may not offer them, and because their lists may be long.

If every job of a kind ends within a known time, the list is read only as far back as unfinished jobs can be. Reading
stops after a page whose jobs are all older, provided that all rows so far came newest first, and that no older job is
unfinished. A job whose status word is unknown may be unfinished.

A list row may not show whether its job is of the kind. Such a job is retrieved if it is to be shown.

Rules: an incomplete list counts as a failure. A job seems unmanaged while the document of its spec is invalid, so
commands that act on unmanaged jobs first require documents without errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from reconciler.controller.account_resolver import accounts_by_name
from reconciler.controller.listing import PAGES_MAX
from reconciler.controller.request_failure import unobserved_by
from reconciler.controller.resolved_account import JobKey, ResolvedAccount, SpecProblem
from reconciler.controller.retrieves import retrieve
from reconciler.controller.runtime import Runtime, open_or_unavailable
from reconciler.controller.spec_resolver import resolve
from reconciler.errors import ProviderError
from reconciler.model.account_line import FINE_TUNING_JOB
from reconciler.model.job import TERMINAL, Account, JobPage, JobRef, ListQuery, ObservedJob, Phase, Unobserved, Unset
from reconciler.model.kind import KINDS
from reconciler.model.reason import Reason
from reconciler.ports import JobReader, Snapshot


@dataclass(frozen=True, slots=True)
class AccountListing:
    """The unmanaged jobs of one kind in one account, or why their list could not be read."""

    alias: str
    """A provider name of the account."""
    account: Account | None
    """The account, or None if the provider name cannot be used."""
    unmanaged: tuple[ObservedJob, ...] = ()
    jobs: int = 0
    """The number of jobs on the pages that were read."""
    others: int = 0
    """The number of jobs without a spec that are left out, because nothing shows that they are of this kind."""
    unobserved: Unobserved | None = None
    """Why the list could not be read, or None if it was read."""
    read_back_to: datetime | None = None
    """The list was read back to jobs that were created at this time, because every older job has ended.

    None if the list was read to its end.
    """
    is_unfinished_only: bool = False
    """Whether finished jobs are left out, at the user's request or because all jobs of the kind end in a known time."""

    @property
    def kind(self) -> str:
        """The kind of the jobs, by name."""
        return self.account.kind if self.account is not None else FINE_TUNING_JOB


async def list_unmanaged(
    snapshot: Snapshot,
    runtime: Runtime,
    provider: str | None = None,
    kind: str | None = None,
    *,
    is_unfinished: bool = False,
    archived: Collection[tuple[str, str]] = (),
) -> tuple[AccountListing, ...]:
    """Return the unmanaged jobs of each account that the documents name, or why they could not be listed.

    Args:
        snapshot: the documents.
        runtime: opens the accounts.
        provider: the name or type of the only provider to list. None lists all of them.
        kind: the only kind of job to list. None lists, in each account, the first kind of its provider type and each
            kind of which a spec names a job there.
        is_unfinished: whether to leave out finished jobs. They are always left out if all jobs of the kind end within a
            known time.
        archived: the jobs whose specs are in the archive, as account line and id. They do not count as unmanaged.
    """
    resolved = resolve(snapshot, runtime.policy, is_suspended=False)
    managed = {each.job for each in resolved.candidates if each.job is not None}
    targets = accounts_by_name(snapshot, runtime.policy, [provider] if provider else ())
    chosen = {provider: targets[provider]} if provider else targets
    used = {each.target.account for each in resolved.candidates if each.target is not None}
    return tuple(
        await asyncio.gather(
            *(
                _list(alias, target, managed, runtime, is_unfinished=is_unfinished, archived=archived)
                for alias, target in _each_once(chosen, used, kind)
            )
        )
    )


def _each_once(
    targets: Mapping[str, ResolvedAccount | SpecProblem], used: Collection[Account], kind: str | None
) -> Iterable[tuple[str, ResolvedAccount | SpecProblem]]:
    """Yield each account once for each kind to list, under the first of its names."""
    listed: set[Account] = set()
    for alias, target in targets.items():
        if isinstance(target, SpecProblem):
            yield alias, target
            continue
        for each in target.of_each_kind():
            is_wanted = each.account.kind == kind if kind else each.account in {target.account, *used}
            if is_wanted and each.account not in listed:
                listed.add(each.account)
                yield alias, each


async def _list(
    alias: str,
    target: ResolvedAccount | SpecProblem,
    managed: set[JobKey],
    runtime: Runtime,
    *,
    is_unfinished: bool,
    archived: Collection[tuple[str, str]],
) -> AccountListing:
    if isinstance(target, SpecProblem):
        return AccountListing(alias, None, unobserved=target.unobserved)
    reader = await open_or_unavailable(runtime.accounts, target)
    longest = KINDS[target.account.kind].ends_within
    oldest = None if longest is None else runtime.clock.now() - longest
    found = await _walk(reader, target.jobs.capabilities.page_size_max, oldest)
    if isinstance(found, Unobserved):
        return AccountListing(alias, target.account, unobserved=found)
    jobs, is_whole = found
    managed = managed | {target.key(job_id) for line, job_id in archived if line == str(target.account)}
    is_unfinished = is_unfinished or longest is not None
    unmanaged = _unmanaged(jobs.values(), target, managed, is_unfinished=is_unfinished)
    known = await _with_kinds(reader, target.account, unmanaged)
    if isinstance(known, Unobserved):
        return AccountListing(alias, target.account, unobserved=known)
    of_kind = tuple(job for job in known if job.is_of_kind is True)
    return AccountListing(
        alias,
        target.account,
        of_kind,
        len(jobs),
        len(known) - len(of_kind),
        read_back_to=None if is_whole else oldest,
        is_unfinished_only=is_unfinished,
    )


def _unmanaged(
    jobs: Iterable[ObservedJob], target: ResolvedAccount, managed: set[JobKey], *, is_unfinished: bool
) -> list[ObservedJob]:
    """Return the jobs that no spec names. With `is_unfinished`, leave out those that have ended."""
    left_out = TERMINAL if is_unfinished else frozenset[Phase]()
    return [job for job in jobs if job.phase not in left_out and managed.isdisjoint(map(target.key, job.ids))]


async def _with_kinds(
    reader: JobReader, account: Account, jobs: Sequence[ObservedJob]
) -> list[ObservedJob] | Unobserved:
    """Return the jobs, or why one of them could not be retrieved.

    A job whose row does not show its kind is retrieved. A job that no longer exists is left out.
    """
    unclear = [JobRef(account, job.id) for job in jobs if isinstance(job.is_of_kind, Unset)]
    retrieved: dict[str, ObservedJob | None] = {}
    for ref, found in zip(unclear, await retrieve(reader, unclear), strict=True):
        if isinstance(found, Unobserved):
            return found
        retrieved[ref.id] = found.job
    return [known for job in jobs if (known := retrieved.get(job.id, job)) is not None]


async def _walk(
    reader: JobReader, page_size: int, oldest: datetime | None
) -> tuple[Mapping[str, ObservedJob], bool] | Unobserved:
    """Return the jobs of an account by id, in the order of the list, and whether the list was read to its end.

    If `oldest` is given, jobs that were created before it are expected to have ended, so older pages are not read
    unless a page shows such a job unfinished. If a page cannot be read completely or the list does not end, return the
    reason.
    """
    jobs: dict[str, ObservedJob] = {}
    horizon = _Horizon(oldest)
    cursor: str | None = None
    cursors: set[str | None] = set()
    while cursor not in cursors and len(cursors) < PAGES_MAX:
        cursors.add(cursor)
        page = await _read_page(reader, page_size, cursor)
        if isinstance(page, Unobserved):
            return page
        jobs.update((job.id, job) for job in page.jobs)
        cursor = page.next_cursor
        is_past = horizon.is_past(page.jobs)
        if cursor is None or is_past:
            return jobs, cursor is None
    return Unobserved(
        Reason.OBSERVATION_INCOMPLETE, f"the list has more than {len(cursors)} pages, so it was not read to its end"
    )


async def _read_page(reader: JobReader, page_size: int, cursor: str | None) -> JobPage | Unobserved:
    """Return a page of the list, or why it could not be read completely."""
    try:
        page = await reader.list_page(ListQuery(page_size), cursor)
    except ProviderError as error:
        return unobserved_by(error)
    if page.garbled:
        why = f"{page.garbled} row{'s' if page.garbled > 1 else ''} of the list cannot be read"
        return Unobserved(Reason.OBSERVATION_INCOMPLETE, why)
    return page


@dataclass(slots=True)
class _Order:
    """Whether the rows of a list came newest first so far, by their times.

    Rows with equal times show no order. Therefore the order is known only once an older row has followed a newer row.
    """

    last: datetime | None = None
    holds: bool = True
    has_fallen: bool = False

    def newest_of(self, jobs: Iterable[ObservedJob]) -> datetime | None:
        """Take in the next page. Return when its newest job was created, or None if the list's order is not known."""
        times = [each.created_at for each in jobs]
        moments = [at for at in times if isinstance(at, datetime)]
        self._take_in(moments)
        self.holds = self.holds and len(moments) == len(times)
        return moments[0] if self.holds and self.has_fallen and moments else None

    def _take_in(self, moments: Sequence[datetime]) -> None:
        so_far = moments if self.last is None else [self.last, *moments]
        pairs = list(pairwise(so_far))
        self.holds = self.holds and all(one >= next_ for one, next_ in pairs)
        self.has_fallen = self.has_fallen or any(one > next_ for one, next_ in pairs)
        self.last = so_far[-1] if so_far else None


@dataclass(slots=True)
class _Horizon:
    """The time before which the pages of a list need not be read."""

    oldest: datetime | None
    """Jobs that were created before this time are expected to have ended. None means that all pages are read."""
    order: _Order = field(default_factory=_Order)

    def is_past(self, jobs: Sequence[ObservedJob]) -> bool:
        """Take in the next page. Return whether all further pages show only older jobs, which have ended."""
        newest = self.order.newest_of(jobs)
        if self.oldest is not None and any(_is_unfinished_since(self.oldest, job) for job in jobs):
            # A job is unfinished after its kind's maximum duration, so older pages may show unfinished jobs too.
            self.oldest = None
        return self.oldest is not None and newest is not None and newest < self.oldest


def _is_unfinished_since(oldest: datetime, job: ObservedJob) -> bool:
    """Return whether a job was created before `oldest` and may not have ended."""
    return job.phase not in TERMINAL and isinstance(job.created_at, datetime) and job.created_at < oldest
