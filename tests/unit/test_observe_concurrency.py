"""How many retrieves of one observation are sent concurrently. Time is virtual."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.controller.observe import ObservationGoal, observe_jobs
from reconciler.controller.request_costs import RequestCosts
from reconciler.errors import Kind, PermanentError
from reconciler.model.job import JobRef, ObservedJob
from reconciler.ports import Rate
from tests.support.build import ACCOUNT, NOW
from tests.support.clock import in_virtual_time
from tests.support.read_only_account import ROWS, ReadOnlyAccount, account_of, named

FORBIDDEN = PermanentError("403", kind=Kind.FORBIDDEN)


class SlowAccount(ReadOnlyAccount):
    """An account whose retrieves take a second or more. `most` is the maximum number of concurrent ones."""

    on_the_way = most = 0

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return a job, or None if the account has no job with this ID."""
        self.on_the_way += 1
        self.most = max(self.most, self.on_the_way)
        await asyncio.sleep(1.5 if ref.id == "ftjob-0001" else 1)
        self.on_the_way -= 1
        return await super().get_job(ref)


def test_retrieves_are_concurrent_and_a_slow_one_delays_no_other() -> None:
    reader = account_of(60, kind=SlowAccount)
    reader.broken["page 1"] = FORBIDDEN

    async def main() -> None:
        goal = ObservationGoal(refs=[JobRef(ACCOUNT, id_) for id_ in named(*range(41))])
        rate = Rate(burst=1000, concurrency=8)
        found = await observe_jobs(reader, goal, ROWS, RequestCosts(lambda: rate), NOW)

        assert len(found.by_job) == 41
        assert asyncio.get_running_loop().time() == pytest.approx(1 + 5.5, abs=0.6), (
            "one retrieve alone, and then eight at once"
        )

    in_virtual_time(main)

    assert isinstance(reader, SlowAccount)
    assert reader.most == 8
