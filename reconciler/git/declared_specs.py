"""What the spec files that a commit changed declared before and after the commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.formats.spec_parser import read_documents
from reconciler.model.kind import JobDocument
from reconciler.model.spec import DesiredState, Limits, ProviderSpec, Suspension
from reconciler.ports import Snapshot


class Wanted(NamedTuple):
    """The fields of a spec that identify its job, or decide which changes are requested for it."""

    state: DesiredState
    limits: Limits | None
    suspend: Suspension | None
    job: tuple[str, str, str]
    """The kind, the provider and the id."""

    @property
    def provider(self) -> str:
        """The name of a Provider document, or a provider type."""
        return self.job[1]


@dataclass(frozen=True, slots=True)
class DeclaredSpecs:
    """The documents of one or more files, as they were before or after a commit."""

    wants: Mapping[str, Wanted]
    """The desired states by spec name."""
    providers: Mapping[str, tuple[ProviderSpec, ...]]
    """The specs of the Provider documents by name. A name that occurs more than once is invalid, but compared."""
    hidden: frozenset[str]
    """The names of invalid specs, whose desired state is unknown."""
    is_read: bool
    """Whether every file was read."""
    is_whole: bool
    """Whether every file was read and is YAML."""


@dataclass(slots=True)
class LaterChanges:
    """What the commits after a commit changed."""

    specs: set[str] = field(default_factory=set)
    """The names of the job documents."""
    providers: set[str] = field(default_factory=set)
    """The names of the Provider documents."""
    is_unknown: bool = False
    """Whether any Provider document may have changed, because a file was not read."""

    def add(self, had: DeclaredSpecs, has: DeclaredSpecs) -> None:
        """Add the changes of one commit."""
        self.specs |= _different(had.wants, has.wants)
        self.providers |= _different(had.providers, has.providers)
        self.is_unknown |= not (had.is_read and has.is_read)

    def moves(self, wanted: Wanted) -> bool:
        """Return whether a job may now belong to another account."""
        return wanted.provider in self.providers or self.is_unknown


def set_by(had: DeclaredSpecs, has: DeclaredSpecs) -> dict[str, Wanted]:
    """Return the desired states that a commit set.

    If the previous version of a file cannot be read, the result is empty, because it is unknown which desired states
    the commit changed.
    """
    if not had.is_whole:
        return {}
    # A spec that was only renamed did not change the desired state of its job.
    jobs = {wanted.job: wanted for wanted in had.wants.values()}
    names = (name for name in _different(had.wants, has.wants) & has.wants.keys() - had.hidden)
    return {name: wanted for name in names if jobs.get((wanted := has.wants[name]).job) != wanted}


def read_specs(data: bytes) -> DeclaredSpecs:
    """Return the documents of one file."""
    found: Snapshot = read_documents(data, file="", shown="")
    wants = {each.document.metadata.name: want_of(each.document) for each in found.jobs}
    providers: dict[str, tuple[ProviderSpec, ...]] = {}
    for each in found.providers:
        name = each.document.metadata.name
        providers[name] = (*providers.get(name, ()), each.document.spec)
    hidden = frozenset(each.name for each in found.broken_jobs)
    return DeclaredSpecs(wants, providers, hidden, is_read=True, is_whole=not found.broken_files)


def joined(parts: Iterable[DeclaredSpecs | None]) -> DeclaredSpecs:
    """Return the documents of several files. None is a file that was not read."""
    parts = list(parts)
    read = [each for each in parts if each is not None]
    wants = {name: wanted for each in read for name, wanted in each.wants.items()}
    providers: dict[str, tuple[ProviderSpec, ...]] = {}
    for name, specs in (pair for each in read for pair in each.providers.items()):
        providers[name] = (*providers.get(name, ()), *specs)
    hidden = frozenset[str]().union(*(each.hidden for each in read))
    is_read = len(read) == len(parts)
    return DeclaredSpecs(
        wants, providers, hidden, is_read=is_read, is_whole=is_read and all(each.is_whole for each in read)
    )


def want_of(document: JobDocument) -> Wanted:
    """Return the desired state that a spec declares, with its job."""
    spec = document.spec
    return Wanted(spec.desired_state, spec.limits, spec.suspend, (document.kind, spec.provider, spec.job_id))


def _different(had: Mapping[str, object], has: Mapping[str, object]) -> set[str]:
    return {name for name in had.keys() | has.keys() if had.get(name) != has.get(name)}
