"""Specs for jobs that have none: `observed`, so that they change nothing. Pure.

Rules: a name comes from the job's id and is free; a spec that would not hold (an id that its type does not allow, a
path that the provider does not) is told, not written.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pydantic import ValidationError

from reconciler.controller.account_resolver import Environment
from reconciler.controller.spec_resolver import resolve
from reconciler.controller.unmanaged import Listed
from reconciler.model.job import ObservedJob
from reconciler.model.spec import API_VERSION, DesiredState, FineTuningJob
from reconciler.ports import Located, Snapshot

FOLDER = "adopted"
NAME_MAX = 63
HASH_LENGTH = 6
NO_ID = "no spec can hold an id like this"


@dataclass(frozen=True, slots=True)
class Adoption:
    """One spec to be written. `problem` says why it cannot be."""

    name: str
    file: str
    """Relative to the specs directory."""
    provider: str
    job: ObservedJob
    problem: str | None = None


def adopt(snapshot: Snapshot, listed: Iterable[Listed], environment: Environment) -> tuple[Adoption, ...]:
    """Return a spec for each stranger."""
    taken = {each.document.metadata.name for each in snapshot.jobs} | {each.name for each in snapshot.broken_jobs}
    adoptions = []
    for account in listed:
        for job in account.strangers:
            name = _name(job.id, taken)
            taken.add(name)
            adoptions.append(Adoption(name, f"{FOLDER}/{account.alias}/{name}.yaml", account.alias, job))
    documents = {each.file: document for each in adoptions if (document := _document(each)) is not None}
    located = tuple(Located(document=document, file=file, line=1) for file, document in documents.items())
    resolved = resolve(replace(snapshot, jobs=(*snapshot.jobs, *located)), environment, is_suspended=False)
    problems = dict.fromkeys((each.file for each in adoptions if each.file not in documents), NO_ID)
    problems |= {each.source: each.problem.message for each in resolved.candidates if each.problem is not None}
    return tuple(replace(each, problem=problems.get(each.file)) for each in adoptions)


def _name(job_id: str, taken: set[str]) -> str:
    """Return a DNS-1123 label that is like the id, with a hash of it where that is not unique or was cut."""
    label = re.sub(r"[^a-z0-9]+", "-", job_id.lower()).strip("-")
    if label and len(label) <= NAME_MAX and label not in taken:
        return label
    mark = hashlib.sha256(job_id.encode()).hexdigest()[:HASH_LENGTH]
    return f"{label[: NAME_MAX - HASH_LENGTH - 1].rstrip('-') or 'job'}-{mark}"


def _document(adoption: Adoption) -> FineTuningJob | None:
    header = {"apiVersion": API_VERSION, "kind": "FineTuningJob", "metadata": {"name": adoption.name}}
    spec = {"provider": adoption.provider, "jobId": adoption.job.id, "desiredState": DesiredState.OBSERVED}
    try:
        return FineTuningJob.model_validate({**header, "spec": spec})
    except ValidationError:
        return None
