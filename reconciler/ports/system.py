"""What the loop needs of the rest of the world: specs, statuses, disks, clocks, and who is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Generic, Protocol, TypeVar

from reconciler.model.action import CommitApproval
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import JobRef
from reconciler.model.journal import KnownStatuses, Requested
from reconciler.model.kind import JobDocument
from reconciler.model.spec import Provider, Settings
from reconciler.model.status import JobStatus, Origin, ProviderStatus

D = TypeVar("D", JobDocument, Provider, Settings)


class Clock(Protocol):
    """Time, so that tests can make it."""

    def now(self) -> datetime:
        """Return this moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that long."""
        ...


class Disk(Protocol):
    """The only way to files: seven operations, so that a test's disk can forget what was not synced."""

    def read(self, path: Path) -> bytes:
        """Return a file's bytes. Raises OSError."""
        ...

    def list(self, path: Path) -> list[Entry]:
        """Return what stands in a directory, sorted by name. Raises OSError."""
        ...

    def write_beside(self, target: Path, data: bytes) -> Path:
        """Write bytes to a new file in the directory of another, which is made if need be; return the new file.

        It takes the other's place by `rename`. Nothing of this is durable yet. Raises OSError that names the target.
        """
        ...

    def sync(self, path: Path) -> None:
        """Make a file's bytes durable."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in the place of another in one step."""
        ...

    def sync_dir(self, path: Path) -> None:
        """Make a directory's entries durable."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file, and nothing if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a directory. A symbolic link is neither file nor directory unless it points inside."""

    name: str
    is_dir: bool
    is_file: bool
    why_neither: str = "neither a file nor a directory"
    """What to say of it where it is neither."""
    stamp: tuple[int, ...] | None = None
    """Of a file: as long as it is the same, so most likely are the bytes. None: nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Generic[D]):
    """A document, and where it stands."""

    document: D
    file: str
    """Relative to the specs directory, with `/`."""
    line: int
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)
    """Line by field path, such as `("spec", "jobId")`, for diagnostics that come later than parsing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenJob:
    """A job document that is not valid, but whose name can be read: its status must say so."""

    name: str
    file: str
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that stands under the specs directory at one moment."""

    jobs: tuple[Located[JobDocument], ...] = ()
    providers: tuple[Located[Provider], ...] = ()
    settings: tuple[Located[Settings], ...] = ()
    broken_jobs: tuple[BrokenJob, ...] = ()
    broken_providers: frozenset[str] = frozenset()
    """Names of Provider documents that are there and not valid."""
    broken_files: frozenset[str] = frozenset()
    """Files of which nothing, or not everything, could be read."""
    may_hold_providers: frozenset[str] = frozenset()
    """Those of them that seem to hold a Provider document, whose name nobody can tell."""
    may_name_providers: frozenset[str] = frozenset()
    """What seems to be named in those."""
    is_settings_broken: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()
    revision: str | None = None
    distrust: str | None = None
    """Why this revision is read and not acted on (`RevisionNotTrusted`), if so."""
    is_torn: bool = False
    """It is distrusted only because it changed while it was read."""
    approvals: tuple[CommitApproval, ...] = ()
    """What the commits of the last day approve."""
    notices: tuple[str, ...] = ()
    """What a person should know of this revision."""


class SpecSource(Protocol):
    """Where the documents come from."""

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Read everything. Never raises for what a user wrote: that is in `diagnostics`.

        Without `by_content`, a file whose stamp has not changed since the last snapshot is not read again.
        """
        ...

    def current(self, file: str, name: str) -> JobDocument | None:
        """Return the job document as it stands at this moment, or None if it is gone or not valid."""
        ...

    def is_as_read(self) -> bool:
        """Whether Settings still say what the last snapshot read, and nothing has come up that distrusts it.

        Asked before each request, so it reads Settings alone; those that came since are for the next snapshot.
        """
        ...

    def origin(self, file: str) -> Origin | None:
        """Return the commit that last changed a file, where there is a Git checkout that knows it."""
        ...


PROVIDERS = "_providers/"
"""Where in the status tree the statuses of providers stand. No folder of specs has such a name."""


def status_path(source: str, name: str) -> str:
    """Return where the status of a spec stands in the status tree, by the spec's file and name."""
    return str(PurePosixPath(source).parent / f"{name}.yaml")


