"""Which statuses of a group of requests are written together, and when. Time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.controller.request_group import WITHIN_S, RequestGroup
from reconciler.model.status import JobStatus
from tests.support.build import a_status
from tests.support.clock import in_virtual_time
from tests.support.in_memory_accounts import PickyStatuses


@dataclass
class CountedStatuses(PickyStatuses):
    """A store that records when which statuses were written together."""

    batches: list[tuple[float, list[str]]] = field(default_factory=list)

    def write_all(self, statuses: Iterable[JobStatus], *, are_intents: bool) -> dict[str, Exception]:
        """Record the batch, and write it."""
        statuses = list(statuses)
        self.batches.append((round(asyncio.get_running_loop().time(), 2), [each.name for each in statuses]))
        return super().write_all(statuses, are_intents=are_intents)


async def request(group: RequestGroup, name: str, takes_s: float, *, has_status: bool = True) -> None:
    """Handle a request that takes this long, and write the status of its job."""
    with group.request():
        await asyncio.sleep(takes_s)
        if has_status:
            await group.write(a_status(name))


def test_the_statuses_of_requests_that_end_together_are_written_together_and_at_once() -> None:
    async def main() -> None:
        store = CountedStatuses()
        group = RequestGroup(store)
        await asyncio.gather(*(request(group, name, 1 + 0.1 * number) for number, name in enumerate("abc")))

        assert store.batches == [(1.2, ["a", "b", "c"])]
        assert store.durable == {"a", "b", "c"}

    in_virtual_time(main)


def test_a_status_waits_only_shortly_for_a_slow_request() -> None:
    async def main() -> None:
        store = CountedStatuses()
        group = RequestGroup(store)
        await asyncio.gather(request(group, "slow", 40), request(group, "quick", 1), request(group, "next", 1.1))

        assert store.batches == [(1 + WITHIN_S, ["quick", "next"]), (40, ["slow"])]

    in_virtual_time(main)


def test_a_request_that_ends_without_a_status_ends_the_wait_of_the_others() -> None:
    async def main() -> None:
        store = CountedStatuses()
        group = RequestGroup(store)
        await asyncio.gather(request(group, "a", 1), request(group, "b", 1.1, has_status=False))

        assert store.batches == [(1.1, ["a"])]

    in_virtual_time(main)


def test_an_error_is_raised_only_for_its_own_status() -> None:
    async def main() -> None:
        error = OSError(28, "No space left on device")
        store = CountedStatuses(refuse=lambda name: error if name == "b" else None)
        group = RequestGroup(store)
        results = await asyncio.gather(*(request(group, name, 1) for name in "abc"), return_exceptions=True)

        assert results == [None, error, None]
        assert {each.name for each in store.jobs.values()} == {"a", "c"}

    in_virtual_time(main)


def test_a_cancelled_task_writes_its_status_first() -> None:
    async def main() -> None:
        store = CountedStatuses()
        group = RequestGroup(store)
        tasks = [asyncio.ensure_future(request(group, name, takes_s)) for name, takes_s in (("a", 1), ("slow", 40))]
        await asyncio.sleep(1.1)
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)

        assert store.batches == [(1.1, ["a"])]
        assert all(each.cancelled() for each in tasks)

    in_virtual_time(main)
