"""Which connection pool a request uses, and when unused pools are closed. The time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from reconciler.pool_stack import KEPT_S, PoolStack
from tests.support.clock import in_virtual_time


class Pool:
    """A pool that counts how often it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def aclose(self) -> None:
        """Count that the pool was closed."""
        self.closed += 1


def stack() -> tuple[list[Pool], PoolStack[Pool]]:
    """Return a stack, and the list of the pools that it creates, in order."""
    made: list[Pool] = []

    def make() -> Pool:
        made.append(Pool())
        return made[-1]

    return made, PoolStack(make)


async def request(pools: PoolStack[Pool], lasts_s: float = 1) -> Pool:
    async with pools.lease() as pool:
        await asyncio.sleep(lasts_s)
        return pool


async def together(pools: PoolStack[Pool], *lasting_s: float) -> Sequence[Pool]:
    return await asyncio.gather(*(request(pools, each) for each in lasting_s))


def test_the_first_pool_is_created_at_once_so_that_its_settings_are_checked() -> None:
    made, _ = stack()

    assert len(made) == 1


def test_requests_one_after_another_use_one_pool_and_requests_together_use_several() -> None:
    async def main() -> None:
        made, pools = stack()
        alone = [await request(pools) for _ in range(3)]
        beside = await together(pools, 1, 1, 1)

        assert alone == [made[0]] * 3
        assert beside == made
        assert len(set(made)) == 3

    in_virtual_time(main)


def test_the_pool_that_was_used_last_is_used_first() -> None:
    async def main() -> None:
        _, pools = stack()
        _, last, _ = await together(pools, 1, 3, 2)

        assert await request(pools) is last

    in_virtual_time(main)


def test_a_pool_is_used_again_after_its_request_failed() -> None:
    async def main() -> None:
        made, pools = stack()
        with pytest.raises(TimeoutError):
            async with pools.lease():
                raise TimeoutError

        assert await request(pools) is made[0]

    in_virtual_time(main)


def test_a_request_closes_the_pools_that_were_unused_for_too_long() -> None:
    async def main() -> None:
        made, pools = stack()
        await together(pools, 1, 1, 2)
        await asyncio.sleep(KEPT_S - 0.5)
        await request(pools)

        assert [each.closed for each in made] == [1, 1, 0]

    in_virtual_time(main)


def test_closing_the_stack_closes_each_unused_pool_once() -> None:
    async def main() -> None:
        made, pools = stack()
        await together(pools, 1, 1)
        await pools.aclose()
        await pools.aclose()

        assert [each.closed for each in made] == [1, 1]

    in_virtual_time(main)
