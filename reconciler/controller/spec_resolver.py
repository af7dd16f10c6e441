"""Resolve each spec to its account and job, or to the problem that prevents acting on it.

Rules: an invalid document blocks the jobs that depend on it, and no other jobs. The problem is reported at the
document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import cast

from reconciler.controller.account_resolver import AccountResolver
from reconciler.controller.job_prices import JobPrices
from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.controller.resolution_cache import Candidates, ResolutionCache
from reconciler.controller.resolved_account import JobKey, ResolvedAccount, SpecProblem, diagnose
from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.core.change_windows import matching
from reconciler.core.claim import Claim
from reconciler.core.duplicates import duplicates
from reconciler.core.subject import INTERVAL, Subject
from reconciler.model.change_window import ChangeWindow
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import JobRef
from reconciler.model.kind import KINDS, JobDocument
from reconciler.model.reason import Reason
from reconciler.model.spec import JobSpec, Suspension, spec_digest
from reconciler.ports import JobEdit, Located, Snapshot


@dataclass(frozen=True, slots=True)
class Resolved:
    """All specs of one revision, each resolved to its account and job, or to its problem."""

    candidates: tuple[ResolvedSpec, ...]
    diagnostics: tuple[Diagnostic, ...]
    targets: Mapping[str, ResolvedAccount]
    """The accounts that specs and Provider documents name and that could be resolved, by their account lines."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The name that the guard uses for each credential, by the credential's name in the operator's file."""
    suspension: Suspension | None = None
    """The suspension of all jobs by the operator or the Settings, or None."""
    claims: tuple[Claim, ...] = ()
    """The claim of each candidate to a status. Its key is the position of the candidate."""
    named: frozenset[JobKey] = frozenset()
    """The jobs that specs name. Duplicates are included.

    A spec names no job if its account or job id could not be resolved, or if it may not use its account.
    """


@dataclass(frozen=True, slots=True)
class _Common:
    """What all subjects of a revision have in common."""

    suspension: Suspension | None
    interval: timedelta
    is_shadow: bool
    windows: tuple[ChangeWindow, ...]
    prices: JobPrices
    warn_before: timedelta | None


def resolve(
    snapshot: Snapshot,
    policy: OperatorPolicy,
    *,
    is_suspended: bool,
    is_shadow: bool = False,
    windows: tuple[ChangeWindow, ...] = (),
    known: ResolutionCache | None = None,
) -> Resolved:
    """Resolve every spec of a snapshot.

    Args:
        snapshot: one revision of the specs.
        policy: the operator's decisions.
        is_suspended: whether the operator suspended every job. The Settings in the snapshot may suspend every job too.
        is_shadow: whether due changes are only reported.
        windows: the operator's change windows.
        known: the resolved specs of the last pass, reused for unchanged documents; it is updated.
    """
    common = _Common(
        _suspension(snapshot, is_suspended=is_suspended),
        _interval(snapshot),
        is_shadow,
        windows,
        JobPrices.of(snapshot, policy),
        snapshot.settings[0].document.spec.warn_before if snapshot.settings else None,
    )
    targets = AccountResolver(snapshot, policy)
    known = ResolutionCache() if known is None else known
    bases = {name: (*targets.basis(name, known.targets), common) for name in targets.used}
    found = _after_edits(snapshot, targets, bases, known, common)
    if found is None:
        found = _candidates(snapshot, targets, bases, policy, known, common)
    known.keep_all(snapshot, bases, found)
    known.targets = targets.all()
    diagnostics = tuple(sorted({*targets.complaints(), *found.diagnostics}, key=_place))
    by_account, names = targets.by_account(), targets.names()
    return Resolved(found.specs, diagnostics, by_account, names, common.suspension, found.claims, found.named)


def _after_edits(
    snapshot: Snapshot,
    targets: AccountResolver,
    bases: Mapping[str, object],
    known: ResolutionCache,
    common: _Common,
) -> Candidates | None:
    """Return the candidates of the last revision with the edited specs resolved again.

    Return None if a change may affect other specs: if an edited spec has or had a problem, or if it claims another
    status or job than before. Otherwise, the same specs are duplicates as before.
    """
    last = known.candidates(snapshot, bases)
    if last is None:
        return None
    found, edited_keys = last
    candidates = list(found.specs)
    for key in edited_keys:
        before, located = candidates[key], snapshot.jobs[key]
        candidates[key] = after = _candidate(located, targets, common)
        if before.problem or after.problem or after.claim(key) != found.claims[key]:
            return None
        known.keep(located, bases[located.document.spec.provider], after, instead_of=before.document)
    return replace(found, specs=tuple(candidates)) if edited_keys else found


def _candidates(
    snapshot: Snapshot,
    targets: AccountResolver,
    bases: Mapping[str, object],
    policy: OperatorPolicy,
    known: ResolutionCache,
    common: _Common,
) -> Candidates:
    fresh = ResolutionCache()
    candidates = []
    for located in snapshot.jobs:
        basis = bases[located.document.spec.provider]
        candidates.append(known.candidate(located, basis) or _candidate(located, targets, common))
        fresh.keep(located, basis, candidates[-1])
    known.found = fresh.found
    for each in snapshot.broken_jobs:
        problem = SpecProblem(Reason.INVALID_SPEC, _first(each.diagnostics))
        candidates.append(ResolvedSpec(each.name, each.file, None, None, None, problem, kind=KINDS[each.kind]))
    candidates = _without_outsiders(candidates, targets)
    claims = tuple(each.claim(key) for key, each in enumerate(candidates))
    candidates = _without_duplicates(candidates, claims)
    # The same objects as in the claims, because new ones would take as much memory as the set.
    named = frozenset(cast("JobKey", claim.job) for claim in claims if claim.job is not None)
    return Candidates(tuple(candidates), claims, named, tuple(_diagnostics(candidates, policy)))


