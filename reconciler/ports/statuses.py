"""The ports of the records that the controller writes: the status tree, the publisher and the journal."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from reconciler.model.changed_status import ChangedStatus
from reconciler.model.job import JobRef
from reconciler.model.job_identity import job_identity
from reconciler.model.journal import KnownStatuses, Requested
from reconciler.model.status import JobStatus, ProviderStatus

PROVIDERS = "_providers/"
"""The folder of provider statuses in the status tree. A folder of specs cannot have this name."""

ARCHIVE = ".archive"
"""The folder of archived files, in the specs directory and in the status tree. No pass reads specs in it."""

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
"""A relative path that `PurePosixPath` leaves as it is."""


def status_path(source: str, name: str) -> str:
    """Return the path of a spec's status in the status tree, given the spec's file and name."""
    # A pass calls this several times for each spec, and `PurePosixPath` takes ten times as long.
    if _PLAIN.fullmatch(source) and _PLAIN.fullmatch(name):
        folder, slash, _ = source.rpartition("/")
        return f"{folder}{slash}{name}.yaml"
    return str(PurePosixPath(source).parent / f"{name}.yaml")


@dataclass(frozen=True, slots=True)
class Unread:
    """A status file or a directory of statuses that exists but could not be read."""

    path: str
    """The path relative to the status tree, with `/`. A directory ends with `/`. The empty path is the tree itself."""
    why: str
    """The operating system's message."""
    remedy: str
    """What a person can do to make the path readable."""

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory, which may contain any number of statuses."""
        return not self.path or self.path.endswith("/")

    @property
    def is_of_jobs(self) -> bool:
        """Whether this may contain the status of a job, not only of a provider."""
        return not self.path.startswith(PROVIDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatuses:
    """The content of the status tree as it was read."""

    jobs: tuple[JobStatus, ...] = ()
    providers: tuple[ProviderStatus, ...] = ()
    discarded: tuple[str, ...] = ()
    """The paths of ignored status files, which cannot be parsed, contain a merge conflict or have a wrong digest."""
    unread: tuple[Unread, ...] = ()
    """Files and directories that could not be read. Their content is unknown, not missing, and is not overwritten."""
    too_new: tuple[str, ...] = ()
    """Status files with a later apiVersion. They are not changed, and no change is requested for their jobs."""
    too_new_jobs: frozenset[tuple[str, str]] = frozenset()
    """The jobs in the files of `too_new`, as account and id, as far as they can be read."""

    @property
    def lost_names(self) -> frozenset[str]:
        """The names of the specs whose statuses were discarded."""
        return frozenset(PurePosixPath(each).stem for each in self.discarded if not each.startswith(PROVIDERS))

    def is_of_later_version(self, name: str, ref: JobRef | None) -> bool:
        """Return whether the status file of a spec or of its job has a later apiVersion.

        `ref` is the job, or None if it is not known.
        """
        job = job_identity(ref) if ref else None
        return job in self.too_new_jobs or any(PurePosixPath(each).stem == name for each in self.too_new)


class StatusStore(Protocol):
    """The store of statuses on disk.

    Each method that writes or removes a file raises `OSError` if that fails, except `write_all`. A file that `load`
    could not read is not changed.
    """

    def load(self, *, by_content: bool = True) -> StoredStatuses:
        """Read the whole status tree. Without `by_content`, a file whose stamp has not changed is not read again."""
        ...

    def known(self) -> StoredStatuses:
        """Return the statuses of the last `load`, updated by later writes, without reading the disk."""
        ...

    def archived(self, names: Collection[str]) -> tuple[JobStatus, ...]:
        """Return the archived statuses of specs with these names. Files that cannot be read are left out."""
        ...

    def write(self, status: JobStatus, *, durable: bool) -> bool:
        """Write a status if it differs from the file on disk, and return whether it was written.

        A file with a later apiVersion is not overwritten. With `durable`, the bytes are synced before they replace the
        old bytes, so that a crash leaves either the old or the new bytes. If the file is new, its directories are
        synced too.
        """
        ...

    def write_all(self, statuses: Iterable[JobStatus], *, are_intents: bool) -> dict[str, Exception]:
        """Write statuses as `write` does with `durable`, and sync all of them together.

        With `are_intents`, the directories of all files are synced too, so that a crash loses none of them. Return the
        error of each status that could not be written, by the name of its spec. No error is raised.
        """
        ...

    def remove(self, status: JobStatus) -> None:
        """Remove the file of a status that was loaded or written."""
        ...

    def restore(self, status: JobStatus) -> None:
        """Undo the last intent of this spec: restore the files that it replaced, and remove a new file.

        If that intent changed no file, do nothing.
        """
        ...

    def discard(self, path: str) -> None:
        """Remove the file at this path if `load` discarded it."""
        ...

    def write_provider(self, status: ProviderStatus) -> bool:
        """Write a provider's status if it changed, and return whether it was written.

        A file that could not be read or has a later apiVersion is not overwritten.
        """
        ...

    def remove_provider(self, name: str) -> None:
        """Remove a provider's status. Do nothing if there is none, or if its file could not be read."""
        ...


