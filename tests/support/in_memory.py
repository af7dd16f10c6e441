"""The world of a pass in memory. Each class but `World` implements a Protocol of `reconciler.ports` or the controller.

Rules: the inputs and the results of a test are fields. Nothing here depends on how the controller uses a class.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.runtime import Runtime
from reconciler.formats.job_edits import job_edits, with_contents
from reconciler.model.job import Account
from reconciler.model.journal import KnownStatuses, Requested
from reconciler.model.kind import JobDocument
from reconciler.model.request_rate import RequestRate
from reconciler.model.status import JobStatus, Origin, ProviderStatus
from reconciler.ports import JobEdit, JobReader, Rate, Snapshot, StoredStatuses, Unread, status_path
from tests.support.build import NOW
from tests.support.in_memory_operator import Operator


@dataclass
class Specs:
    """The `SpecSource`: one snapshot, which a test may replace."""

    revision: Snapshot = field(default_factory=Snapshot)
    reads: list[bool] = field(default_factory=list)
    """For each new or advanced snapshot, whether every file was to be read."""
    is_changed: bool = False
    """Whether the Settings differ from those of the last snapshot."""
    origins: dict[str, Origin] = field(default_factory=dict)
    _read: Snapshot = field(default_factory=Snapshot)

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Return the snapshot that the test has set."""
        self.reads.append(by_content)
        self._read = self.revision
        return self.revision

    def reread(self, paths: Collection[str]) -> tuple[JobEdit, ...] | None:
        """Return the edits of these files since the last snapshot, or None if one of them changed in another way."""
        found: list[JobEdit] = []
        for path in paths:
            before, after = (
                Snapshot(jobs=tuple(each for each in whole.jobs if each.file == path))
                for whole in (self._read, self.revision)
            )
            edits = job_edits(before, after) if before.jobs else None
            if edits is None:
                return None
            found += edits
        return tuple(found)

    def advance(self, paths: Collection[str]) -> Snapshot | None:
        """Return the snapshot with the edits of these files, or None if one of them changed in another way."""
        if self.reread(paths) is None:
            return None
        self.reads.append(False)
        self._read = with_contents(
            self._read,
            {path: Snapshot(jobs=tuple(each for each in self.revision.jobs if each.file == path)) for path in paths},
        )
        return self._read

    def current(self, file: str, name: str) -> JobDocument | None:
        """Return the document that has this name in this file, or None."""
        named = (each.document for each in self.revision.jobs if each.file == file)
        return next((each for each in named if each.metadata.name == name), None)

    def is_as_read(self) -> bool:
        """Return whether Settings are those of the last snapshot."""
        return not self.is_changed

    def origin(self, file: str) -> Origin | None:
        """Return the commit that last changed a file, or None if the test has set none."""
        return self.origins.get(file)


@dataclass
class Statuses:
    """The `StatusStore`: the files on the disk by path, and the statuses that the process knows."""

    jobs: dict[str, JobStatus] = field(default_factory=dict)
    """The statuses, by a path such as `team-a/chat.yaml`."""
    providers: dict[str, ProviderStatus] = field(default_factory=dict)
    discarded: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    too_new: tuple[str, ...] = ()
    too_new_jobs: frozenset[tuple[str, str]] = frozenset()
    in_archive: tuple[JobStatus, ...] = ()
    broken: OSError | None = None
    """The error that every write and removal raises, or None."""
    reads: list[bool] = field(default_factory=list)
    """For each load, whether every file was to be read."""
    durable: set[str] = field(default_factory=set)
    """The names of the statuses whose last write was synced."""
    _known: StoredStatuses = field(default_factory=StoredStatuses)
    _replaced: dict[str, JobStatus | None] = field(default_factory=dict)

    @classmethod
    def of(cls, *statuses: JobStatus, **rest: Any) -> Statuses:
        """Return a store with each of these statuses at the path of its spec, as if it had been loaded once."""
        store = cls({status_path(each.source, each.name): each for each in statuses}, **rest)
        store._keep()
        return store

    def load(self, *, by_content: bool = True) -> StoredStatuses:
        """Return the statuses on the disk."""
        self.reads.append(by_content)
        return self._keep()

    def known(self) -> StoredStatuses:
        """Return the statuses of the last load, with all later writes."""
        return self._known

    def write_all(self, statuses: Iterable[JobStatus], *, are_intents: bool) -> dict[str, Exception]:  # noqa: ARG002
        """Write statuses one by one, and return the errors."""
        failed: dict[str, Exception] = {}
        for status in statuses:
            try:
                self.write(status, durable=True)
            except Exception as error:  # noqa: BLE001  a bug in the rendering of one status is an error of that status
                failed[status.name] = error
        return failed

    def write(self, status: JobStatus, *, durable: bool) -> bool:
        """Write a status, and return whether it differs from the earlier status at its path."""
        self._check()
        path = status_path(status.source, status.name)
        before = self.jobs.get(path)
        self._replaced.pop(path, None)
        if before == status:
            return False
        self._replaced[path], self.jobs[path] = before, status
        (self.durable.add if durable else self.durable.discard)(status.name)
        self._keep()
        return True

    def archived(self, names: Collection[str]) -> tuple[JobStatus, ...]:
        """Return the archived statuses of specs with these names."""
        return tuple(each for each in self.in_archive if each.name in names)

    def remove(self, status: JobStatus) -> None:
        """Remove every status with the same name, whatever its path is."""
        self._check()
        for path in [path for path, each in self.jobs.items() if each.name == status.name]:
            del self.jobs[path]
        self._keep()

    def restore(self, status: JobStatus) -> None:
        """Restore the state before the last write of this status, if that write changed it."""
        self._check()
        path = status_path(status.source, status.name)
        if path not in self._replaced:
            return
        before = self._replaced.pop(path)
        if before is None:
            self.jobs.pop(path, None)
        else:
            self.jobs[path] = before
        self._keep()

    def discard(self, path: str) -> None:
        """Remove a file that was not read as a status."""
        self._check()
        self.discarded = tuple(each for each in self.discarded if each != path)
        self._keep()

    def write_provider(self, status: ProviderStatus) -> bool:
        """Write an account's status, and return whether it differs from the earlier status."""
        self._check()
        is_news = self.providers.get(status.name) != status
        self.providers[status.name] = status
        self._keep()
        return is_news

    def remove_provider(self, name: str) -> None:
        """Remove an account's status."""
        self._check()
        self.providers.pop(name, None)
        self._keep()

    def _check(self) -> None:
        if self.broken is not None:
            raise self.broken

    def _keep(self) -> StoredStatuses:
        self._known = StoredStatuses(
            jobs=tuple(self.jobs.values()),
            providers=tuple(self.providers.values()),
            discarded=self.discarded,
            unread=self.unread,
            too_new=self.too_new,
            too_new_jobs=self.too_new_jobs,
        )
        return self._known


