"""The workers of accounts, which run beside the passes: when a pass waits for them, and when they are cancelled."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.workers import WorkerPool, end, first
from reconciler.model.job import Account
from tests.support.build import ACCOUNT
from tests.support.clock import in_virtual_time
from tests.support.in_memory_accounts import a_target

SLOW = Account("openai", "https://slow.example.org/v1")
OUTCOME, LATER = (AccountOutcome(a_target(), alias, None) for alias in ("openai", "slow"))


async def work(seconds: float, outcome: AccountOutcome = OUTCOME) -> AccountOutcome:
    """Return the outcome after this time."""
    await asyncio.sleep(seconds)
    return outcome


def now() -> float:
    return asyncio.get_running_loop().time()


def two_at_work(pool: WorkerPool, quick_s: float = 1.0, slow_s: float = 60.0) -> None:
    """Start a worker for a quick account and one for a slow account."""
    pool.begin(ACCOUNT, {"chat"}, work(quick_s), 0.0)
    pool.begin(SLOW, {"code", "talk"}, work(slow_s, LATER), 5.0)


def test_the_pool_contains_each_worker_with_its_job_names_and_start_time() -> None:
    async def main() -> None:
        pool = WorkerPool()
        two_at_work(pool)

        assert ACCOUNT in pool
        assert Account("openai", "https://other.example.org") not in pool
        assert pool.names == {"chat", "code", "talk"}
        assert pool.begun_at == {ACCOUNT: 0.0, SLOW: 5.0}
        await pool.abandon()

    in_virtual_time(main)


def test_a_pass_without_a_yield_signal_waits_for_all_workers() -> None:
    async def main() -> None:
        pool = WorkerPool()
        two_at_work(pool)

        assert await pool.gather(None) == [OUTCOME, LATER]
        assert now() == pytest.approx(60.0)
        assert pool.begun_at == {}
        assert pool.names == frozenset()

    in_virtual_time(main)


def test_a_pass_with_a_yield_signal_continues_without_slow_workers() -> None:
    async def main() -> None:
        pool = WorkerPool()
        two_at_work(pool)

        assert await pool.gather(lambda: asyncio.sleep(5.0)) == [OUTCOME]
        assert now() == pytest.approx(5.0)
        assert pool.begun_at.keys() == {SLOW}
        await asyncio.sleep(60.0)
        assert pool.finished() == [LATER]
        assert pool.finished() == []

    in_virtual_time(main)


def test_a_pass_stops_waiting_once_all_workers_that_it_started_have_finished() -> None:
    async def main() -> None:
        pool = WorkerPool()
        pool.begin(SLOW, {"code"}, work(60.0, LATER), 0.0)
        await pool.gather(lambda: asyncio.sleep(1.0))
        pool.begin(ACCOUNT, {"chat"}, work(2.0), now())

        assert await pool.gather(lambda: asyncio.sleep(5.0)) == [OUTCOME]
        assert now() == pytest.approx(3.0)
        await pool.abandon()

    in_virtual_time(main)


def test_a_pass_that_started_no_worker_does_not_wait() -> None:
    async def main() -> None:
        assert await WorkerPool().gather(lambda: asyncio.sleep(5.0)) == []
        assert await WorkerPool().gather(None) == []
        assert now() == 0.0

    in_virtual_time(main)


def test_cancelling_a_pass_cancels_all_running_workers() -> None:
    async def main() -> None:
        pool, ended = WorkerPool(), []

        async def for_ever() -> AccountOutcome:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("it")
            return OUTCOME

        pool.begin(ACCOUNT, {"chat"}, for_ever(), 0.0)
        task = asyncio.ensure_future(pool.gather(None))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["it"]

    in_virtual_time(main)


def test_a_worker_that_no_pass_waits_for_is_reported_when_it_finishes() -> None:
    async def main() -> None:
        pool = WorkerPool()
        two_at_work(pool, quick_s=120.0)
        await pool.gather(lambda: asyncio.sleep(1.0))
        await pool.one()

        assert now() == pytest.approx(60.0)
        await pool.abandon()

    in_virtual_time(main)


def test_waiting_for_a_finished_worker_ignores_those_of_the_current_pass() -> None:
    async def main() -> None:
        pool = WorkerPool()
        pool.begin(ACCOUNT, {"chat"}, work(1.0), 0.0)
        await first(pool.one(), asyncio.sleep(30.0))

        assert now() == pytest.approx(30.0)

    in_virtual_time(main)


def test_waiting_for_a_finished_worker_never_ends_if_the_pool_is_empty() -> None:
    async def main() -> None:
        await first(WorkerPool().one(), asyncio.sleep(30.0))

        assert now() == pytest.approx(30.0)

    in_virtual_time(main)


def test_the_first_awaitable_to_complete_cancels_the_others() -> None:
    async def main() -> None:
        ended: list[str] = []

        async def note(what: str, seconds: float) -> None:
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                ended.append(what)
                raise

        await first(note("long", 60.0), note("short", 1.0), note("longer", 90.0))

        assert now() == pytest.approx(1.0)
        assert ended == ["long", "longer"]

    in_virtual_time(main)


def test_end_waits_until_cancelled_tasks_have_ended_and_ignores_their_exceptions() -> None:
    async def main() -> None:
        cleaned: list[float] = []

        async def slow_to_end() -> None:
            try:
                await asyncio.sleep(60.0)
            finally:
                await asyncio.sleep(2.0)
                cleaned.append(now())

        async def fail() -> None:
            raise ZeroDivisionError

        tasks = [asyncio.ensure_future(slow_to_end()), asyncio.ensure_future(fail())]
        await asyncio.sleep(1.0)
        await end(tasks)

        assert cleaned == [pytest.approx(3.0)]

    in_virtual_time(main)
