"""A spec to match with a status."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from reconciler.model.job import JobRef
from reconciler.model.kind import FINE_TUNING, JobKind


@dataclass(frozen=True, slots=True)
class Claim:
    """A spec to match with a status. `key` identifies the spec, and `ref` is None if its job is not known."""

    key: int
    name: str
    source: str
    ref: JobRef | None
    job: Hashable | None = None
    """The identity of the job. It is the same for two specs that refer to one job by different provider names.

    None if the job is not known. The spec can then be a duplicate only by its name.
    """
    may_claim: bool = True
    """Whether the spec may use its account. If not, it must not take a status from another spec."""
    kind: JobKind = FINE_TUNING
