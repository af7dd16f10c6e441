"""The jobs of an account that no spec speaks of. They are listed and told, never touched.

Rules: a list that does not come whole is no list; a job whose spec cannot be read is not a stranger's only because
nobody can read its spec, so whoever acts on strangers first asks for documents without errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.controller.account_resolver import Problem, Reach, reaches_by_name
from reconciler.controller.observe import PAGES_MAX, unseen_by
from reconciler.controller.runtime import Tools, open_or_shut
from reconciler.controller.spec_resolver import resolve
from reconciler.errors import ProviderError
from reconciler.model.job import Account, JobRef, ListQuery, ObservedJob, Unseen
from reconciler.model.reason import Reason
from reconciler.ports import JobReader, Snapshot


@dataclass(frozen=True, slots=True)
class Listed:
    """One account, listed whole, or why it was not."""

    alias: str
    account: Account | None
    strangers: tuple[ObservedJob, ...] = ()
    jobs: int = 0
    unseen: Unseen | None = None


async def list_strangers(snapshot: Snapshot, tools: Tools, provider: str | None = None) -> tuple[Listed, ...]:
    """List every account that the documents name, or only that of one provider's name, which may be a type's."""
    resolved = resolve(snapshot, tools.environment, is_suspended=False)
    spoken_of = {each.ref for each in resolved.candidates if each.ref is not None}
    reaches = reaches_by_name(snapshot, tools.environment, [provider] if provider else ())
    chosen = {provider: reaches[provider]} if provider else reaches
    return tuple(await asyncio.gather(*(_list(alias, to, spoken_of, tools) for alias, to in _each_once(chosen))))


def _each_once(reaches: Mapping[str, Reach | Problem]) -> Iterable[tuple[str, Reach | Problem]]:
    """Two names may stand for one account: the first one is listed."""
    told: set[Account] = set()
    for alias, reach in reaches.items():
        if isinstance(reach, Reach):
            if reach.account in told:
                continue
            told.add(reach.account)
        yield alias, reach


async def _list(alias: str, reach: Reach | Problem, spoken_of: set[JobRef], tools: Tools) -> Listed:
    if isinstance(reach, Problem):
        is_unset = reach.reason is Reason.HOST_NOT_TRUSTED
        unseen = Unseen(reach.reason, reach.message, is_transient=False, is_configuration=is_unset)
        return Listed(alias, None, unseen=unseen)
    reader = await open_or_shut(tools.accounts, reach)
    jobs = await _walk(reader, reach.type.capabilities.page_size_max)
    if isinstance(jobs, Unseen):
        return Listed(alias, reach.account, unseen=jobs)
    strangers = tuple(
        job for job in jobs.values() if spoken_of.isdisjoint(JobRef(reach.account, job_id) for job_id in job.ids)
    )
    return Listed(alias, reach.account, strangers, len(jobs))


async def _walk(reader: JobReader, page_size: int) -> dict[str, ObservedJob] | Unseen:
    """Return every job by its id, in the account's order."""
    jobs: dict[str, ObservedJob] = {}
    cursor: str | None = None
    cursors: set[str | None] = set()
    while cursor not in cursors and len(cursors) < PAGES_MAX:
        cursors.add(cursor)
        try:
            page = await reader.list_page(ListQuery(page_size), cursor)
        except ProviderError as error:
            return unseen_by(error)
        jobs.update((job.id, job) for job in page.jobs)
        cursor = page.next_cursor
        if cursor is None:
            return jobs
    return Unseen(Reason.OBSERVATION_INCOMPLETE, f"the list has no end: {len(cursors)} pages, and more to come")
