"""From documents to subjects: which account a spec speaks of, and what keeps a spec from being acted on.

Rules: errors stop narrowly, and closed. What is wrong with one document stops the jobs that depend on it, and says so
at its place; everything else goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from reconciler.controller.account_resolver import Environment, Problem, Reach, Reaches, diagnose
from reconciler.core.match import Claim, duplicates
from reconciler.core.subject import INTERVAL, Subject
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import JobRef
from reconciler.model.reason import Reason
from reconciler.model.spec import FineTuningJob, Suspension, spec_digest
from reconciler.ports import Located, Snapshot


@dataclass(frozen=True, slots=True)
class Candidate:
    """One job spec, resolved as far as it can be: it has a subject, or a problem."""

    name: str
    source: str
    document: Located[FineTuningJob] | None
    reach: Reach | None
    subject: Subject | None
    problem: Problem | None

    @property
    def ref(self) -> JobRef | None:
        """The job that the spec names, if that much is known."""
        if self.subject is not None:
            return self.subject.ref
        if self.reach is None or self.document is None:
            return None
        written = self.document.document.spec.job_id
        try:
            return JobRef(self.reach.account, self.reach.canonical_id(written))
        except ValueError:
            return JobRef(self.reach.account, written)


@dataclass(slots=True)
class Known:
    """What came of documents, by their place, and of what else it depended on."""

    found: dict[tuple[str, int], tuple[Located[FineTuningJob], object, Candidate]] = field(default_factory=dict)
    reaches: Mapping[str, Reach | Problem] = field(default_factory=dict)

    def candidate(self, located: Located[FineTuningJob], basis: object) -> Candidate | None:
        """Return what came of this very document, if all that it depends on is still the same."""
        before = self.found.get((located.file, located.line))
        return before[2] if before and before[0] is located and before[1] == basis else None

    def keep(self, located: Located[FineTuningJob], basis: object, candidate: Candidate) -> None:
        """Remember what came of a document."""
        self.found[located.file, located.line] = (located, basis, candidate)


@dataclass(frozen=True, slots=True)
class Resolved:
    """All specs of one revision."""

    candidates: tuple[Candidate, ...]
    diagnostics: tuple[Diagnostic, ...]
    reaches: Mapping[str, Reach]
    """Every account that a spec or a Provider document stands for, by the line that stands in statuses."""


def resolve(
    snapshot: Snapshot, environment: Environment, *, is_suspended: bool, known: Known | None = None
) -> Resolved:
    """Resolve every spec of a snapshot.

    Args:
        snapshot: one revision.
        environment: what the operator decides.
        is_suspended: whether the operator suspended everything; Settings are read here.
        known: what came of the documents before, to be used again for those that are the same; it is brought up to
            date.
    """
    settings = snapshot.settings[0].document.spec if snapshot.settings else None
    suspension = Suspension(reason="everything is suspended") if is_suspended else None
    if suspension is None and settings is not None and settings.suspend:
        suspension = Suspension(reason="everything is suspended, by Settings")
    interval = settings.interval if settings and settings.interval else INTERVAL
    reaches = Reaches(snapshot, environment)
    fresh = Known()
    candidates = []
    for located in snapshot.jobs:
        basis = (*reaches.basis(located.document.spec.provider, known.reaches if known else {}), suspension, interval)
        candidate = known.candidate(located, basis) if known else None
        candidates.append(candidate or _candidate(located, reaches, suspension, interval))
        fresh.keep(located, basis, candidates[-1])
    if known is not None:
        known.found, known.reaches = fresh.found, reaches.all()
    candidates += [
        Candidate(each.name, each.file, None, None, None, Problem(Reason.INVALID_SPEC, _first(each.diagnostics)))
        for each in snapshot.broken_jobs
    ]
    candidates = _without_duplicates(candidates)
    diagnostics = set(reaches.complaints())
    for candidate in candidates:
        if candidate.problem and candidate.document and candidate.problem.path:
            diagnostics.add(diagnose(candidate.document, candidate.problem, environment))
    return Resolved(tuple(candidates), tuple(sorted(diagnostics, key=_place)), reaches.by_account())


def _place(diagnostic: Diagnostic) -> tuple[str, int]:
    return diagnostic.file, diagnostic.line or 0


def _first(diagnostics: tuple[Diagnostic, ...]) -> str:
    if not diagnostics:
        return "the spec is not valid"
    first = diagnostics[0]
    return f"{first.field}: {first.message}" if first.field else first.message


def _candidate(
    located: Located[FineTuningJob], reaches: Reaches, suspension: Suspension | None, interval: timedelta
) -> Candidate:
    document = located.document
    name, spec = document.metadata.name, document.spec
    reach = reaches.of(spec.provider)
    if isinstance(reach, Problem):
        # What is wrong with a Provider document is told at its own place, not again at each of its users.
        where = reach.path if reach.path == ("spec", "provider") else ()
        return Candidate(name, located.file, located, None, None, replace(reach, path=where))
    problem = reaches.objection(located, reach)
    if problem is not None:
        return Candidate(name, located.file, located, reach, None, problem)
    job_id = reach.canonical_id(spec.job_id)
    canonical = spec if job_id == spec.job_id else spec.model_copy(update={"job_id": job_id})
    subject = Subject(
        name=name,
        source=located.file,
        ref=JobRef(reach.account, job_id),
        spec=spec,
        digest=spec_digest(canonical, reach.account),
        capabilities=reach.type.capabilities,
        suspension=suspension or spec.suspend,
        interval=interval,
    )
    return Candidate(name, located.file, located, reach, subject, None)


def _without_duplicates(candidates: list[Candidate]) -> list[Candidate]:
    """Stop what is at odds. That a name stands twice is told where the documents are read, with both places."""
    claims = [Claim(key, each.name, each.source, each.ref) for key, each in enumerate(candidates)]
    names = Counter(each.name for each in candidates)
    clashes = duplicates(claims)
    return [
        replace(
            each,
            subject=None,
            problem=Problem(Reason.DUPLICATE_JOB, clashes[key], () if names[each.name] > 1 else ("spec", "jobId")),
        )
        if key in clashes and (each.problem is None or each.problem.reason is not Reason.INVALID_SPEC)
        else each
        for key, each in enumerate(candidates)
    ]
