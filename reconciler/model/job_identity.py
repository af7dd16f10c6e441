"""What identifies a job in statuses, and the statuses of each job."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.job import JobRef
from reconciler.model.status import JobFacts, JobStatus


def job_identity(job: JobFacts | JobRef) -> tuple[str, str]:
    """Return the account line (`model.account_line`) and the id of a job, which its spec and its status share."""
    return str(job.account), job.id


def by_job(statuses: Iterable[JobStatus]) -> dict[tuple[str, str], dict[str, JobStatus]]:
    """Return the statuses of each job, by their name. If two have one name, the first is taken."""
    found: dict[tuple[str, str], dict[str, JobStatus]] = {}
    for each in statuses:
        if each.job is not None:
            found.setdefault(job_identity(each.job), {}).setdefault(each.name, each)
    return found
