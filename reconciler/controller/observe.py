"""How an account is looked at: as few requests as will do, and nothing believed that did not come whole.

Rules: absence is only ever the provider's own not-found answer for one id, never a place in a list; a list that does
not come whole, a cursor that repeats and a list without end are `Unseen` for everything that depended on them; jobs
that vanish all at once are a wrong key, project or URL until shown otherwise, but for those that may be gone because
we asked; a job that has ended for good is asked for only where a list, walked for others, shows it otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.core.finality import is_contradicted
from reconciler.errors import Delivered, Kind, Permanent, ProviderError, Transient
from reconciler.model.job import UNFINISHED, Capabilities, JobRef, ListQuery, Look, ObservedJob, Phase, Seen, Unseen
from reconciler.model.reason import Reason
from reconciler.ports import JobReader

FEW = 20
"""Up to so many jobs are retrieved one by one; more are listed first."""
PAGES_MAX = 1000
VANISHED_MIN = 2
VANISHED_PERCENT = 20
_PRESENT = UNFINISHED | {Phase.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look at an account found."""

    looks: Mapping[JobRef, Look]
    """Of every job that was wanted, and of those that have ended for good where they were shown otherwise."""
    unseen: Unseen | None = None
    """Why the account as a whole could not be looked at."""


async def look(
    reader: JobReader,
    refs: Iterable[JobRef],
    known: Mapping[str, Phase],
    capabilities: Capabilities,
    *,
    ended: Mapping[JobRef, Phase] = MappingProxyType({}),
    may_vanish: frozenset[str] = frozenset(),
) -> Looked:
    """Look at some jobs of one account.

    Args:
        reader: the account.
        refs: the jobs that are wanted.
        known: the phase in which each job of this account was last seen, by id; finished ones too.
        capabilities: what the provider can do.
        ended: the jobs that have ended for good, and how.
        may_vanish: the ids of the jobs that may be gone because of us.
    """
    wanted = sorted(set(refs))
    rows: dict[str, ObservedJob] = {}
    unseen: Unseen | None
    if len(wanted) > FEW:
        try:
            ids = {ref.id for ref in wanted}
            rows = await _walk(reader, ids, {ref.id for ref in ended}, capabilities.page_size_max)
        except _IncompleteError as error:
            unseen = Unseen(Reason.OBSERVATION_INCOMPLETE, str(error))
            return Looked(dict.fromkeys(wanted, unseen), unseen)
        except ProviderError as error:
            unseen = unseen_by(error)
            return Looked(dict.fromkeys(wanted, unseen), unseen)
    looks: dict[JobRef, Look] = {}
    for ref in wanted:
        row = rows.get(ref.id)
        if row is not None and (capabilities.has_whole_rows or known.get(ref.id) is row.phase):
            looks[ref] = Seen(row)
    unseen = await _retrieve(reader, [ref for ref in wanted if ref not in looks], looks)
    if unseen is None:
        unseen = await _doubt(reader, looks, known, may_vanish, capabilities)
    if unseen is not None:
        return Looked(dict.fromkeys(wanted, unseen), unseen)
    return Looked({**await _contradictions(reader, rows, ended), **looks})


def unseen_by(error: ProviderError) -> Unseen:
    """Return what a failed look means."""
    if isinstance(error, Transient):
        is_wait = error.delivered is Delivered.NO and error.retry_after_s is not None
        reason = Reason.RATE_LIMITED if is_wait else Reason.CANNOT_OBSERVE_PROVIDER
        return Unseen(reason, str(error), error.retry_after_s)
    is_denied = isinstance(error, Permanent) and error.kind in {Kind.DENIED, Kind.MISSING}
    reason = Reason.AUTHENTICATION_FAILED if is_denied else Reason.CANNOT_OBSERVE_PROVIDER
    is_unset = isinstance(error, Permanent) and error.kind in {Kind.MISSING, Kind.UNREACHABLE}
    return Unseen(reason, str(error), is_transient=False, is_configuration=is_unset)


class _IncompleteError(Exception):
    """A list that cannot be believed to be whole."""


