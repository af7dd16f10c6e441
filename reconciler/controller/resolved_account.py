"""A resolved account, or the problem of a spec that cannot be acted on, with its diagnostic."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pydantic import BaseModel

from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.formats.document_check import dotted
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Account, CredentialScope, Unobserved
from reconciler.model.kind import JobDocument
from reconciler.model.reason import Reason
from reconciler.model.scalar import quoted
from reconciler.model.spec import CredentialSource, Provider, ProviderSpec
from reconciler.ports import JobsOfKind, Located, NotBound, ProviderType, Rate, jobs_by_kind

CONCURRENCY_MAX = 64
"""The default maximum of concurrent requests to an account. A document or a provider type may set another maximum."""
JobKey = tuple[CredentialScope, str, str]
"""The identity of a job, whatever name a spec uses for the provider: its host and credential, its kind, and its id."""


@dataclass(frozen=True, slots=True)
class ResolvedAccount:
    """An account and how to reach it."""

    account: Account
    type: ProviderType
    options: BaseModel
    rate: Rate
    credentials: CredentialSource | None
    """The source of the credential that the document names, or None for the default credential of the type."""
    scope: CredentialScope
    """The host and credential that identify the account for the guard and the path rules."""
    jobs: JobsOfKind = field(init=False, repr=False, compare=False)
    """What the type declares about the jobs of this account, which are of one kind."""
    _others: dict[str, ResolvedAccount] = field(init=False, repr=False, compare=False, default_factory=dict)
    """The records that `of_kind` has returned so far, by kind. Thousands of specs may share one record."""

    def __post_init__(self) -> None:
        """Set `jobs`, which every spec needs, once."""
        object.__setattr__(self, "jobs", jobs_by_kind(self.type)[self.account.kind])

    def of_kind(self, kind: str) -> ResolvedAccount | None:
        """Return the record for the jobs of a kind in the same account, or None if the type has no such jobs."""
        if kind == self.account.kind:
            return self
        if kind not in self._others and kind in jobs_by_kind(self.type):
            self._others[kind] = replace(self, account=self.account.of_kind(kind))
        return self._others.get(kind)

    def of_each_kind(self) -> Iterator[ResolvedAccount]:
        """Yield the record for each kind of job that the type has, in the same account."""
        return (each for kind in jobs_by_kind(self.type) if (each := self.of_kind(kind)) is not None)

    def key(self, job_id: str) -> JobKey:
        """Return the identity of a job of this account and kind by one of its ids."""
        return self.scope, self.account.kind, job_id

    def canonical_id(self, job_id: str) -> str:
        """Return the canonical spelling of a job id. Raises `ValueError` with a message if the id is not valid."""
        jobs = self.jobs
        if re.fullmatch(jobs.id_pattern, job_id) is None or ".." in job_id:
            # The look-aheads exclude `..` and some beginnings. The message says that in words instead.
            pattern = re.sub(r"[(][?]![^)]*[)]", "", jobs.id_pattern)
            beginnings = re.findall(r"[(][?]!([A-Za-z0-9_-]+)[)]", jobs.id_pattern)
            excluded = "".join(f", not begin with {each}" for each in beginnings)
            how = f"copy the id from the provider; it must match {pattern}{excluded} and not contain '..'"
            what = "a job id" if self.account == self.account.shared else f"the id of a {self.account.kind}"
            msg = f"{quoted(job_id)} is not {what} of {self.type.name}: {how}"
            raise ValueError(msg)
        return jobs.canonical_id(job_id, self.options)


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """Why a spec cannot be acted on."""

    reason: Reason
    message: str
    path: tuple[str, ...] = ()
    """The field of the document to fix; empty if the problem must be fixed elsewhere."""
    not_bound: NotBound | None = None
    """The missing binding of the credential if that is the problem, or None."""

    @property
    def sentence(self) -> str:
        """The message for output that does not show `path`. If the problem is about an option, the message names it."""
        is_of_option = self.path[:2] == ("spec", "options")
        return f"{dotted(self.path)}: {self.message}" if is_of_option else self.message

    @property
    def unobserved(self) -> Unobserved:
        """The problem as a failed observation."""
        is_unset = self.reason is Reason.HOST_NOT_TRUSTED
        return Unobserved(self.reason, self.sentence, is_transient=False, is_configuration=is_unset)


def needs_document(type_name: str, problem: SpecProblem) -> SpecProblem:
    """Return the problem to report if a spec uses a type's name as its provider, and the type's options are invalid.

    `problem` is the problem with the options. A problem with the value of a variable is returned unchanged.
    """
    if not problem.path:
        return problem
    message = f"the type {type_name} needs a Provider document: {dotted(problem.path)}: {problem.message}"
    return replace(problem, message=message, path=("spec", "provider"))


def diagnose(
    located: Located[JobDocument] | Located[Provider], problem: SpecProblem, policy: OperatorPolicy
) -> Diagnostic:
    """Return a diagnostic for a problem, at the line of its field in the document."""
    path = problem.path
    lines = (located.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in located.lines)
    return Diagnostic(
        file=policy.show(located.file),
        line=next(lines, located.line),
        field=dotted(path),
        message=problem.message,
    )


def rate_of(spec: ProviderSpec, type_: ProviderType) -> Rate:
    """Return the rate limit of an account.

    A rate that the account's document sets is also the maximum. Otherwise, the rate may rise above its initial value.
    """
    written, begin = spec.rate_limit, type_.rate
    return Rate(
        requests_per_second=written.requests_per_second or begin.requests_per_second,
        burst=written.burst or begin.burst,
        concurrency=written.concurrency or begin.concurrency,
        requests_per_second_max=written.requests_per_second or math.inf,
        concurrency_max=written.concurrency or max(CONCURRENCY_MAX, begin.concurrency),
    )