@dataclass(frozen=True, slots=True)
class Unread:
    """A status file, or a directory of statuses, that is there and could not be read this time."""

    path: str
    """Relative to the status tree, with `/`; a directory's ends with one, and the tree itself is the empty path."""
    why: str
    """In the operating system's words."""
    remedy: str

    @property
    def is_directory(self) -> bool:
        """Whether it may hold any number of statuses."""
        return not self.path or self.path.endswith("/")

    @property
    def is_of_jobs(self) -> bool:
        """Whether it may hold the status of a job; else it is about a provider."""
        return not self.path.startswith(PROVIDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatuses:
    """The status tree as it was read."""

    jobs: tuple[JobStatus, ...] = ()
    providers: tuple[ProviderStatus, ...] = ()
    discarded: tuple[str, ...] = ()
    """Status files that count as none: unparsable, in conflict, or with a wrong digest."""
    unread: tuple[Unread, ...] = ()
    """What could not be read this time: it is unknown, which is not none, and it is not overwritten."""
    too_new: tuple[str, ...] = ()
    """Status files of a later apiVersion: untouched, and no action for their jobs."""
    too_new_jobs: frozenset[tuple[str, str]] = frozenset()
    """Those jobs, as account and id, where they can be told."""

    @property
    def lost_names(self) -> frozenset[str]:
        """The names of the jobs whose statuses were discarded."""
        return frozenset(PurePosixPath(each).stem for each in self.discarded if not each.startswith(PROVIDERS))

    def is_left_alone(self, name: str, ref: JobRef | None) -> bool:
        """Whether the status of a spec, or of its job, is of a later version."""
        job = (str(ref.account), ref.id) if ref else None
        return job in self.too_new_jobs or any(PurePosixPath(each).stem == name for each in self.too_new)


class Publisher(Protocol):
    """Where statuses go besides the disk. Each method may raise `PublishError`."""

    @property
    def is_shared(self) -> bool:
        """Whether others publish there too, so that an intent must be there before its request leaves."""
        ...

    @property
    def is_ours_alone(self) -> bool:
        """Whether the place holds nothing but what we write, so that no author of specs writes there."""
        ...

    @property
    def edition(self) -> int:
        """How often commits of others replaced statuses on the disk. Decisions on an older edition are dropped."""
        ...

    def alone(self) -> AbstractAsyncContextManager[object]:
        """Let nothing be published meanwhile but by its holder: an intent is no status until others have it."""
        ...

    async def pull(self) -> None:
        """Put what is published in the place of what is on the disk."""
        ...

    async def publish(self, message: str) -> str | None:
        """Publish changes. Returns the revision, or None if there are none. Raises `ConflictError`. Call it `alone`."""
        ...

    async def publish_on_top(self, message: str) -> str | None:
        """Publish what changed on top of whatever is there by now: for what has happened, and must not be lost."""
        ...


class Journal(Protocol):
    """What the guard remembers where whoever writes statuses cannot. Each method but `forget` may raise OSError."""

    def requested(self) -> tuple[Requested, ...]:
        """Return every first attempt that still counts, or vouches for a receipt."""
        ...

    def record(self, requested: Iterable[Requested], still: Iterable[Requested]) -> None:
        """Keep these, durably, and of the earlier ones those that must still be known."""
        ...

    def forget(self, requested: Iterable[Requested]) -> None:
        """Take back what never left. It is gone from the disk once the pass ends."""
        ...

    def known(self) -> KnownStatuses:
        """Return the statuses as the last pass left them."""
        ...

    def keep(self, known: KnownStatuses) -> None:
        """Remember the statuses as this pass leaves them."""
        ...


class ChangeNotifier(Protocol):
    """Tells that something changed under the specs; what, is for a snapshot to find."""

    @property
    def is_alive(self) -> bool:
        """Whether a change would still be noticed."""
        ...

    async def wait(self) -> None:
        """Return after the next change."""
        ...


class StatusStore(Protocol):
    """Where statuses are kept."""

    def load(self, *, by_content: bool = True) -> StoredStatuses:
        """Read the whole tree. Without `by_content`, a file whose stamp has not changed is not read again."""
        ...

    def known(self) -> StoredStatuses:
        """Return what was loaded last, and written since, without asking the disk."""
        ...

    def write(self, status: JobStatus, *, durable: bool) -> bool:
        """Write a status if its bytes differ from those that are there. Returns whether it did. Raises OSError."""
        ...

    def remove(self, status: JobStatus) -> None:
        """Remove a status file that was loaded."""
        ...

    def restore(self, status: JobStatus) -> None:
        """Put back what a status that was just written took the place of."""
        ...

    def discard(self, path: str) -> None:
        """Remove a file that counts as none."""
        ...

    def write_provider(self, status: ProviderStatus) -> bool:
        """Write what is wrong with an account, if that is news."""
        ...

    def remove_provider(self, name: str) -> None:
        """Remove it: the account can be seen again."""
        ...
