"""The kinds of job, one record each: the model of its spec, and what such a job can do.

Rule: everything that differs from kind to kind is read from here. Parsers, writers, the schema and decisions name no
kind themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from reconciler.model.spec import FineTuningJob, Provider, Settings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

J = TypeVar("J", bound="DataclassInstance")

JobDocument: TypeAlias = FineTuningJob
"""A spec of any kind of job; with a second kind, the union of their models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """One kind of job.

    Args:
        name: the word after `kind:` in specs and statuses, and the kind in the operator's limits.
        document: the model of its specs.
        result: the attribute of an observed job that names its result.
        promises_result: whether a succeeded job names its result, perhaps a little later.
        can_be_paused: whether the kind can be paused. A provider's capabilities must allow it too.
        counted: the attribute of an observed job that counts its usage.
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
        """Return the name of a job's result, if the provider gives one."""
        found = getattr(job, self.result)
        return found if isinstance(found, str) else None

    def count_of(self, job: Any) -> int | None:
        """Return the usage of a job, if the provider counts it."""
        found = getattr(job, self.counted)
        return found if isinstance(found, int) else None

    def with_count_of(self, before: J, job: J) -> J:
        """Return a job with the usage of `before`, so that two jobs can be compared without their usage."""
        return replace(job, **{self.counted: getattr(before, self.counted)})


FINE_TUNING = JobKind(
    name="FineTuningJob",
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
