"""The port of the specs: where documents come from, and what one reading of them holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from reconciler.model.action import CommitApproval
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import JobDocument
from reconciler.model.spec import Provider, Settings
from reconciler.model.status import Origin

D = TypeVar("D", JobDocument, Provider, Settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Generic[D]):
    """A document and its position."""

    document: D
    file: str
    """Relative to the specs directory, with `/`."""
    line: int
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)
    """The line of each field, by path such as `("spec", "jobId")`, for diagnostics that are made after parsing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenJob:
    """A job document that is invalid but has a readable name. Its status must report that."""

    name: str
    file: str
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Every document below the specs directory at one moment."""

    jobs: tuple[Located[JobDocument], ...] = ()
    providers: tuple[Located[Provider], ...] = ()
    settings: tuple[Located[Settings], ...] = ()
    broken_jobs: tuple[BrokenJob, ...] = ()
    broken_providers: frozenset[str] = frozenset()
    """The names of invalid Provider documents."""
    broken_files: frozenset[str] = frozenset()
    """The files that could not be read, or not completely."""
    may_hold_providers: frozenset[str] = frozenset()
    """The broken files that seem to hold a Provider document whose name is unknown."""
    may_name_providers: frozenset[str] = frozenset()
    """The names that seem to occur in those files."""
    is_settings_broken: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()
    revision: str | None = None
    why_not_trusted: str | None = None
    """Why this revision is read but not acted on (`RevisionNotTrusted`), if so."""
    is_torn: bool = False
    """Whether it is not trusted only because it changed while it was read."""
    approvals: tuple[CommitApproval, ...] = ()
    """The approvals in the commits of the last day."""
    notices: tuple[str, ...] = ()
    """Messages about this revision for the report."""


class SpecSource(Protocol):
    """The source of the documents."""

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Return every document. Never raises because of a user's mistake, which becomes a diagnostic.

        Without `by_content`, a file whose stamp has not changed since the last snapshot is not read again.
        """
        ...

    def current(self, file: str, name: str) -> JobDocument | None:
        """Return a job document as it is now, or None if it is missing or invalid."""
        ...

    def is_as_read(self) -> bool:
        """Whether the Settings are still those of the last snapshot, and the revision is still trusted.

        It is called before each request. Therefore it reads only files that held Settings at the last snapshot; new
        ones count from the next snapshot on.
        """
        ...

    def origin(self, file: str) -> Origin | None:
        """Return the commit that last changed a file, if the source is a Git checkout that knows it."""
        ...
