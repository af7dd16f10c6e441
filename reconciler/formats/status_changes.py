"""Compare two versions of a status file, to find which decisions a change by another writer makes outdated.

Rule: a version that cannot be read, or that was removed, may have recorded any attempt. The name of its file then says
which spec it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from reconciler.formats.status_parser import (
    StatusTooNewError,
    StatusUnreadableError,
    parse_provider_status,
    parse_status,
)
from reconciler.model.changed_status import ChangedStatus
from reconciler.model.job_identity import job_identity
from reconciler.model.receipt_parts import spent_by
from reconciler.model.status import RememberedAttempt
from reconciler.ports import PROVIDERS

_KEPT = 128
"""How many versions are kept. Several tries to push compare the same versions. A version may have up to a MiB."""


@dataclass(frozen=True, slots=True)
class _Version:
    """What one version of a status file is about. `attempts` is None if they are not known."""

    name: str | None = None
    job: tuple[str, str] | None = None
    account: str | None = None
    attempts: frozenset[RememberedAttempt] | None = frozenset()


def changed_statuses(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[ChangedStatus]:
    """Yield each status that differs between two status trees, which are given as the bytes of each path."""
    for path in before.keys() | after.keys():
        if before.get(path) != after.get(path):
            yield _changed(path, before.get(path), after.get(path))


def _changed(path: str, before: bytes | None, after: bytes | None) -> ChangedStatus:
    old = _Version() if before is None else _version(path, before)
    new = _Version(attempts=None) if after is None else _version(path, after)
    jobs = frozenset(each.job for each in (old, new) if each.job is not None)
    accounts = {each.account for each in (old, new) if each.account is not None}
    return ChangedStatus(
        path=path,
        names=frozenset(each.name for each in (old, new) if each.name is not None),
        jobs=jobs,
        accounts=frozenset(accounts.union(account for account, _ in jobs)),
        is_attempt_changed=old.attempts is None or new.attempts is None or old.attempts != new.attempts,
    )


@lru_cache(_KEPT)
def _version(path: str, data: bytes) -> _Version:
    name = path.rpartition("/")[2].removesuffix(".yaml")
    try:
        if path.startswith(PROVIDERS):
            return _Version(account=parse_provider_status(data.decode()).account)
        status = parse_status(data.decode())
    except StatusTooNewError as error:
        return _Version(name, error.job, attempts=None)
    except (StatusUnreadableError, UnicodeDecodeError):
        return _Version(None if path.startswith(PROVIDERS) else name, attempts=None)
    job = job_identity(status.job) if status.job is not None else None
    return _Version(status.name, job, attempts=frozenset((*status.spent, *spent_by(status, status.receipts))))
