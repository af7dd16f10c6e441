"""A resolved account, or the problem of a spec that cannot be acted on, with its diagnostic."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import BaseModel

from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Account, CredentialScope, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.scalar import quoted
from reconciler.model.spec import CredentialSource, FineTuningJob, Provider
from reconciler.ports import Located, NotBound, ProviderType, Rate


@dataclass(frozen=True, slots=True)
class ResolvedAccount:
    """An account and how to reach it."""

    account: Account
    type: ProviderType
    options: BaseModel
    rate: Rate
    credentials: CredentialSource | None
    scope: CredentialScope
    """The host and credential that identify the account for the guard and the path rules."""

    def canonical_id(self, job_id: str) -> str:
        """Return the canonical spelling of a job id. Raises `ValueError` with a message if the id is not valid."""
        if re.fullmatch(self.type.id_pattern, job_id) is None or ".." in job_id:
            # Look-aheads are removed, because they only exclude `..`, which the message mentions.
            pattern = re.sub(r"[(][?]![^)]*[)]", "", self.type.id_pattern)
            how = f"copy the id from the provider; it must match {pattern} and not contain '..'"
            msg = f"{quoted(job_id)} is not a job id of {self.type.name}: {how}"
            raise ValueError(msg)
        return self.type.canonical_id(job_id, self.options)


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """Why a spec cannot be acted on."""

    reason: Reason
    message: str
    path: tuple[str, ...] = ()
    """The field of the document to fix; empty if the problem must be fixed elsewhere."""
    not_bound: NotBound | None = None
    """The missing binding of the credential, if that is the only problem."""

    @property
    def unobserved(self) -> Unobserved:
        """The problem as a failed observation."""
        is_unset = self.reason is Reason.HOST_NOT_TRUSTED
        return Unobserved(self.reason, self.message, is_transient=False, is_configuration=is_unset)


def diagnose(
    located: Located[FineTuningJob] | Located[Provider], problem: SpecProblem, policy: OperatorPolicy
) -> Diagnostic:
    """Return a diagnostic for a problem, at the line of its field in the document."""
    path = problem.path
    lines = (located.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in located.lines)
    return Diagnostic(
        file=policy.show(located.file),
        line=next(lines, located.line),
        field=".".join(path),
        message=problem.message,
    )