@dataclass
class Notebook:
    """The `Journal` in memory."""

    attempts: tuple[Requested, ...] = ()
    statuses: KnownStatuses = field(default_factory=KnownStatuses)
    broken: OSError | None = None
    """The error that every method except `forget` raises, or None."""

    def requested(self) -> tuple[Requested, ...]:
        """Return the recorded first attempts."""
        self._check()
        return self.attempts

    def record(self, requested: Iterable[Requested], still: Iterable[Requested]) -> None:
        """Add these attempts, and drop all earlier attempts except `still`."""
        self._check()
        self.attempts = (*still, *requested)

    def forget(self, requested: Iterable[Requested]) -> None:
        """Remove attempts whose requests were never sent."""
        gone = set(requested)
        self.attempts = tuple(each for each in self.attempts if each not in gone)

    def known(self) -> KnownStatuses:
        """Return the statuses that the last pass recorded."""
        self._check()
        return self.statuses

    def keep(self, known: KnownStatuses) -> None:
        """Record the statuses at the end of this pass."""
        self._check()
        self.statuses = known

    def _check(self) -> None:
        if self.broken is not None:
            raise self.broken


@dataclass
class HandClock:
    """The `Clock`: its time does not pass by itself, and a sleep advances it at once."""

    moment: datetime = NOW
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the current time."""
        return self.moment

    def monotonic(self) -> float:
        """Return the sum of all sleeps, in seconds."""
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        """Advance the time at once."""
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)


@dataclass
class OpenAccounts:
    """The `Accounts`: a reader for each account, or the error that opening it raises."""

    readers: Mapping[Account, JobReader | Exception] = field(default_factory=dict)
    opened: list[Account] = field(default_factory=list)
    rates: dict[Account, Rate] = field(default_factory=dict)
    """The newest rate limit of each account."""

    async def open(self, target: ResolvedAccount) -> JobReader:
        """Return the reader of an account, or raise the error that opening it raises."""
        self.opened.append(target.account)
        reader = self.readers[target.account]
        if isinstance(reader, Exception):
            raise reader
        return reader

    def apply_rate(self, target: ResolvedAccount) -> None:
        """Record the rate limit of an account."""
        self.rates[target.account] = target.rate

    def rate(self, target: ResolvedAccount) -> Rate:
        """Return the rate limit of an account."""
        return target.rate

    def request_rates(self) -> Mapping[str, RequestRate]:
        """Return no rates, because no test reads them."""
        return {}

    def requests(self, account: Account) -> int:
        """Return how often an account was opened, as the number of its requests."""
        return self.opened.count(account)


@dataclass
class World:
    """All objects that a pass uses."""

    specs: Specs = field(default_factory=Specs)
    statuses: Statuses = field(default_factory=Statuses)
    operator: Operator = field(default_factory=Operator)
    accounts: OpenAccounts = field(default_factory=OpenAccounts)
    clock: HandClock = field(default_factory=HandClock)
    journal: Notebook = field(default_factory=Notebook)

    def runtime(self, **rest: Any) -> Runtime:
        """Return the runtime of a pass. `rest` has further fields. Without `control`, the pass is a dry run."""
        usual: dict[str, Any] = {"control": None, "journal": self.journal}
        return Runtime(
            specs=self.specs,
            statuses=self.statuses,
            policy=self.operator,
            accounts=self.accounts,
            clock=self.clock,
            **usual | rest,
        )
