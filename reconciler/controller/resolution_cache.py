"""The resolved specs of the last pass. A spec is resolved again only if something that it depends on has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_

from reconciler.controller.per_spec import PerSpec
from reconciler.controller.resolved_account import JobKey, ResolvedAccount, SpecProblem
from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.core.claim import Claim
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import JobDocument
from reconciler.ports import Located, Snapshot


@dataclass(frozen=True, slots=True)
class Candidates:
    """All specs of one revision, and what depends only on them and on the accounts that they name."""

    specs: tuple[ResolvedSpec, ...]
    claims: tuple[Claim, ...]
    named: frozenset[JobKey]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(slots=True)
class ResolutionCache:
    """The resolved specs of the last pass, each with the inputs that it depends on, by the identity of its document."""

    found: dict[int, tuple[Located[JobDocument], object, ResolvedSpec]] = field(default_factory=dict)
    targets: Mapping[str, ResolvedAccount | SpecProblem] = field(default_factory=dict)
    _inputs: tuple[Snapshot, Mapping[str, object]] = field(default_factory=lambda: (Snapshot(), {}))
    """The last revision, and the inputs of its specs by provider name."""
    per_spec: PerSpec = field(default_factory=PerSpec)
    last: Candidates | None = None
    """All candidates of the last revision, or None before the first."""

    def candidates(self, snapshot: Snapshot, bases: Mapping[str, object]) -> tuple[Candidates, tuple[int, ...]] | None:
        """Return all candidates of the last revision, and the positions of the jobs whose documents have changed.

        Return None if there are more or fewer jobs, or if a broken job or an input has changed.
        """
        before, bases_before = self._inputs
        is_same = (
            len(before.jobs) == len(snapshot.jobs)
            and before.broken_jobs == snapshot.broken_jobs
            and bases_before == bases
        )
        if not is_same or self.last is None:
            return None
        pairs = enumerate(map(is_, before.jobs, snapshot.jobs))
        return self.last, tuple(key for key, is_unchanged in pairs if not is_unchanged)

    def keep_all(self, snapshot: Snapshot, bases: Mapping[str, object], candidates: Candidates) -> None:
        """Store all candidates of a revision with their inputs."""
        self._inputs, self.last = (snapshot, bases), candidates

    def candidate(self, located: Located[JobDocument], basis: object) -> ResolvedSpec | None:
        """Return the resolved spec of a document, or None if the document or its inputs (`basis`) have changed."""
        before = self.found.get(id(located))
        return before[2] if before and before[0] is located and before[1] == basis else None

    def keep(
        self,
        located: Located[JobDocument],
        basis: object,
        candidate: ResolvedSpec,
        instead_of: Located[JobDocument] | None = None,
    ) -> None:
        """Store the resolved spec of a document with its inputs, and drop that of the document before an edit."""
        if instead_of is not None:
            self.found.pop(id(instead_of), None)
        self.found[id(located)] = (located, basis, candidate)
