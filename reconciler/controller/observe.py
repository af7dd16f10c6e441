"""Observe the jobs of one account: read the list or retrieve the jobs, whichever is estimated to cost less.

Rules:

- A job that the provider shows is observed, even if other jobs could not be observed.
- If retrieving a job is forbidden, or its response is lost or invalid, only that job is unobserved. The account is
  unobserved if every request fails, if other requests would probably fail in the same way (because of throttling, the
  credential or the connection), if absences are doubted, or if a broken list lacks many jobs.
- A job is absent only if the provider responds "not found" for its id. `core.absence` decides whether an absence is
  believed. Once a crowd of jobs has certainly vanished, the remaining jobs are not retrieved.
- If the newest pass changes something for this account, the rest of the observation is left to a later pass.
- A settled job is retrieved only if a list that was read for other jobs shows it in another phase.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from reconciler.controller.listing import Listing, walk
from reconciler.controller.request_costs import RequestCosts
from reconciler.controller.retrieves import Answer, retrieve_all, retrieve_one
from reconciler.core.absence import Doubt, KnownBefore, is_crowd, weigh
from reconciler.core.finality import is_contradicted
from reconciler.errors import ProviderError
from reconciler.model.capabilities import Capabilities
from reconciler.model.job import JobRef, ListQuery, Observation, Observed, ObservedJob, Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.ports import JobReader

CROWD_CERTAIN_AFTER = 5
"""The minimum number of unexpected absences that can stop an observation, if they are a crowd (`core.absence`)."""
FAILED_RETRIEVES_MAX = 20
"""The number of failed retrieve requests after which an observation stops. The remaining jobs are then unobserved."""
CONTRADICTED_MAX = 20
"""The maximum number of settled jobs that one observation retrieves because a list shows them in another phase."""

_LISTED_ONLY = "a list shows the job, but the provider does not find it by its id"
LISTED_ONLY = Unobserved(Reason.OBSERVATION_INCOMPLETE, _LISTED_ONLY)
"""The observation of a job that a list shows, although the provider does not find its id. The job is not absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationGoal:
    """The jobs to observe, and what earlier observations showed."""

    refs: Sequence[JobRef]
    """The wanted jobs, in the order in which they are retrieved."""
    before: Callable[[], KnownBefore] = KnownBefore
    """A function that returns what earlier observations showed. Its first call may take a long time."""
    ended: Callable[[], Mapping[JobRef, Phase]] = dict
    """A function that returns the settled jobs, each with its terminal phase. It may take a long time."""
    is_part: bool = False
    """Whether the account has wanted jobs that are not in `refs`."""
    has_witness: bool = False
    """Whether this pass has already seen a job of the account."""
    absent: frozenset[JobRef] = frozenset()
    """The jobs for which the provider has already responded "not found" in this pass. They are not retrieved again."""


@dataclass(frozen=True, slots=True)
class Observations:
    """The result of one observation of an account."""

    by_job: Mapping[JobRef, Observation]
    """The observation of every wanted job except those in `left`, and of each settled job that was retrieved."""
    unobserved: Unobserved | None = None
    """Why the account or its list could not be observed, or why absences are doubted; None otherwise."""
    by_row: frozenset[JobRef] = frozenset()
    """The jobs that only a list has shown. A list may be outdated."""
    left: tuple[JobRef, ...] = ()
    """The jobs that were not observed, because the newest pass changed something for this account."""
    pages: int = 0
    """How many pages of the list were read; 0 if it was not read or reading failed."""


async def observe_jobs(
    reader: JobReader,
    goal: ObservationGoal,
    capabilities: Capabilities,
    costs: RequestCosts,
    now: datetime,
    is_overtaken: Callable[[], bool] = lambda: False,
) -> Observations:
    """Observe the jobs of one account: list them if that is cheaper, then retrieve those that are still missing.

    Args:
        reader: the account.
        goal: the jobs, and what earlier observations showed.
        capabilities: the capabilities of the provider.
        costs: the costs of requests to the account.
        now: the current time, in whole seconds.
        is_overtaken: returns whether to stop early, because the newest pass changed something for this account.
    """
    # Two specs may name the same job. It is observed only once.
    refs, listing, ended = list(dict.fromkeys(goal.refs)), Listing(), dict[JobRef, Phase]()
    if costs.prefers_list(len(refs)):
        # Pages are not read to find these ids. If a row has one of them, it shows that the account is the right one, or
        # that a settled job is in another phase.
        ended.update(goal.ended())
        also = {*goal.before().phases, *(ref.id for ref in ended)}
        listing = await walk(reader, {ref.id for ref in refs}, also, capabilities.page_size_max, costs, is_overtaken)
    run = _ObservationRun(reader, goal, listing, costs, now, is_overtaken)
    run.by_job.update((ref, Observed(None)) for ref in refs if ref in goal.absent)
    run.take_rows(refs, capabilities)
    # Jobs that the list showed come first. If one of them is found, the account is correct even if others are absent.
    requested = sorted((ref for ref in refs if ref not in run.by_job), key=lambda ref: ref.id not in listing.rows)
    left = await run.retrieve(requested)
    found = replace(await run.conclude(capabilities, left), pages=listing.pages)
    if found.unobserved is not None or left:
        return found
    return replace(found, by_job={**await _contradictions(reader, listing.rows, ended), **found.by_job})