def edited(subject: Subject, edit: JobEdit, suspension: Suspension | None) -> Subject:
    """Return the subject of a spec after an edit. `suspension` is that of all jobs (`Resolved.suspension`)."""
    spec = edit.after.document.spec
    return replace(
        subject,
        spec=spec,
        digest=_digest(spec, subject.ref),
        suspension=suspension or spec.suspend,
    )


def _digest(spec: JobSpec, ref: JobRef) -> str:
    """Return the digest of a spec. `ref` has the canonical spelling of its job id."""
    canonical = spec if ref.id == spec.job_id else spec.model_copy(update={"job_id": ref.id})
    return spec_digest(canonical, ref.account)


def _suspension(snapshot: Snapshot, *, is_suspended: bool) -> Suspension | None:
    """Return the suspension of all jobs by the operator, else by the Settings; None if neither suspends them."""
    if is_suspended:
        return Suspension(reason="the operator suspended all jobs")
    is_by_settings = bool(snapshot.settings and snapshot.settings[0].document.spec.suspend)
    return Suspension(reason="the Settings suspend all jobs") if is_by_settings else None


def _interval(snapshot: Snapshot) -> timedelta:
    return (snapshot.settings[0].document.spec.interval if snapshot.settings else None) or INTERVAL


def _diagnostics(specs: Iterable[ResolvedSpec], policy: OperatorPolicy) -> Iterator[Diagnostic]:
    """Yield the problems of the specs, each at its file and line."""
    for each in specs:
        if each.problem and each.document and each.problem.path:
            yield diagnose(each.document, each.problem, policy)


def _place(diagnostic: Diagnostic) -> tuple[str, int]:
    return diagnostic.file, diagnostic.line or 0


def _first(diagnostics: tuple[Diagnostic, ...]) -> str:
    if not diagnostics:
        return "the spec is not valid"
    first = diagnostics[0]
    return f"{first.field}: {first.message}" if first.field else first.message


def _candidate(located: Located[JobDocument], targets: AccountResolver, common: _Common) -> ResolvedSpec:
    document, kind = located.document, KINDS[located.document.kind]
    name, spec = document.metadata.name, document.spec
    resolved = partial(ResolvedSpec, name, located.file, located, kind=kind)
    target = targets.of(spec.provider)
    if isinstance(target, SpecProblem):
        # The problem of a Provider document is reported at the document, not again at each spec that names it.
        where = target.path if target.path == ("spec", "provider") else ()
        return resolved(None, None, replace(target, message=target.sentence, path=where))
    refusal = targets.refusal(located, target)
    if refusal is not None:
        return resolved(None, None, refusal, may_claim=False)
    jobs = target.of_kind(kind.name)
    if jobs is None:
        # The spec is left without an account, so that it claims no job of another kind.
        message = f"{target.type.name} has no jobs of this kind: change the kind, or name another provider"
        problem = SpecProblem(Reason.INVALID_SPEC, message, ("kind",))
        return resolved(None, None, problem)
    try:
        job_id = jobs.canonical_id(spec.job_id)
    except ValueError as error:
        problem = SpecProblem(Reason.INVALID_SPEC, str(error), ("spec", "jobId"))
        return resolved(jobs, None, problem)
    ref = JobRef(jobs.account, job_id)
    subject = Subject(
        name=name,
        source=located.file,
        ref=ref,
        spec=spec,
        digest=_digest(spec, ref),
        capabilities=jobs.jobs.capabilities,
        kind=kind,
        suspension=common.suspension or spec.suspend,
        windows=matching(common.windows, document.metadata.labels.items()) if common.windows else (),
        prices=common.prices.of_jobs(spec.provider, ref.account.type, kind.name),
        is_shadow=common.is_shadow,
        warn_default=common.warn_before,
        interval=common.interval,
    )
    return resolved(jobs, subject, None)


def _without_outsiders(candidates: list[ResolvedSpec], targets: AccountResolver) -> list[ResolvedSpec]:
    """Return the specs. An outsider among them may no longer claim a status or block another spec.

    An outsider is a spec without an account, whose file may not use any account of the other specs with its name.
    Otherwise, a document that cannot be resolved could block the cancel of another team's spec by using the name of
    that spec.
    """
    accounts: dict[str, list[ResolvedAccount]] = {each.name: [] for each in candidates if each.target is None}
    if not accounts:
        return candidates
    for each in candidates:
        if each.target is not None and each.name in accounts:
            accounts[each.name].append(each.target)

    def is_outsider(spec: ResolvedSpec) -> bool:
        rivals = accounts[spec.name] if spec.target is None else ()
        return bool(rivals) and not any(targets.may_use(spec.source, target) for target in rivals)

    return [replace(each, may_claim=False) if is_outsider(each) else each for each in candidates]


def _without_duplicates(candidates: list[ResolvedSpec], claims: Iterable[Claim]) -> list[ResolvedSpec]:
    """Return the specs, with a problem for each duplicate.

    The problem of a duplicate name does not refer to a field, because the parser has already reported the name.
    """
    clashes = duplicates(claims)
    if not clashes:
        return candidates
    names = Counter(each.name for each in candidates)
    return [
        replace(
            each,
            subject=None,
            problem=SpecProblem(Reason.DUPLICATE_JOB, clashes[key], () if names[each.name] > 1 else ("spec", "jobId")),
        )
        if key in clashes and (each.problem is None or each.problem.reason is not Reason.INVALID_SPEC)
        else each
        for key, each in enumerate(candidates)
    ]
