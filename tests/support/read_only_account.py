"""A read-only account in memory that records requests, and helpers that observe its jobs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.controller.observe import ObservationGoal, Observations, observe_jobs
from reconciler.controller.request_costs import RequestCosts
from reconciler.core.absence import KnownBefore
from reconciler.model.capabilities import Capabilities
from reconciler.model.job import JobPage, JobRef, ListQuery, ObservedJob, Phase
from reconciler.ports import Rate
from tests.support.build import ACCOUNT, NOW

ROWS = Capabilities(has_whole_rows=True, page_size_max=100)


@dataclass
class ReadOnlyAccount:
    """An account in memory. `broken` has the error of a request by job ID, or by a page such as `page 2`."""

    jobs: dict[str, ObservedJob]
    broken: dict[str, Exception] = field(default_factory=dict)
    hidden: dict[str, ObservedJob] = field(default_factory=dict)
    """Jobs that no list shows."""
    asked: list[str] = field(default_factory=list)

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return a page. The cursor is the number of the page, from 0."""
        number = int(cursor or 0)
        self.ask(f"page {number + 1}")
        jobs = list(self.jobs.values())
        end = (number + 1) * query.page_size
        return JobPage(tuple(jobs[number * query.page_size : end]), str(number + 1) if end < len(jobs) else None)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return a job, or None if the account has no job with this ID."""
        self.ask(ref.id)
        return self.jobs.get(ref.id) or self.hidden.get(ref.id)

    def ask(self, what: str) -> None:
        """Record a request, and raise the error that `broken` has for it, if any."""
        self.asked.append(what)
        if what in self.broken:
            raise self.broken[what]

    @property
    def pages(self) -> int:
        """The number of requested pages."""
        return sum(what.startswith("page") for what in self.asked)


class LoopingList(ReadOnlyAccount):
    """A list whose cursor leads back to the same page."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return the first page, with a cursor that leads back to this page."""
        page = await super().list_page(query, cursor and "0")
        return replace(page, next_cursor="again")


class EndlessList(ReadOnlyAccount):
    """A list that always has another page."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return an empty page with a cursor to the next page."""
        del query
        self.ask("page")
        return JobPage((), str(int(cursor or 0) + 1))


def named(*numbers: int) -> list[str]:
    return [f"ftjob-{number:04}" for number in numbers]


def account_of(
    count: int, phase: Phase = Phase.RUNNING, kind: type[ReadOnlyAccount] = ReadOnlyAccount
) -> ReadOnlyAccount:
    return kind({id_: ObservedJob(id=id_, phase=phase, provider_status=str(phase)) for id_ in named(*range(count))})


def looked(
    reader: ReadOnlyAccount,
    ids: list[str],
    known: dict[str, Phase] | None = None,
    can: Capabilities = ROWS,
    *,
    ended: dict[str, Phase] | None = None,
    burst: int = 20,
    is_part: bool = False,
    **before: Any,
) -> Observations:
    """Observe these jobs. `known` and `before` are the fields of `KnownBefore`: the observations of earlier passes."""
    over = {JobRef(ACCOUNT, id_): phase for id_, phase in (ended or {}).items()}
    was = KnownBefore(phases=known or {}, **before)
    aim = ObservationGoal(
        refs=[JobRef(ACCOUNT, id_) for id_ in ids], before=lambda: was, ended=lambda: over, is_part=is_part
    )
    return asyncio.run(observe_jobs(reader, aim, can, RequestCosts(lambda: Rate(burst=burst, concurrency=10)), NOW))


def seen(found: Observations, id_: str) -> object:
    return found.by_job[JobRef(ACCOUNT, id_)]