@dataclass(slots=True)
class _ObservationRun:
    """The state of one observation while its requests are sent."""

    reader: JobReader
    goal: ObservationGoal
    listing: Listing
    costs: RequestCosts
    now: datetime
    is_overtaken: Callable[[], bool]
    by_job: dict[JobRef, Observation] = field(default_factory=dict)
    by_row: set[JobRef] = field(default_factory=set)
    failures: list[Unobserved] = field(default_factory=list)
    """The failure of each job that could not be retrieved."""
    not_retrieved: Sequence[JobRef] = ()
    account_failure: Unobserved | None = None

    def take_rows(self, refs: Sequence[JobRef], capabilities: Capabilities) -> None:
        """Record the jobs that the list showed. If a broken list lacks many jobs, mark these as unobserved."""
        self.account_failure, rows = self.listing.account_failure, self.listing.rows
        for ref in refs:
            row = rows.get(ref.id)
            # A row that lacks fields is enough if the phase is unchanged. Otherwise the job is retrieved.
            if row is not None and (capabilities.has_whole_rows or self.goal.before().phases.get(ref.id) is row.phase):
                self.by_job[ref] = Observed(row)
                self.by_row.add(ref)
        missing = [ref for ref in refs if ref.id not in rows]
        if self.listing.broken is not None and self.costs.prefers_list(len(missing)):
            self.by_job.update(dict.fromkeys(missing, self.listing.broken))

    async def retrieve(self, refs: Sequence[JobRef]) -> tuple[JobRef, ...]:
        """Retrieve jobs by id until more requests would be useless. Return the jobs left to a later observation."""
        if self.listing.is_overtaken:
            return tuple(refs)
        rest, under_way = deque(refs), dict[asyncio.Task[Answer], JobRef]()
        try:
            is_overtaken = await self._retrieve_while_useful(rest, under_way)
        finally:
            for task in under_way:
                task.cancel()
        if is_overtaken:
            return tuple(rest)
        self.not_retrieved = tuple(rest)
        return ()

    async def _retrieve_while_useful(self, rest: deque[JobRef], under_way: dict[asyncio.Task[Answer], JobRef]) -> bool:
        """Retrieve the jobs in `rest`. Return whether the newest pass changed something, so that some jobs are left."""
        is_overtaken, is_stopped = False, self._is_useless(rest)
        # The first job is retrieved alone, because its response shows whether the account works.
        at_once = self.costs.at_once if self.listing.has_answered else 1
        while True:
            if not (is_overtaken or is_stopped):
                self._start(rest, under_way, at_once)
            if not under_way:
                return is_overtaken
            is_suspicious = await self._take_next(under_way)
            at_once = self.costs.at_once
            is_stopped = is_stopped or (is_suspicious and self._is_useless(rest))
            # Checked after the first response, so that a stream of changes cannot keep the account unobserved.
            is_overtaken = is_overtaken or (bool(rest) and not is_stopped and self.is_overtaken())

    def _start(self, rest: deque[JobRef], under_way: dict[asyncio.Task[Answer], JobRef], at_once: int) -> None:
        while rest and len(under_way) < at_once:
            ref = rest.popleft()
            under_way[asyncio.ensure_future(retrieve_one(self.reader, ref))] = ref

    async def _take_next(self, under_way: dict[asyncio.Task[Answer], JobRef]) -> bool:
        """Record the next responses. Return whether one of them is a failure or an absence."""
        done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        is_suspicious = [self._take(under_way.pop(each), each.result()) for each in [*under_way] if each in done]
        return any(is_suspicious)

    def _take(self, ref: JobRef, answer: Answer) -> bool:
        """Record the response for one job. Return whether it is a failure or an absence."""
        self.by_job[ref] = answer.observation
        if isinstance(answer.observation, Unobserved):
            self.failures.append(answer.observation)
            self.account_failure = answer.observation if answer.is_of_account else self.account_failure
        return isinstance(answer.observation, Unobserved) or answer.observation.job is None

    async def conclude(self, capabilities: Capabilities, left: tuple[JobRef, ...]) -> Observations:
        """Return the result of the observation. Jobs whose absence is doubted are unobserved."""
        absent = self._absent()
        doubt = await self._weigh_absences(absent, capabilities)
        if doubt is not None:
            self._replace(doubt.absent, doubt.unobserved)
        self._replace(absent & self.listing.rows.keys(), LISTED_ONLY)
        cause = self.account_failure or (doubt.unobserved if doubt is not None else None)
        unobserved = cause or self._account_failure()
        if self.not_retrieved:
            why = cause or replace(unobserved or self.failures[-1], was_requested=False)
            self.by_job.update(dict.fromkeys(self.not_retrieved, why))
        if unobserved is None and self.listing.broken in self.by_job.values():
            unobserved = self.listing.broken
        return Observations(self.by_job, unobserved, frozenset(self.by_row), left)

    async def _weigh_absences(self, absent: frozenset[str], capabilities: Capabilities) -> Doubt | None:
        """Return the doubted absences, or None. A missing witness is looked for on the first page of the list."""
        if not (absent or self.not_retrieved):
            return None
        shown = {ref.id for ref, seen in self.by_job.items() if isinstance(seen, Observed) and seen.job is not None}
        has_witness = self.goal.has_witness or bool(shown or self.listing.rows)
        not_retrieved = [ref.id for ref in self.not_retrieved]
        weighed = partial(weigh, absent, shown, self.goal.before(), self.now, not_retrieved=not_retrieved)
        doubt = weighed(has_witness=has_witness)
        if doubt is None or has_witness or self.listing.has_answered:
            return doubt
        self.listing = replace(self.listing, rows=await self._first_rows(capabilities))
        return weighed(has_witness=bool(self.listing.rows))

    def _replace(self, ids: Collection[str], observation: Observation) -> None:
        self.by_job.update((ref, observation) for ref in list(self.by_job) if ref.id in ids)

    def _is_useless(self, rest: Iterable[JobRef]) -> bool:
        """Return whether the account failed, too many retrieves failed, or a crowd has certainly vanished."""
        if self.account_failure is not None or len(self.failures) >= FAILED_RETRIEVES_MAX:
            return True
        if len(absent := self._absent()) < CROWD_CERTAIN_AFTER:
            return False
        before, observed = self.goal.before(), set(self.by_job)
        vanished = before.vanished(absent)
        if len(vanished) < CROWD_CERTAIN_AFTER:
            return False
        if self.listing.has_answered:
            observed.update(rest)
            vanished |= before.vanished([ref.id for ref in rest if ref.id not in self.listing.rows])
        unfinished = before.unfinished.intersection(ref.id for ref in observed)
        return is_crowd(len(vanished), len(unfinished), before, self.now)

    def _absent(self) -> frozenset[str]:
        return frozenset(ref.id for ref, seen in self.by_job.items() if seen == Observed(None))

    def _account_failure(self) -> Unobserved | None:
        """Return the first failure if no job could be observed, so that the account counts as unobserved; else None.

        The result is also None if every failure is permanent and this pass observes only some jobs of the account.
        """
        failures = [seen for seen in self.by_job.values() if isinstance(seen, Unobserved)]
        if not failures or len(failures) < len(self.by_job):
            return None
        is_passing = any(each.is_transient for each in failures)
        return failures[0] if is_passing or not self.goal.is_part else None

    async def _first_rows(self, capabilities: Capabilities) -> dict[str, ObservedJob]:
        """Return the wanted and previously seen jobs on the list's first page, by id; empty if the request fails."""
        known = {*self.goal.before().phases, *(ref.id for ref in self.goal.refs)}
        try:
            page = await self.reader.list_page(ListQuery(capabilities.page_size_max), None)
        except ProviderError:
            return {}
        return {job_id: job for job in page.jobs for job_id in job.ids & known}


async def _contradictions(
    reader: JobReader, rows: Mapping[str, ObservedJob], ended: Mapping[JobRef, Phase]
) -> dict[JobRef, Observation]:
    """Retrieve the settled jobs that the list shows in another phase. Jobs that cannot be retrieved are left out."""
    denied = [ref for ref, phase in ended.items() if ref.id in rows and is_contradicted(phase, rows[ref.id].phase)]
    requested = sorted(denied)[:CONTRADICTED_MAX]
    answers = await retrieve_all(reader, requested)
    return {
        ref: each.observation
        for ref, each in zip(requested, answers, strict=True)
        if isinstance(each.observation, Observed)
    }
