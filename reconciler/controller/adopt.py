"""Create specs for unmanaged jobs. They declare `observed`, so no change is requested. The caller writes the files.

Rules: the name of a spec is derived from the job's id, and differs from the name of every other spec. A spec that would
be invalid is reported instead of written, for example because its job id is not valid, or because the path rules forbid
its file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pydantic import ValidationError

from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.controller.spec_resolver import resolve
from reconciler.controller.unmanaged import AccountListing
from reconciler.model.job import ObservedJob
from reconciler.model.kind import FINE_TUNING, KINDS, JobDocument, JobKind
from reconciler.model.scalar import NAME_MAX
from reconciler.model.spec import API_VERSION, DesiredState
from reconciler.ports import Located, Snapshot

FOLDER = "adopted"
HASH_LENGTH = 6
NO_ID = "a spec cannot contain this job id, because it is not one line of at most 512 printable characters"


@dataclass(frozen=True, slots=True)
class Adoption:
    """A spec to write for an unmanaged job. `problem` says why it cannot be written; None if it can."""

    name: str
    file: str
    """The file of the spec, relative to the specs directory."""
    provider: str
    job: ObservedJob
    problem: str | None = None
    kind: JobKind = FINE_TUNING


def adopt(snapshot: Snapshot, listed: Iterable[AccountListing], policy: OperatorPolicy) -> tuple[Adoption, ...]:
    """Return the spec to write for each unmanaged job, or why it cannot be written."""
    taken = {each.document.metadata.name for each in snapshot.jobs} | {each.name for each in snapshot.broken_jobs}
    adoptions = list(_named(listed, taken))
    documents = {each.file: document for each in adoptions if (document := _document(each)) is not None}
    located = tuple(Located(document=document, file=file, line=1) for file, document in documents.items())
    resolved = resolve(replace(snapshot, jobs=(*snapshot.jobs, *located)), policy, is_suspended=False)
    problems = dict.fromkeys((each.file for each in adoptions if each.file not in documents), NO_ID)
    problems |= {each.source: each.problem.message for each in resolved.candidates if each.problem is not None}
    return tuple(replace(each, problem=problems.get(each.file)) for each in adoptions)


def _named(listed: Iterable[AccountListing], taken: set[str]) -> Iterator[Adoption]:
    """Yield an adoption with an unused name and file for each unmanaged job."""
    for account in listed:
        for job in account.unmanaged:
            name = _name(job.id, account.alias, account.kind, taken)
            taken.add(name)
            file = f"{FOLDER}/{account.alias}/{name}.yaml"
            yield Adoption(name, file, account.alias, job, kind=KINDS[account.kind])


def _name(job_id: str, alias: str, kind: str, taken: set[str]) -> str:
    """Return a DNS-1123 label derived from a job id. A hash is appended if the label is taken, too long or empty."""
    label = re.sub(r"[^a-z0-9]+", "-", job_id.lower()).strip("-")
    if label and len(label) <= NAME_MAX and label not in taken:
        return label
    stem = label[: NAME_MAX - HASH_LENGTH - 1].rstrip("-") or "job"
    # Jobs in different accounts or of different kinds may have the same id, so the alias and the kind are hashed too.
    texts = (job_id, f"{alias} {job_id}", f"{alias} {kind} {job_id}")
    names = [f"{stem}-{_hash(text)}" for text in texts]
    return next((each for each in names if each not in taken), names[-1])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def _document(adoption: Adoption) -> JobDocument | None:
    header = {"apiVersion": API_VERSION, "kind": adoption.kind.name, "metadata": {"name": adoption.name}}
    spec = {"provider": adoption.provider, "jobId": adoption.job.id, "desiredState": DesiredState.OBSERVED}
    try:
        return adoption.kind.document.model_validate({**header, "spec": spec})
    except ValidationError:
        return None
