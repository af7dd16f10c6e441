"""The ports of the records that the controller writes: the status tree, its publisher, and the journal."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from reconciler.model.job import JobRef
from reconciler.model.journal import KnownStatuses, Requested
from reconciler.model.status import JobStatus, ProviderStatus

PROVIDERS = "_providers/"
"""The folder of provider statuses in the status tree. No folder of specs has such a name."""


def status_path(source: str, name: str) -> str:
    """Return the path of a spec's status in the status tree, from the spec's file and name."""
    return str(PurePosixPath(source).parent / f"{name}.yaml")


@dataclass(frozen=True, slots=True)
class Unread:
    """A status file, or a directory of statuses, that exists and could not be read this time."""

    path: str
    """Relative to the status tree, with `/`. A directory ends with `/`, and the tree itself is the empty path."""
    why: str
    """The operating system's message."""
    remedy: str

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, which may hold any number of statuses."""
        return not self.path or self.path.endswith("/")

    @property
    def is_of_jobs(self) -> bool:
        """Whether it may hold the status of a job. Otherwise it is about a provider."""
        return not self.path.startswith(PROVIDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatuses:
    """The status tree as it was read."""

    jobs: tuple[JobStatus, ...] = ()
    providers: tuple[ProviderStatus, ...] = ()
    discarded: tuple[str, ...] = ()
    """Status files that are ignored: unparsable, with a merge conflict, or with a wrong digest."""
    unread: tuple[Unread, ...] = ()
    """Files and directories that could not be read this time. They are unknown, not missing, and not overwritten."""
    too_new: tuple[str, ...] = ()
    """Status files of a later apiVersion. They stay untouched, and no change is requested for their jobs."""
    too_new_jobs: frozenset[tuple[str, str]] = frozenset()
    """The jobs of those files, as account and id, as far as they are known."""

    @property
    def lost_names(self) -> frozenset[str]:
        """The names of the jobs whose statuses were discarded."""
        return frozenset(PurePosixPath(each).stem for each in self.discarded if not each.startswith(PROVIDERS))

    def is_of_later_version(self, name: str, ref: JobRef | None) -> bool:
        """Whether the status of a spec, or of its job, is of a later apiVersion."""
        job = (str(ref.account), ref.id) if ref else None
        return job in self.too_new_jobs or any(PurePosixPath(each).stem == name for each in self.too_new)


class StatusStore(Protocol):
    """The store of statuses."""

    def load(self, *, by_content: bool = True) -> StoredStatuses:
        """Read the whole tree. Without `by_content`, a file whose stamp has not changed is not read again."""
        ...

    def known(self) -> StoredStatuses:
        """Return the statuses of the last `load`, with later writes, without reading the disk."""
        ...

    def write(self, status: JobStatus, *, durable: bool) -> bool:
        """Write a status if its bytes differ from those on disk. Returns whether it did. Raises OSError."""
        ...

    def remove(self, status: JobStatus) -> None:
        """Remove a status file that was loaded."""
        ...

    def restore(self, status: JobStatus) -> None:
        """Restore the files that the last write of this status replaced."""
        ...

    def discard(self, path: str) -> None:
        """Remove a discarded file."""
        ...

    def write_provider(self, status: ProviderStatus) -> bool:
        """Write a provider's status if it changed. Returns whether it did."""
        ...

    def remove_provider(self, name: str) -> None:
        """Remove a provider's status, because its account is observed again."""
        ...


class Publisher(Protocol):
    """Publishes the statuses on disk. Each method may raise `PublishError`."""

    @property
    def is_shared(self) -> bool:
        """Whether others publish there too, so that an intent must be published before its request is sent."""
        ...

    @property
    def is_dedicated(self) -> bool:
        """Whether the branch holds statuses only, so that authors of specs do not write to it."""
        ...

    @property
    def edition(self) -> int:
        """How often commits of others replaced statuses on the disk. Decisions on an older edition are dropped."""
        ...

    def exclusive(self) -> AbstractAsyncContextManager[object]:
        """Return a lock under which only its holder publishes. An intent is valid only once it is published."""
        ...

    async def pull(self) -> None:
        """Replace the statuses on disk by the published ones."""
        ...

    async def publish(self, message: str) -> str | None:
        """Publish changes, and return the revision, or None without changes. Raises `ConflictError`.

        The caller holds `exclusive`.
        """
        ...

    async def publish_on_top(self, message: str) -> str | None:
        """Publish changes on top of the published statuses. For outcomes, which must not be lost to a conflict."""
        ...


class Journal(Protocol):
    """The guard's memory, which writing statuses cannot change. Each method except `forget` may raise OSError."""

    def requested(self) -> tuple[Requested, ...]:
        """Return every first attempt that still counts or that proves an open receipt."""
        ...

    def record(self, requested: Iterable[Requested], still: Iterable[Requested]) -> None:
        """Record new attempts durably, and keep the earlier ones in `still`."""
        ...

    def forget(self, requested: Iterable[Requested]) -> None:
        """Remove attempts that were not sent. The file changes at the end of the pass."""
        ...

    def known(self) -> KnownStatuses:
        """Return the statuses as the last pass left them."""
        ...

    def keep(self, known: KnownStatuses) -> None:
        """Record the statuses as this pass leaves them."""
        ...
