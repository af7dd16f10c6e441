"""The usual case of a match: each spec has a status with its name that describes its job, and no other status exists.

Theory: in most passes all specs are in this case, and only a few of them or of the statuses have been replaced since
the last pass. Whether a spec is in this case depends on its name, its job and its status alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from reconciler.core.claim import Claim
from reconciler.core.each_once import EachOnce
from reconciler.model.status import JobStatus


def describes_job_of(status: JobStatus, claim: Claim) -> bool:
    """Return whether a status is about the job of a spec."""
    job, ref = status.job, claim.ref
    return job is not None and ref is not None and job.id == ref.id and job.account == str(ref.account)


@dataclass(slots=True)
class OwnStatuses:
    """The statuses of specs in the usual case, remembered from pass to pass."""

    _names: EachOnce[str] = field(default_factory=lambda: EachOnce(attrgetter("name")))
    _are_own: EachOnce[bool] = field(default_factory=lambda: EachOnce(describes_job_of))
    _claims: Sequence[Claim] = ()
    _status_names: Sequence[str] = ()
    _keys: Sequence[int] = ()
    _places: Sequence[int] | None = ()
    """The position of the status with the name of each spec; None if the names are not those of the usual case."""

    def of(self, claims: Sequence[Claim], statuses: Sequence[JobStatus]) -> dict[int, JobStatus] | None:
        """Return the status of each spec, by key, in the usual case; in any other case, return None."""
        names = self._names.of(statuses)
        if claims is not self._claims or names != self._status_names:
            self._places = _places([each.name for each in claims], names)
            self._keys = [each.key for each in claims]
            self._claims, self._status_names = claims, names
        if self._places is None:
            return None
        own = [statuses[at] for at in self._places]
        return dict(zip(self._keys, own, strict=True)) if all(self._are_own.of(own, claims)) else None


def _places(names: Sequence[str], status_names: Sequence[str]) -> list[int] | None:
    """Return the position of each name in `status_names`; None if both do not have the same names, each once."""
    by_name = {name: at for at, name in enumerate(status_names)}
    if not len(names) == len(status_names) == len(by_name) or by_name.keys() != set(names):
        return None
    return [by_name[name] for name in names]
