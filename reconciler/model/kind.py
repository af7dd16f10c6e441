"""The kinds of job. One record for each kind contains the model of its spec and its properties.

Rule: everything that differs between kinds is read from here. Parsers, writers, the schema and decisions never mention
a particular kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from reconciler.model.account_line import FINE_TUNING_JOB
from reconciler.model.spec import FineTuningJob, Provider, Settings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

J = TypeVar("J", bound="DataclassInstance")

JobDocument: TypeAlias = FineTuningJob
"""A spec of any kind of job. A second kind would make it the union of the kinds' models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """One kind of job.

    Args:
        name: the value of `kind` in specs and statuses, and the name of the kind in the operator's limits.
        document: the model of its specs.
        result: the attribute of an observed job that contains the name of its result.
        promises_result: whether every succeeded job has a result. The provider may add its name a little later.
        can_be_paused: whether the kind can be paused. A provider's capabilities must allow it too.
        counted: the attribute of an observed job that contains its usage.
        counts: the unit of that usage.
    """

    name: str
    document: type[JobDocument]
    result: str
    promises_result: bool
    can_be_paused: bool
    counted: str
    counts: str

    def result_of(self, job: Any) -> str | None:
        """Return the name of a job's result, or None if the provider did not report it."""
        found = getattr(job, self.result)
        return found if isinstance(found, str) else None

    def count_of(self, job: Any) -> int | None:
        """Return the usage of a job, or None if the provider did not report it."""
        found = getattr(job, self.counted)
        return found if isinstance(found, int) else None

    def with_count_of(self, before: J, job: J) -> J:
        """Return a copy of `job` with the usage of `before`, so that two records can be compared without usage."""
        return replace(job, **{self.counted: getattr(before, self.counted)})


FINE_TUNING = JobKind(
    name=FINE_TUNING_JOB,
    document=FineTuningJob,
    result="fine_tuned_model",
    promises_result=True,
    can_be_paused=True,
    counted="trained_tokens",
    counts="tokens",
)

KINDS: Mapping[str, JobKind] = MappingProxyType({kind.name: kind for kind in (FINE_TUNING,)})
"""Every kind of job, by its name."""

DOCUMENTS: Mapping[str, type[JobDocument | Provider | Settings]] = MappingProxyType(
    {**{name: kind.document for name, kind in KINDS.items()}, "Provider": Provider, "Settings": Settings}
)
"""The model of every kind of document below the specs directory, by its name."""
