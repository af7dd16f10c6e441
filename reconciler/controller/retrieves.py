"""Retrieve jobs by id.

A failed retrieve is an observation too: its job, or its whole account, is unobserved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from reconciler.controller.request_failure import is_of_account, unobserved_by
from reconciler.errors import ProviderError
from reconciler.model.job import JobRef, Observation, Observed
from reconciler.ports import JobReader


@dataclass(frozen=True, slots=True)
class Answer:
    """The observation of one job, and whether a failure concerns the whole account."""

    observation: Observation
    is_of_account: bool = False


async def retrieve_some(reader: JobReader, refs: Sequence[JobRef]) -> dict[JobRef, Observed]:
    """Retrieve a few urgent jobs, and return those that were observed.

    No further job is retrieved after a failure that concerns the whole account. `observe_jobs` handles the other jobs.
    """
    observed: dict[JobRef, Observed] = {}
    # The first job is retrieved alone, because its response shows whether the account works.
    for batch in (refs[:1], refs[1:]):
        for ref, answer in zip(batch, await retrieve_all(reader, batch), strict=True):
            if answer.is_of_account:
                return observed
            if isinstance(answer.observation, Observed):
                observed[ref] = answer.observation
    return observed


async def retrieve(reader: JobReader, refs: Sequence[JobRef]) -> list[Observation]:
    """Retrieve the jobs concurrently, and return their observations in the same order."""
    return [each.observation for each in await retrieve_all(reader, refs)]


async def retrieve_all(reader: JobReader, refs: Collection[JobRef]) -> list[Answer]:
    """Retrieve the jobs concurrently, and return the answers in the same order."""
    return await asyncio.gather(*(retrieve_one(reader, ref) for ref in refs))


async def retrieve_one(reader: JobReader, ref: JobRef) -> Answer:
    """Retrieve one job. A provider error becomes an observation."""
    try:
        return Answer(Observed(await reader.get_job(ref)))
    except ProviderError as error:
        return Answer(unobserved_by(error), is_of_account(error))
