"""The kinds of job. One record for each kind contains the model of its spec and its properties.

Rule: parsers, writers, the schema and decisions read the differences between kinds from these records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from reconciler.model.account_line import BATCH_JOB, FINE_TUNING_JOB
from reconciler.model.batch_job import BatchJob
from reconciler.model.spec import FineTuningJob, Provider, Settings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

J = TypeVar("J", bound="DataclassInstance")

JobDocument: TypeAlias = FineTuningJob | BatchJob
"""The types of the specs, one for each kind of job."""
LONGEST_BATCH = timedelta(days=8)
"""The longest time that a batch can take: 168 hours, which Bedrock allows, and a day for its cancel to take effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """One kind of job.

    Args:
        name: the value of `kind` in specs and statuses, and the name of the kind in the operator's limits.
        document: the model of its specs.
        facts: the attributes of an observed job that its status records, in the order in which the file lists them.
        result: the attribute that contains the name of its result.
        promises_result: whether every succeeded job has a result. The provider may add the name of the result a little
            later.
        can_be_paused: whether the kind can be paused. A provider's capabilities must allow pausing too.
        counted: the attribute that contains its usage.
        counts: the unit of that usage.
        used: a phrase for that usage, such as `tokens trained`.
        counters: the attributes whose changes alone do not cause the status to be written.
        ends_within: how long every job takes at most, or None if that is unknown. If it is known, `adopt` and `drift`
            leave out finished jobs, because there are many, and need not read older pages of a list.
    """

    name: str
    document: type[JobDocument]
    facts: tuple[str, ...]
    result: str
    promises_result: bool
    can_be_paused: bool
    counted: str
    counts: str
    used: str
    counters: tuple[str, ...]
    ends_within: timedelta | None

    def result_of(self, job: Any) -> str | None:
        """Return the name of a job's result, or None if the provider did not report it."""
        found = getattr(job, self.result)
        return found if isinstance(found, str) else None

    def count_of(self, job: Any) -> int | None:
        """Return the usage of a job, or None if the provider did not report it."""
        found = getattr(job, self.counted)
        return found if isinstance(found, int) else None

    def with_counters_of(self, before: J, job: J) -> J:
        """Return a copy of `job` with the counters of `before`, so that two records can be compared without them."""
        return replace(job, **{each: getattr(before, each) for each in self.counters})


FINE_TUNING = JobKind(
    name=FINE_TUNING_JOB,
    document=FineTuningJob,
    facts=(
        "provider_status",
        "model",
        "fine_tuned_model",
        "created_at",
        "started_at",
        "finished_at",
        "trained_tokens",
        "error",
    ),
    result="fine_tuned_model",
    promises_result=True,
    can_be_paused=True,
    counted="trained_tokens",
    counts="tokens",
    used="tokens trained",
    counters=("trained_tokens",),
    ends_within=None,
)
BATCH = JobKind(
    name=BATCH_JOB,
    document=BatchJob,
    facts=(
        "provider_status",
        "model",
        "output_file",
        "created_at",
        "started_at",
        "finished_at",
        "expires_at",
        "counts",
        "tokens",
        "error",
    ),
    result="output_file",
    promises_result=False,
    can_be_paused=False,
    counted="tokens",
    counts="tokens",
    used="tokens used",
    counters=("counts", "tokens"),
    ends_within=LONGEST_BATCH,
)

KINDS: Mapping[str, JobKind] = MappingProxyType({kind.name: kind for kind in (FINE_TUNING, BATCH)})
"""Every kind of job, by its name."""

DOCUMENTS: Mapping[str, type[JobDocument | Provider | Settings]] = MappingProxyType(
    {**{name: kind.document for name, kind in KINDS.items()}, "Provider": Provider, "Settings": Settings}
)
"""The model of every kind of document below the specs directory, by its name."""
