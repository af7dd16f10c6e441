"""When the throttle delays or rejects the requests of an account, and that a stop rejects them. Time is virtual."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest

from reconciler.circuit_breaker import FAILURES_MAX, PAUSE_MAX_S, CircuitBreaker
from reconciler.errors import Delivered, NotSentError, TransientError
from reconciler.ports import Rate
from reconciler.throttle import Throttle
from tests.support.clock import in_virtual_time

FREELY = Rate(requests_per_second=1000, burst=1000, concurrency=8)


async def ask(gate: Throttle, *, is_well: bool | None) -> None:
    async with gate.acquire() as turn:
        turn.succeeded = is_well


async def fail(gate: Throttle, times: int) -> None:
    for _ in range(times):
        await ask(gate, is_well=False)


def test_five_failures_in_a_row_open_the_circuit_until_one_probe_is_sent() -> None:
    async def main() -> None:
        gate = Throttle(FREELY)
        await fail(gate, FAILURES_MAX)
        with pytest.raises(TransientError) as caught:
            await ask(gate, is_well=True)
        while_open = gate.requests
        await asyncio.sleep(1)
        probe = gate.acquire()
        await probe.__aenter__()
        with pytest.raises(TransientError):
            await ask(gate, is_well=True)
        await probe.__aexit__(None, None, None)

        assert caught.value.delivered is Delivered.NO
        assert caught.value.retry_after_s == pytest.approx(1)
        assert while_open == FAILURES_MAX
        assert gate.requests == FAILURES_MAX + 1

    in_virtual_time(main)


def test_a_circuit_breaker_without_a_maximum_never_opens() -> None:
    async def main() -> None:
        gate = Throttle(FREELY, CircuitBreaker(failures_max=None))
        await fail(gate, 50)
        await ask(gate, is_well=True)
        assert gate.requests == 51

    in_virtual_time(main)


def test_a_successful_probe_closes_the_circuit_and_resets_the_failures() -> None:
    async def main() -> None:
        gate = Throttle(FREELY)
        await fail(gate, FAILURES_MAX)
        await asyncio.sleep(1)
        await ask(gate, is_well=True)
        await fail(gate, FAILURES_MAX - 1)
        await ask(gate, is_well=True)

        assert gate.requests == 2 * FAILURES_MAX + 1

    in_virtual_time(main)


def test_failures_that_are_not_in_a_row_do_not_open_the_circuit() -> None:
    async def main() -> None:
        gate = Throttle(FREELY)
        for _ in range(FAILURES_MAX):
            await fail(gate, FAILURES_MAX - 1)
            await ask(gate, is_well=True)

        assert gate.requests == FAILURES_MAX * FAILURES_MAX

    in_virtual_time(main)


def test_during_a_week_of_outage_probes_slow_down_to_one_every_fifteen_minutes() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        gate = Throttle(FREELY)
        await fail(gate, FAILURES_MAX)
        moments = []
        while clock() < 7 * 86_400:
            try:
                await fail(gate, 1)
                moments.append(clock())
            except TransientError as error:
                await asyncio.sleep(error.retry_after_s or 0)
        gaps = [later - earlier for earlier, later in pairwise(moments)]

        assert gaps == sorted(gaps)
        assert gaps[-1] == pytest.approx(PAUSE_MAX_S)
        assert len(moments) < 7 * 86_400 / PAUSE_MAX_S + 20

    in_virtual_time(main)


def test_an_abandoned_request_is_not_a_failure() -> None:
    async def main() -> None:
        gate = Throttle(FREELY)
        await fail(gate, FAILURES_MAX - 1)
        await ask(gate, is_well=None)
        await ask(gate, is_well=True)
        await fail(gate, FAILURES_MAX - 1)
        await ask(gate, is_well=True)

        assert gate.requests == 2 * FAILURES_MAX + 1

    in_virtual_time(main)


def test_the_request_rate_says_whether_a_request_waits_for_its_turn() -> None:
    async def main() -> None:
        gate = Throttle(Rate(requests_per_second=0.01, burst=1, concurrency=1))
        told = []
        for _ in range(2):
            asking = asyncio.create_task(ask(gate, is_well=True))
            await asyncio.sleep(1)
            told.append(gate.request_rate().is_waiting)
        await asking
        told.append(gate.request_rate().is_waiting)

        assert told == [False, True, False]

    in_virtual_time(main)


def test_after_a_stop_queued_requests_are_rejected_and_the_running_one_completes() -> None:
    async def main() -> None:
        gate = Throttle(Rate(requests_per_second=0.01, burst=1, concurrency=1))
        ended = []

        async def long() -> None:
            async with gate.acquire() as turn:
                await asyncio.sleep(10)
                turn.succeeded = True
                ended.append(asyncio.get_running_loop().time())

        under_way = asyncio.create_task(long())
        await asyncio.sleep(1)
        waiting = [asyncio.create_task(ask(gate, is_well=True)) for _ in range(3)]
        await asyncio.sleep(1)
        gate.stop()
        turned_away = await asyncio.gather(*waiting, return_exceptions=True)
        at = asyncio.get_running_loop().time()
        with pytest.raises(TransientError):
            await ask(gate, is_well=True)
        await under_way

        assert [type(each) for each in turned_away] == [NotSentError] * 3
        assert at == pytest.approx(2)
        assert ended == [pytest.approx(10)]
        assert gate.requests == 1

    in_virtual_time(main)


def test_the_error_of_an_open_circuit_contains_the_last_failure() -> None:
    async def main() -> None:
        gate = Throttle(FREELY)
        await fail(gate, FAILURES_MAX - 1)
        async with gate.acquire() as turn:
            turn.succeeded, turn.last_error = False, "cannot connect to llm.example"

        with pytest.raises(TransientError, match=r"last: cannot connect to llm\.example"):
            await ask(gate, is_well=True)

    in_virtual_time(main)


def test_accounts_that_share_a_circuit_breaker_share_a_pause() -> None:
    async def main() -> None:
        quiet = CircuitBreaker()
        one, other, alone = Throttle(FREELY, quiet), Throttle(FREELY, quiet), Throttle(FREELY)
        one.pause_for(30)
        for gate in (one, other):
            with pytest.raises(TransientError) as caught:
                await ask(gate, is_well=True)

            assert caught.value.retry_after_s == pytest.approx(30)
        await ask(alone, is_well=True)

    in_virtual_time(main)


def test_a_shared_open_circuit_blocks_only_the_accounts_that_have_failed_themselves() -> None:
    async def main() -> None:
        quiet = CircuitBreaker()
        alias, victim, third = (Throttle(FREELY, quiet) for _ in range(3))
        await fail(alias, FAILURES_MAX)
        await fail(victim, 1)
        for gate in (alias, victim):
            with pytest.raises(TransientError):
                await ask(gate, is_well=True)
        await ask(third, is_well=True)
        await ask(alias, is_well=True)

        assert [each.requests for each in (alias, victim, third)] == [FAILURES_MAX + 1, 1, 1]

    in_virtual_time(main)


def test_each_account_keeps_its_own_rate_despite_a_shared_circuit_breaker() -> None:
    async def main() -> None:
        quiet = CircuitBreaker()
        slow = Throttle(Rate(requests_per_second=0.1, burst=1, concurrency=1), quiet)
        usual, fast = Throttle(Rate(requests_per_second=1, burst=1), quiet), Throttle(FREELY, quiet)
        took = {}
        for name, gate in (("slow", slow), ("usual", usual), ("fast", fast)):
            begun = asyncio.get_running_loop().time()
            for _ in range(3):
                await ask(gate, is_well=True)
            took[name] = round(asyncio.get_running_loop().time() - begun)

        assert took == {"slow": 20, "usual": 2, "fast": 0}

    in_virtual_time(main)


def test_a_changed_rate_limit_applies_from_the_next_request() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        gate = Throttle(FREELY)
        for _ in range(100):
            await ask(gate, is_well=True)
        before = clock()
        gate.set_rate(Rate(requests_per_second=1, burst=1, concurrency=1))
        for _ in range(4):
            await ask(gate, is_well=True)

        assert before == pytest.approx(0, abs=0.2)
        assert clock() - before == pytest.approx(3, abs=0.1)
        assert gate.requests == 104

    in_virtual_time(main)


def test_a_raised_rate_limit_applies_at_once_to_queued_requests() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        gate = Throttle(Rate(requests_per_second=0.1, burst=1, concurrency=2))
        waiting = [asyncio.create_task(ask(gate, is_well=True)) for _ in range(8)]
        await asyncio.sleep(1)
        sent_before = gate.requests
        gate.set_rate(FREELY)
        await asyncio.gather(*waiting)

        assert sent_before == 1
        assert clock() == pytest.approx(1, abs=0.1)
        assert gate.requests == 8

    in_virtual_time(main)


def test_setting_an_unchanged_rate_limit_adds_no_second_burst() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        slow = Rate(requests_per_second=1, burst=2, concurrency=1)
        gate = Throttle(slow)
        for _ in range(4):
            gate.set_rate(slow)
            await ask(gate, is_well=True)

        assert clock() == pytest.approx(2, abs=0.1)

    in_virtual_time(main)


def test_an_open_circuit_of_an_old_credential_does_not_block_the_new_one() -> None:
    async def main() -> None:
        gate = Throttle(FREELY)
        await fail(gate, FAILURES_MAX)
        gate.set_breaker(CircuitBreaker())
        await ask(gate, is_well=True)

        assert gate.requests == FAILURES_MAX + 1

    in_virtual_time(main)


def test_the_request_rate_says_how_long_no_request_is_sent() -> None:
    async def main() -> None:
        gate, other = Throttle(FREELY), Throttle(Rate(requests_per_second=5, requests_per_second_max=math.inf))
        before = gate.request_rate()
        await fail(gate, FAILURES_MAX)
        is_open = gate.request_rate()
        other.pause_for(30)
        await asyncio.sleep(10)
        paused = other.request_rate()

        assert (before.blocked_s, before.ceiling) == (0, 1000)
        assert is_open.blocked_s == pytest.approx(1)
        assert paused.blocked_s == pytest.approx(20)
        assert (paused.per_second, paused.ceiling) == (0, None)

    in_virtual_time(main)
