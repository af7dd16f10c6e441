"""The statuses around a pass: of specs that cannot be acted on, of specs that are gone, of accounts that are away.

Rules: a status is removed only where everything could be read and the revision is trusted, never under a filter, and
no more specs are taken for deleted at once than the guard would let pass; what a renamed spec left behind goes last,
once what it tells stands under the new name; the job is left alone either way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from reconciler.controller.account_resolver import Reach
from reconciler.controller.build_report import AccountRun
from reconciler.controller.runtime import Tools
from reconciler.core.conditions import stalled
from reconciler.core.guard import Brakes, judge
from reconciler.core.match import Matched
from reconciler.core.orphans import as_proven, is_outliving, outlive
from reconciler.errors import ProviderError
from reconciler.model.job import Account, JobRef, Seen
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus, ProviderStatus
from reconciler.ports import JobReader, Snapshot, StoredStatuses

_PASSING = frozenset({Reason.CANNOT_OBSERVE_PROVIDER, Reason.RATE_LIMITED})
"""One outage may show as both, in turn, and is one condition."""
FAILURES_TOLD = 2
"""An account is told to be away after so many failed looks in a row."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of them."""

    removed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def write_all(statuses: Iterable[JobStatus], tools: Tools) -> tuple[str, ...]:
    """Write statuses that no request goes with. Returns what went wrong."""
    return tuple(
        problem
        for status in statuses
        for problem in _try(
            f"the status of {status.name}",
            partial(tools.statuses.write, status, durable=status.open_receipt is not None),
        )
    )


async def look_at_orphans(reader: JobReader, reach: Reach, orphans: Iterable[JobStatus]) -> dict[str, Seen]:
    """Look at the jobs of deleted specs, by name. Of one that cannot be looked at nothing is said."""
    found = {}
    for status in orphans:
        assert status.job is not None  # noqa: S101  else nobody would know whom to ask
        with suppress(ProviderError):
            look = Seen(await reader.get_job(JobRef(reach.account, status.job.id)))
            found[status.name] = as_proven(look, status, reach.type.capabilities)
    return found


def sweep(
    matched: Matched,
    snapshot: Snapshot,
    brakes: Brakes,
    runs: Iterable[AccountRun],
    busy: Collection[str],
    tools: Tools,
    *,
    may_remove: bool,
) -> Swept:
    """Deal with the statuses that no spec claims, but for those that are being worked on."""
    now = tools.clock.now().replace(microsecond=0)
    seen = {name: look for run in runs for name, look in run.orphans.items()}
    kept: list[JobStatus] = []
    told: list[JobStatus] = []
    news: list[JobStatus] = []
    for status in matched.orphans:
        if status.name in busy:
            continue
        if status.source in snapshot.broken_files:
            message = "its file cannot be read"
            kept.append(stalled(status.name, status.source, status, Reason.INVALID_SPEC, message, now))
        elif is_outliving(status, now) or status.ready.reason is Reason.SPEC_DELETED:
            told.append(status)
        else:
            news.append(status)
    specs = len(snapshot.jobs) + len(snapshot.broken_jobs)
    is_whole = not snapshot.broken_files
    notices: tuple[str, ...] = ()
    if may_remove and is_whole and (notices := _too_many(news, specs, brakes)) == ():
        told += news
    after = {status.name: outlive(status, seen.get(status.name), now) for status in told}
    errors = write_all([*kept, *(each for each in after.values() if each is not None)], tools)
    if not may_remove:
        return Swept(errors=errors)
    errors += _remove(_told_elsewhere((each for each in matched.superseded if each.name not in busy), tools), tools)
    gone = [each for each in told if after[each.name] is None and specs and is_whole]
    return Swept(tuple(each.name for each in gone), notices, errors + _remove(gone, tools))


def _too_many(deleted: list[JobStatus], specs: int, brakes: Brakes) -> tuple[str, ...]:
    """Say that more specs seem to be deleted at once than is believed, if so."""
    total = specs + len(deleted)
    names = tuple(each.name for each in deleted)
    if not deleted or (specs and judge("statuses", names, 0, total, brakes) is None):
        return ()
    return (f"{len(deleted)} of {total} specs are gone at once: their statuses are kept",)


def _told_elsewhere(superseded: Iterable[JobStatus], tools: Tools) -> list[JobStatus]:
    """Return what renamed specs left behind, where what it tells stands under another name by now."""
    old = {each.name: each for each in superseded}
    if not old:
        return []
    told = {
        (each.job.account, each.job.id) for each in tools.statuses.known().jobs if each.job and each.name not in old
    }
    return [each for each in old.values() if each.job and (each.job.account, each.job.id) in told]


def _remove(statuses: Iterable[JobStatus], tools: Tools) -> tuple[str, ...]:
    return tuple(
        problem
        for status in statuses
        for problem in _try(f"the status of {status.name}", partial(tools.statuses.remove, status))
    )


def tell_providers(
    runs: Iterable[AccountRun], stored: StoredStatuses, failures: dict[Account, int], tools: Tools
) -> tuple[str, ...]:
    """Write which accounts were away for two looks in a row, and remove what is over. Returns what went wrong."""
    known = {each.account: each for each in stored.providers}
    errors: tuple[str, ...] = ()
    for run in runs:
        account = run.reach.account
        before = known.get(str(account))
        if run.surveyed is None or not run.surveyed.has_looked:
            continue
        unseen = run.surveyed.unseen
        failures[account] = failures.get(account, 0) + 1 if unseen else 0
        what = f"the status of the account {account}"
        if unseen is None and before is not None:
            errors += _try(what, partial(tools.statuses.remove_provider, before.name))
        elif unseen is not None and failures[account] >= FAILURES_TOLD:
            status = _provider_status(run, unseen.reason, unseen.message, before, tools.clock.now())
            errors += _try(what, partial(tools.statuses.write_provider, status))
    return errors


def forget_providers(
    stored: StoredStatuses, open_accounts: Iterable[str], tools: Tools, *, may_remove: bool
) -> tuple[str, ...]:
    """Remove what is told of accounts that nobody looks at any more. Returns what went wrong."""
    if not stored.providers or not may_remove:
        return ()
    is_open = set(open_accounts)
    return tuple(
        problem
        for each in stored.providers
        if each.account not in is_open
        for problem in _try(
            f"the status of the account {each.account}", partial(tools.statuses.remove_provider, each.name)
        )
    )


def _provider_status(
    run: AccountRun, reason: Reason, message: str, before: ProviderStatus | None, now: datetime
) -> ProviderStatus:
    if before is not None and (before.reason is reason or {before.reason, reason} <= _PASSING):
        return before
    return ProviderStatus(
        name=run.alias,
        account=str(run.reach.account),
        reason=reason,
        message=message,
        since=now.replace(microsecond=0),
    )


def _try(what: str, write: Callable[[], object]) -> tuple[str, ...]:
    try:
        write()
    except OSError as error:
        return (f"{what} could not be written: {error.strerror or error}",)
    return ()
