"""From documents to subjects: which account a spec speaks of, and what keeps a spec from being acted on.

Rules: errors stop narrowly, and closed. What is wrong with one document stops the jobs that depend on it, and says so
at its place; everything else goes on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Protocol

from pydantic import BaseModel, ValidationError

from reconciler.core.match import Claim, duplicates
from reconciler.core.subject import INTERVAL, Subject
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Account, JobRef
from reconciler.model.reason import Reason
from reconciler.model.spec import CredentialSource, FineTuningJob, Provider, ProviderSpec, Suspension, spec_digest
from reconciler.ports import Located, ProviderType, Rate, Snapshot


class Environment(Protocol):
    """What the operator decides, outside the specs."""

    def provider_type(self, name: str) -> ProviderType:
        """Return a type by its word. Raises LookupError with a sentence for people."""
        ...

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the normalised base URL of an account. Raises ValueError with a sentence."""
        ...

    def distrust(
        self, type_: ProviderType, options: BaseModel, credentials: CredentialSource | None, base_url: str
    ) -> str | None:
        """Return why a credential must not be sent to that URL, and how an operator would allow it; None if it may."""
        ...

    def show(self, file: str) -> str:
        """Return a spec file's path as its user would type it."""
        ...

    def show_status(self, file: str) -> str:
        """Return a status file's path as its user would type it."""
        ...


@dataclass(frozen=True, slots=True)
class Reach:
    """An account, and how it is reached."""

    account: Account
    type: ProviderType
    options: BaseModel
    rate: Rate
    credentials: CredentialSource | None

    def canonical_id(self, job_id: str) -> str:
        """Return the spelling that a job goes by. Raises ValueError with a sentence for what is no id here."""
        if re.fullmatch(self.type.id_pattern, job_id) is None or ".." in job_id:
            msg = f"{job_id[:80]!r} is not a job id of {self.type.name}"
            raise ValueError(msg)
        return self.type.canonical_id(job_id, self.options)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing can be done for a spec."""

    reason: Reason
    message: str
    path: tuple[str, ...] = ()
    """The field to mend; empty where it is not the document's to mend."""


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
    reaches = _Reaches(snapshot, environment)
    fresh = Known()
    candidates = []
    for located in snapshot.jobs:
        basis = (*reaches.basis(located.document.spec.provider, known), suspension, interval)
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
            diagnostics.add(_diagnose(candidate.document, candidate.problem, environment))
    return Resolved(tuple(candidates), tuple(sorted(diagnostics, key=_place)), reaches.by_account())


def reaches_by_name(
    snapshot: Snapshot, environment: Environment, also: Iterable[str] = ()
) -> dict[str, Reach | Problem]:
    """Return what each provider stands for that a document declares, a spec names, or `also` holds, by that name."""
    reaches = _Reaches(snapshot, environment)
    declared = {each.document.metadata.name for each in snapshot.providers} | snapshot.broken_providers
    named = {each.document.spec.provider for each in snapshot.jobs}
    return {name: reaches.of(name) for name in sorted({*declared, *named, *also})}


def _place(diagnostic: Diagnostic) -> tuple[str, int]:
    return diagnostic.file, diagnostic.line or 0


def _first(diagnostics: tuple[Diagnostic, ...]) -> str:
    if not diagnostics:
        return "the spec is not valid"
    first = diagnostics[0]
    return f"{first.field}: {first.message}" if first.field else first.message


