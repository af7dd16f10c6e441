"""The name under which the status of a job is kept after the name of its spec was given to another job."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from reconciler.model.scalar import NAME_MAX
from reconciler.model.status import JobStatus

_DIGITS = (8, 16, 32)


def kept_names(status: JobStatus) -> Iterator[str]:
    """Yield the names under which a status may be kept, the shortest first. They depend on its name and its job only.

    Raises ValueError if the status names no job.
    """
    if status.job is None:
        msg = "the status names no job"
        raise ValueError(msg)
    digest = sha256(f"{status.job.account}\0{status.job.id}".encode()).hexdigest()
    for digits in _DIGITS:
        yield f"{status.name[: NAME_MAX - digits - 1].rstrip('-')}-{digest[:digits]}"