class Publisher(Protocol):
    """Publishes the statuses on disk. Every asynchronous method raises `PublishError` if it fails."""

    @property
    def is_shared(self) -> bool:
        """Whether other writers may publish too, so that an intent must be published before its request is sent."""
        ...

    @property
    def is_dedicated(self) -> bool:
        """Whether the branch contains only statuses, so that spec authors do not write to it."""
        ...

    @property
    def edition(self) -> int:
        """The number of pulls so far, with which `changes_since` finds what was changed after statuses were read."""
        ...

    def changes_since(self, edition: int) -> tuple[ChangedStatus, ...] | None:
        """Return the statuses that other writers have changed since an edition, or None if any may have been changed.

        A decision that is based on the earlier version of such a status must be made again.
        """
        ...

    def exclusive(self) -> AbstractAsyncContextManager[object]:
        """Return the lock that a caller must hold while publishing. Meanwhile, no other task publishes or pulls."""
        ...

    async def pull(self) -> None:
        """Replace the statuses on disk with the published statuses. The caller must not hold `exclusive`."""
        ...

    async def publish(
        self, message: str, is_valid: Callable[[Sequence[ChangedStatus]], bool] | None = None
    ) -> str | None:
        """Publish changes, and return the revision, or None if there are no changes.

        If another writer published first, the changes are published on top of that, unless both have changed one
        status, or `is_valid` refuses what the other has changed. It returns whether the decisions behind our changes
        remain valid, and may be called in another thread. None means that they depend on no other status.

        The caller must hold `exclusive`. Raises `ConflictError` if nothing was published because of other writers.
        """
        ...

    async def catch_up(self, tries: int) -> None:
        """Pull after a `ConflictError`, and keep the unpublished changes on top of the published statuses.

        The caller must hold `exclusive`. `tries` is how many times it has tried to publish: after several tries, the
        method first pauses for a random time.
        """
        ...

    def turn_s(self) -> float:
        """Return how many seconds to wait before `publish_on_top`, so that other writers can publish first."""
        ...

    async def publish_on_top(self, message: str) -> str | None:
        """Publish changes on top of what others published, and return the revision, or None if there are no changes.

        The outcome of a request thus survives a conflict. The caller must not hold `exclusive`.
        """
        ...


class Journal(Protocol):
    """The guard's record of attempts and statuses, which does not depend on the status files.

    Each method except `forget` raises `OSError` if the journal cannot be read or written.
    """

    def requested(self) -> tuple[Requested, ...]:
        """Return every recorded first attempt that has not been removed."""
        ...

    def record(self, requested: Iterable[Requested], still: Iterable[Requested]) -> None:
        """Record new attempts durably, and drop all earlier attempts except those in `still`."""
        ...

    def forget(self, requested: Iterable[Requested]) -> None:
        """Remove attempts that were not sent. The file on disk changes at the end of the pass, in `keep`."""
        ...

    def known(self) -> KnownStatuses:
        """Return the statuses that existed after the last pass."""
        ...

    def keep(self, known: KnownStatuses) -> None:
        """Record the statuses that exist after this pass."""
        ...
