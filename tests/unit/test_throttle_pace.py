"""How the throttle adapts to the rate that a provider allows, and in which order it sends requests.

Time is virtual. The measured figures are recorded.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import pytest

from reconciler.circuit_breaker import FAILURES_MAX
from reconciler.errors import Delivered, SupersededError, TransientError
from reconciler.model.request_rate import LimitedBy
from reconciler.ports import Rate
from reconciler.preflight import abort_unless
from reconciler.rate_signals import RESET_PAUSE_MAX_S, RateSignal, rate_signal
from reconciler.throttle import Throttle
from reconciler.time_headers import retry_after_s
from tests.support.clock import in_virtual_time
from tests.support.limited_provider import Hint, LimitedProvider

ADAPTIVE = Rate(requests_per_second_max=math.inf, concurrency_max=64)
SLOWLY = Rate(requests_per_second=1, burst=1, concurrency=1)
LATENCY_S = 0.08

Record = Callable[[str, object], None]


async def ask(gate: Throttle, provider: LimitedProvider) -> None:
    """Send one request as the transport does, and report the response to the throttle."""
    clock = asyncio.get_running_loop().time
    async with gate.acquire() as permit:
        await asyncio.sleep(LATENCY_S / 2)
        status, headers = provider.answer(clock())
        await asyncio.sleep(LATENCY_S / 2)
        permit.signal, permit.succeeded = rate_signal(status, headers, b"", None), True
        if (pause_s := retry_after_s(headers, None)) is not None:
            gate.pause_for(pause_s)


async def ask_until(gate: Throttle, provider: LimitedProvider, until_s: float) -> None:
    """Send as many requests as the throttle permits, from 40 concurrent callers."""
    clock = asyncio.get_running_loop().time

    async def caller() -> None:
        while clock() < until_s:
            try:
                await ask(gate, provider)
            except TransientError as error:
                await asyncio.sleep(error.retry_after_s or 1.0)

    await asyncio.gather(*(caller() for _ in range(40)))


async def answer(gate: Throttle, signal: RateSignal, *, after_s: float = 0.0) -> None:
    async with gate.acquire() as permit:
        await asyncio.sleep(after_s)
        permit.signal, permit.succeeded = signal, True


@pytest.mark.sampled(2)
@pytest.mark.parametrize("hint", Hint)
@pytest.mark.parametrize(("allowed", "lasts_s"), [(2, 120.0), (100, 6.0)])
def test_queued_requests_use_most_of_the_rate_that_the_provider_allows(
    hint: Hint, allowed: float, lasts_s: float, record_property: Record
) -> None:
    """`test_pace.py` measures the pace alone, for up to ten minutes. This test includes the queue and the slots."""
    provider = LimitedProvider(allowed, hint)
    in_virtual_time(lambda: ask_until(Throttle(ADAPTIVE), provider, lasts_s))
    record_property(
        f"{allowed:g} requests a second are allowed, {lasts_s:g} s with a queue, hints: {hint.value}",
        f"{provider.served / lasts_s:.2f} a second were served, {provider.refused_part:.1%} of the answers were 429",
    )

    assert 0.7 * allowed <= provider.served / lasts_s
    assert provider.refused_part <= 0.1


@pytest.mark.parametrize("hint", Hint)
def test_a_rarely_used_account_gets_few_throttled_responses(hint: Hint, record_property: Record) -> None:
    provider = LimitedProvider(2.0, hint)

    async def main() -> None:
        gate = Throttle(ADAPTIVE)
        for _ in range(20):
            waiting = 12
            while waiting:
                refused = provider.refused
                await asyncio.gather(*(ask(gate, provider) for _ in range(waiting)))
                waiting = provider.refused - refused
            await asyncio.sleep(60)

    in_virtual_time(main)
    record_property(
        f"twelve requests a minute where 2 a second are allowed, hints: {hint.value}",
        f"{provider.refused_part:.1%} of {provider.served + provider.refused} answers were 429",
    )

    assert provider.served == 20 * 12
    assert provider.refused_part <= 0.1


def test_many_requests_to_an_account_that_is_never_throttled_are_soon_sent(record_property: Record) -> None:
    provider = LimitedProvider(math.inf)

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        gate = Throttle(ADAPTIVE)
        await asyncio.gather(*(ask(gate, provider) for _ in range(200)))
        record_property(f"200 requests at once, {LATENCY_S:g} s each, no limit", f"answered within {clock():.2f} s")

        assert clock() < 1.0

    in_virtual_time(main)


def test_throttled_responses_never_open_the_circuit() -> None:
    async def main() -> None:
        gate = Throttle(Rate(requests_per_second=1000, burst=1000, concurrency=64))
        async with asyncio.TaskGroup() as group:
            for _ in range(4 * FAILURES_MAX):
                group.create_task(answer(gate, RateSignal(is_throttled=True), after_s=1))
        await answer(gate, RateSignal())

        assert gate.requests == 4 * FAILURES_MAX + 1

    in_virtual_time(main)


def test_permanent_throttling_slows_requests_to_one_per_minute() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        gate, moments, pauses, delivered = Throttle(ADAPTIVE), [], [], set()
        while clock() < 3600:
            try:
                await answer(gate, RateSignal(is_throttled=True))
                moments.append(clock())
            except TransientError as error:
                pauses.append(error.retry_after_s or 0)
                delivered.add(error.delivered)
                await asyncio.sleep(pauses[-1])

        assert len(moments) < 90
        assert delivered == {Delivered.NO}
        assert max(pauses) == pytest.approx(60, abs=0.1)
        assert gate.request_rate().limited_by is LimitedBy.THROTTLING

    in_virtual_time(main)


def test_a_request_waits_for_a_short_pause_and_is_rejected_during_a_long_one() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        gate = Throttle(ADAPTIVE)
        gate.pause_for(3)
        await answer(gate, RateSignal())
        after_short = clock()
        gate.pause_for(30)
        with pytest.raises(TransientError) as caught:
            await answer(gate, RateSignal())

        assert after_short == pytest.approx(3, abs=0.01)
        assert clock() == after_short
        assert caught.value.retry_after_s == pytest.approx(30)

    in_virtual_time(main)


def test_after_the_last_request_of_a_window_the_account_waits_for_the_next_one() -> None:
    async def main() -> None:
        gate = Throttle(ADAPTIVE)
        await answer(gate, RateSignal(remaining=0, reset_s=30.0))
        with pytest.raises(TransientError) as foretold:
            await answer(gate, RateSignal())
        await asyncio.sleep(30)
        await answer(gate, RateSignal(remaining=0, reset_s=3600.0))
        with pytest.raises(TransientError) as cut:
            await answer(gate, RateSignal())
        await asyncio.sleep(RESET_PAUSE_MAX_S)
        await answer(gate, RateSignal(is_throttled=True, remaining=0, reset_s=3600.0))
        with pytest.raises(TransientError) as refused:
            await answer(gate, RateSignal())

        assert foretold.value.retry_after_s == pytest.approx(30)
        assert cut.value.retry_after_s == pytest.approx(RESET_PAUSE_MAX_S)
        assert refused.value.retry_after_s == pytest.approx(3600)

    in_virtual_time(main)


def test_a_change_request_is_sent_before_queued_reads() -> None:
    async def main() -> None:
        gate, order = Throttle(SLOWLY), []

        async def look(number: int) -> None:
            async with gate.acquire():
                order.append(f"look {number}")

        async def cancel() -> None:
            with abort_unless(lambda: True):
                async with gate.acquire():
                    order.append("cancel")

        looks = [asyncio.create_task(look(number)) for number in range(3)]
        await asyncio.sleep(0.5)
        await asyncio.gather(asyncio.create_task(cancel()), *looks)

        assert order == ["look 0", "cancel", "look 1", "look 2"]

    in_virtual_time(main)


def test_the_repeat_of_a_request_is_sent_before_queued_requests() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        gate = Throttle(SLOWLY)
        async with gate.acquire():
            other = asyncio.create_task(answer(gate, RateSignal()))
            await asyncio.sleep(0)
            await gate.acquire_repeat()
            repeated_at = clock()
        await other

        assert repeated_at == pytest.approx(1, abs=0.01)
        assert clock() == pytest.approx(2, abs=0.01)

    in_virtual_time(main)


def test_a_queued_request_that_is_cancelled_uses_no_rate_and_no_slot() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        gate = Throttle(SLOWLY)
        await answer(gate, RateSignal())
        given_up = [asyncio.create_task(answer(gate, RateSignal())) for _ in range(5)]
        await asyncio.sleep(0.5)
        for each in given_up:
            each.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
        await answer(gate, RateSignal())

        assert clock() == pytest.approx(1, abs=0.01)
        assert gate.requests == 2

    in_virtual_time(main)


def test_a_superseded_change_releases_its_slot() -> None:
    async def main() -> None:
        gate = Throttle(SLOWLY)
        with abort_unless(lambda: False), pytest.raises(SupersededError):
            await answer(gate, RateSignal())
        await answer(gate, RateSignal())

        assert gate.requests == 1

    in_virtual_time(main)


def test_no_burst_is_sent_after_a_pause() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        gate, sent_at = Throttle(ADAPTIVE), []

        async def note() -> None:
            async with gate.acquire():
                sent_at.append(clock())

        gate.pause_for(2)
        await asyncio.gather(*(note() for _ in range(3)))

        assert sent_at == pytest.approx([2.0, 2.1, 2.2], abs=0.01)

    in_virtual_time(main)
