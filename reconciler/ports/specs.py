"""The port of the specs: the source of documents, and the snapshot that it returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

from reconciler.model.account_line import FINE_TUNING_JOB
from reconciler.model.action import CommitApproval
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import JobDocument
from reconciler.model.spec import Document, Provider, Settings
from reconciler.model.status import Origin

D = TypeVar("D", bound=Document)
D_co = TypeVar("D_co", bound=Document, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Generic[D_co]):
    """A document and its position in a file."""

    document: D_co
    file: str
    """The path of the file, relative to the specs directory, with `/`."""
    line: int
    """The line at which the document begins, from 1."""
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)
    """The line of each field, from 1, by a path such as `("spec", "jobId")`.

    It is needed for diagnostics that are created after parsing.
    """


@dataclass(frozen=True, slots=True)
class JobEdit:
    """An edit of one job document that kept its kind, its metadata, its provider, its job and its file."""

    before: Located[JobDocument]
    after: Located[JobDocument]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenJob:
    """An invalid job document with a readable name. The status of that name must report the error."""

    name: str
    file: str
    diagnostics: tuple[Diagnostic, ...]
    kind: str = FINE_TUNING_JOB


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Every document below the specs directory at one point in time."""

    jobs: tuple[Located[JobDocument], ...] = ()
    providers: tuple[Located[Provider], ...] = ()
    settings: tuple[Located[Settings], ...] = ()
    broken_jobs: tuple[BrokenJob, ...] = ()
    broken_providers: frozenset[str] = frozenset()
    """The names of invalid Provider documents."""
    broken_files: frozenset[str] = frozenset()
    """The files that could not be read or parsed completely."""
    may_hold_providers: frozenset[str] = frozenset()
    """The broken files that seem to contain a Provider document whose name is unknown."""
    may_name_providers: frozenset[str] = frozenset()
    """The document names that seem to occur in the files of `may_hold_providers`."""
    is_settings_broken: bool = False
    """Whether the Settings are invalid, occur more than once, or may be in a file that cannot be read."""
    diagnostics: tuple[Diagnostic, ...] = ()
    revision: str | None = None
    """The commit of the documents, or None if it is unknown or they are not in Git."""
    why_not_trusted: str | None = None
    """Why this revision is read but not acted on (`RevisionNotTrusted`), or None."""
    is_torn: bool = False
    """Whether this revision is not trusted only because it changed while it was being read."""
    approvals: tuple[CommitApproval, ...] = ()
    """The approvals in the messages of recent commits."""
    notices: tuple[str, ...] = ()
    """Messages about this revision for the report."""

    @property
    def has_only_jobs(self) -> bool:
        """Whether the snapshot contains only valid jobs: no other document, no error and no diagnostic."""
        return not (
            self.providers
            or self.settings
            or self.broken_jobs
            or self.broken_providers
            or self.broken_files
            or self.may_hold_providers
            or self.may_name_providers
            or self.is_settings_broken
            or self.diagnostics
        )


class SpecSource(Protocol):
    """The port through which a pass reads the documents, and through which a request checks that they are unchanged."""

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Return every document. An error in a document becomes a diagnostic and is never raised.

        Without `by_content`, a file whose stamp has not changed since the last snapshot is not read again.
        """
        ...

    def current(self, file: str, name: str) -> JobDocument | None:
        """Return the current version of the job document with this name in a file.

        Return None if the file cannot be read, or if it does not contain exactly one valid job document with this name.
        A source may also return None while its documents must not be acted on.
        """
        ...

    def is_as_read(self) -> bool:
        """Return whether the Settings and Provider documents are those of the last snapshot.

        A source also returns False if it notices that its revision must no longer be acted on.

        This is called before each request. Therefore it reads only the files that contained such documents at the last
        snapshot. Settings and Provider documents in another file take effect with the next snapshot.
        """
        ...

    def origin(self, file: str) -> Origin | None:
        """Return the commit that last changed a file.

        Return None if the source has no commits, if the file differs from its commit, or if the history is incomplete
        or cannot be read.
        """
        ...


@runtime_checkable
class SupportsReread(Protocol):
    """A source that can read a few changed files without a new snapshot."""

    def reread(self, paths: Collection[str]) -> tuple[JobEdit, ...] | None:
        """Read changed files again, and return the edits since the last snapshot. The snapshot stays as it is.

        Return None if anything other than such edits may have changed, so that a new snapshot is needed.

        Args:
            paths: the paths that changed, relative to the specs directory, with `/`. Files with hidden names, which
                editors write temporarily, are ignored.
        """
        ...

    def advance(self, paths: Collection[str]) -> Snapshot | None:
        """Read changed files again, and return the last snapshot with their edits, which is then the last snapshot.

        Return None if anything other than such edits may have changed, so that a new snapshot is needed. The result is
        that of `snapshot` if nothing has changed but these paths.
        """
        ...