async def _walk(reader: JobReader, wanted: set[str], also: set[str], page_size: int) -> dict[str, ObservedJob]:
    """Walk pages until all are seen, or until asking for the rest one by one is cheaper. `also` is seen in passing."""
    passed: dict[str, ObservedJob] = {}
    found: dict[str, ObservedJob] = {}
    cursors: set[str] = set()
    cursor: str | None = None
    for pages in range(1, PAGES_MAX + 1):
        try:
            page = await reader.list_page(ListQuery(page_size), cursor)
        except ProviderError as error:
            if pages == 1 or (isinstance(error, Permanent) and error.kind is Kind.DENIED):
                raise
            msg = f"the list broke off at page {pages}: {error}"
            raise _IncompleteError(msg) from error
        found.update((job_id, job) for job in page.jobs for job_id in job.ids & wanted)
        passed.update((job_id, job) for job in page.jobs for job_id in job.ids & also)
        cursor = page.next_cursor
        if cursor is None or pages >= len(wanted) - len(found):
            return {**passed, **found}
        if cursor in cursors:
            msg = f"the list came back to the same place after page {pages}"
            raise _IncompleteError(msg)
        cursors.add(cursor)
    msg = f"the list has no end: {PAGES_MAX} pages and more to come"
    raise _IncompleteError(msg)


async def _retrieve(reader: JobReader, refs: list[JobRef], looks: dict[JobRef, Look]) -> Unseen | None:
    """Ask for each job by its id. Returns what is wrong with the account as a whole, if anything is."""
    for batch in (refs[:1], refs[1:]):
        # The first one goes alone: if the door is shut, nobody else needs to knock.
        answers = await asyncio.gather(*(_retrieve_one(reader, ref) for ref in batch))
        for ref, (answer, is_shut) in zip(batch, answers, strict=True):
            if is_shut and isinstance(answer, Unseen):
                return answer
            looks[ref] = answer
    failures = [look for look in looks.values() if isinstance(look, Unseen)]
    return failures[0] if failures and len(failures) == len(looks) else None


async def _retrieve_one(reader: JobReader, ref: JobRef) -> tuple[Look, bool]:
    try:
        return Seen(await reader.get_job(ref)), False
    except Transient as error:
        return unseen_by(error), error.delivered is Delivered.NO
    except Permanent as error:
        return unseen_by(error), error.kind in {Kind.DENIED, Kind.MISSING, Kind.UNREACHABLE}


async def _contradictions(
    reader: JobReader, rows: Mapping[str, ObservedJob], ended: Mapping[JobRef, Phase]
) -> dict[JobRef, Look]:
    """Ask for the jobs that have ended for good and that a list shows otherwise; what cannot be seen is no news."""
    denied = [ref for ref, phase in ended.items() if ref.id in rows and is_contradicted(phase, rows[ref.id].phase)]
    asked = sorted(denied)[:FEW]
    answers = await asyncio.gather(*(_retrieve_one(reader, ref) for ref in asked))
    return {ref: answer for ref, (answer, _) in zip(asked, answers, strict=True) if isinstance(answer, Seen)}


async def _doubt(
    reader: JobReader,
    looks: Mapping[JobRef, Look],
    known: Mapping[str, Phase],
    may_vanish: frozenset[str],
    capabilities: Capabilities,
) -> Unseen | None:
    """Return why a look is not believed: too many of the jobs that should be there are gone at once.

    A job that may be gone because of us is believed to be only where some other job that was seen before is still
    there, or none other ever was.
    """
    absent = {ref for ref, seen in looks.items() if seen == Seen(None)}
    expected = {ref for ref in absent if ref.id in may_vanish}
    before = {ref for ref in looks if known.get(ref.id) in _PRESENT}
    vanished = (absent & before) - expected
    if not vanished and not expected:
        return None
    is_any_visible = any(isinstance(seen, Seen) and seen.job and ref.id in known for ref, seen in looks.items())
    has_witnesses = bool(vanished) or not known.keys() <= may_vanish
    is_none_visible = has_witnesses and not is_any_visible and not await _is_any_listed(reader, known, capabilities)
    is_many = len(vanished) >= VANISHED_MIN and len(vanished) * 100 > VANISHED_PERCENT * len(before)
    if not is_none_visible and not is_many:
        return None
    return Unseen(
        Reason.OBSERVATION_SUSPECT,
        f"{len(vanished | expected)} of {len(before | expected)} unfinished jobs are gone all at once: a wrong key, "
        "project or URL is likelier than that. If they were really deleted, remove their specs",
        is_transient=False,
    )


async def _is_any_listed(reader: JobReader, known: Mapping[str, Phase], capabilities: Capabilities) -> bool:
    """Whether a list shows any job that this account is known to have, finished ones included."""
    try:
        page = await reader.list_page(ListQuery(capabilities.page_size_max), None)
    except ProviderError:
        return False
    return any(not job.ids.isdisjoint(known) for job in page.jobs)
