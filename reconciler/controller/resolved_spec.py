"""One job spec after it was resolved to its account and job, or to the problem that prevents acting on it."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.controller.resolved_account import JobKey, ResolvedAccount, SpecProblem
from reconciler.core.claim import Claim
from reconciler.core.subject import Subject
from reconciler.model.job import JobRef
from reconciler.model.kind import FINE_TUNING, JobDocument, JobKind
from reconciler.ports import Located


@dataclass(frozen=True, slots=True)
class ResolvedSpec:
    """One job spec after it was resolved. It has either a subject or a problem.

    `document` is None if the document of the spec is not valid. `target` is None if the account is unknown, if it has
    no jobs of this kind, or if the spec may not use it.
    """

    name: str
    source: str
    document: Located[JobDocument] | None
    target: ResolvedAccount | None
    subject: Subject | None
    problem: SpecProblem | None

    may_claim: bool = True
    """Whether the spec may use its account. If not, it cannot block another spec as a duplicate."""
    kind: JobKind = FINE_TUNING

    @property
    def ref(self) -> JobRef | None:
        """The job that the spec names; None if the document is not valid or `target` is None."""
        if self.subject is not None:
            return self.subject.ref
        if self.target is None or self.document is None:
            return None
        written = self.document.document.spec.job_id
        try:
            return JobRef(self.target.account, self.target.canonical_id(written))
        except ValueError:
            return JobRef(self.target.account, written)

    @property
    def job(self) -> JobKey | None:
        """The identity of the job, which does not depend on the provider's name or type.

        None if `ref` is None, or if the job id is not valid.
        """
        if self.target is None or self.document is None:
            return None
        if self.subject is not None:
            return self.target.key(self.subject.ref.id)
        try:
            return self.target.key(self.target.canonical_id(self.document.document.spec.job_id))
        except ValueError:
            return None

    def claim(self, key: int) -> Claim:
        """Return the claim of this spec to a status, for `match`."""
        return Claim(key, self.name, self.source, self.ref, self.job, may_claim=self.may_claim, kind=self.kind)