def _candidate(
    located: Located[FineTuningJob], reaches: _Reaches, suspension: Suspension | None, interval: timedelta
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


def _diagnose(
    located: Located[FineTuningJob] | Located[Provider], problem: Problem, environment: Environment
) -> Diagnostic:
    path = problem.path
    lines = (located.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in located.lines)
    return Diagnostic(
        file=environment.show(located.file),
        line=next(lines, located.line),
        field=".".join(path),
        message=problem.message,
    )


class _Reaches:
    """The accounts that the specs and Provider documents stand for, each resolved once."""

    def __init__(self, snapshot: Snapshot, environment: Environment) -> None:
        self._environment = environment
        self._documents = {each.document.metadata.name: each for each in snapshot.providers}
        self._broken = snapshot.broken_providers
        self._known = {name: self._resolve(name) for name in self._documents}

    def of(self, name: str) -> Reach | Problem:
        """Return the account that a provider's name stands for."""
        if name not in self._known:
            self._known[name] = self._resolve(name)
        return self._known[name]

    def all(self) -> dict[str, Reach | Problem]:
        """Return what every name stands for that was asked for so far, or is declared."""
        return self._known

    def basis(self, name: str, known: Known | None) -> tuple[object, ...]:
        """Return all that a candidate of this provider depends on; what is equal to before is the same object."""
        reach, before = self.of(name), known.reaches.get(name) if known else None
        if before is not reach and before == reach:
            reach = self._known[name] = before
        return reach, self._documents.get(name)

    def by_account(self) -> dict[str, Reach]:
        """Return the accounts that can be reached."""
        return {str(each.account): each for each in self._known.values() if isinstance(each, Reach)}

    def complaints(self) -> list[Diagnostic]:
        """Return what is wrong with the Provider documents themselves."""
        return [
            _diagnose(located, problem, self._environment)
            for name, located in self._documents.items()
            if isinstance(problem := self._known[name], Problem) and problem.path
        ]

    def objection(self, located: Located[FineTuningJob], reach: Reach) -> Problem | None:
        """Return what one spec may not ask of an account."""
        spec = located.document.spec
        provider = self._documents.get(spec.provider)
        allowed = provider.document.spec.allowed_paths if provider else None
        if allowed is not None and not any(_matches(located.file, glob) for glob in allowed):
            message = f"provider {spec.provider!r} may be named only by files that match {', '.join(allowed)}"
            return Problem(Reason.INVALID_SPEC, message, ("spec", "provider"))
        try:
            reach.canonical_id(spec.job_id)
        except ValueError as error:
            return Problem(Reason.INVALID_SPEC, str(error), ("spec", "jobId"))
        return None

    def _resolve(self, name: str) -> Reach | Problem:
        located = self._documents.get(name)
        if located is None and name in self._broken:
            return Problem(Reason.INVALID_PROVIDER, f"the Provider document {name!r} is not valid")
        spec = located.document.spec if located else ProviderSpec(type=name)
        try:
            type_ = self._environment.provider_type(spec.type)
        except LookupError as error:
            near = [] if located else get_close_matches(name, self._documents, n=1)
            message = f"no provider is called {name!r}; did you mean {near[0]!r}?" if near else str(error.args[0])
            return Problem(Reason.INVALID_PROVIDER, message, ("spec", "type" if located else "provider"))
        try:
            options = type_.options.model_validate(spec.options)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            message = str(first["msg"]).removeprefix("Value error, ")
            return Problem(Reason.INVALID_PROVIDER, message, ("spec", "options", *map(str, first["loc"])))
        try:
            base_url = self._environment.base_url(type_, options, spec.base_url)
        except ValueError as error:
            return Problem(Reason.INVALID_PROVIDER, str(error), ("spec", "baseUrl" if located else "provider"))
        distrust = self._environment.distrust(type_, options, spec.credentials, base_url)
        if distrust is not None:
            return Problem(Reason.HOST_NOT_TRUSTED, distrust)
        account = Account(type_.name, base_url, type_.scope(options))
        return Reach(account, type_, options, _rate(spec, type_), spec.credentials)


def _rate(spec: ProviderSpec, type_: ProviderType) -> Rate:
    written = spec.rate_limit
    return Rate(
        requests_per_second=written.requests_per_second or type_.rate.requests_per_second,
        burst=written.burst or type_.rate.burst,
        concurrency=written.concurrency or type_.rate.concurrency,
    )


def _matches(file: str, glob: str) -> bool:
    """Whether a path is below a glob, in which `**` stands for any number of folders."""
    return _match_parts(PurePosixPath(file).parts, PurePosixPath(glob).parts)


def _match_parts(parts: tuple[str, ...], globs: tuple[str, ...]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return any(_match_parts(parts[skip:], globs[1:]) for skip in range(len(parts) + 1)) or len(globs) == 1
    return bool(parts) and PurePosixPath(parts[0]).match(globs[0]) and _match_parts(parts[1:], globs[1:])
