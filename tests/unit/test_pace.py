"""How the request rate of an account adapts to what its provider allows. Time is a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.request_rate import LimitedBy
from reconciler.pace import BURST_S, FORGET_AFTER_S, LOW, SLOWEST, START_GAIN_MAX, Pace
from reconciler.ports import Rate
from reconciler.rate_signals import rate_signal
from reconciler.time_headers import retry_after_s
from tests.support.limited_provider import Answer, Hint, LimitedProvider

Record = Callable[[str, object], None]

TEN_MINUTES_S = 600.0
LATENCY_S = 0.08
ADAPTIVE = Rate(requests_per_second_max=math.inf, concurrency_max=64)
WRITTEN = Rate(requests_per_second=2, burst=5, concurrency=4)


def answer_well(pace: Pace, now: float, times: int, *, every_s: float = 1.0) -> float:
    """Report this many successful responses to requests that waited, and return the time after them."""
    for _ in range(times):
        now += every_s
        pace.succeeded(now, has_waited=True, took_s=LATENCY_S)
    return now


def ask_always(
    pace: Pace,
    provider: LimitedProvider,
    from_s: float,
    until_s: float,
    paused_until: float = 0,
    latency_s: float = 0.08,
) -> float:
    """Send as many requests as the pace permits, and return the end of the last pause that the provider requested."""
    numbers, now, under_way, has_waited = count(), from_s, 0, False
    events: list[tuple[float, int, float, bool, bool]] = []
    answers: dict[int, Answer] = {}
    while now < until_s:
        while under_way < pace.at_once and paused_until <= now and pace.wait_s(now) == 0:
            pace.take(now)
            under_way += 1
            heappush(events, (now + latency_s / 2, next(numbers), now, has_waited, False))
            has_waited = False
        has_waited = has_waited or (under_way < pace.at_once and paused_until <= now)
        resumes = max(paused_until, now + pace.wait_s(now)) if under_way < pace.at_once else math.inf
        if not events or resumes < events[0][0]:
            now = max(resumes, now + 1e-5)
            continue
        now, number, sent_at, had_waited, is_back = heappop(events)
        if not is_back:
            answer = provider.answer(now)
            heappush(events, (now + latency_s / 2, number, sent_at, had_waited, True))
            answers[number] = answer
            continue
        under_way -= 1
        status, headers = answers.pop(number)
        signal = rate_signal(status, headers, b"", None)
        if signal.remaining == 0 and signal.reset_s is not None:
            paused_until = max(paused_until, now + signal.reset_s)
        paused_until = max(paused_until, now + (retry_after_s(headers, None) or 0.0))
        if signal.is_throttled:
            pace.throttled(now, sent_at)
        pace.pause(paused_until)
        if not signal.is_throttled:
            pace.succeeded(now, has_waited=had_waited and signal.remaining != 0, took_s=latency_s)
    return paused_until


@pytest.mark.sampled(6)
@pytest.mark.parametrize("hint", Hint)
@pytest.mark.parametrize(("allowed", "latency_s"), [(0.5, 0.08), (2, 0.08), (2, 0.002), (10, 0.08), (100, 0.08)])
def test_the_pace_reaches_most_of_the_rate_that_the_provider_allows(
    hint: Hint, allowed: float, latency_s: float, record_property: Record, pytestconfig: pytest.Config
) -> None:
    """Run for ten minutes. A fast provider runs that long only with `--long`, and otherwise for one minute."""
    provider = LimitedProvider(allowed, hint)
    lasts_s = TEN_MINUTES_S if allowed <= 2 or pytestconfig.getoption("long") else 60.0
    ask_always(Pace(ADAPTIVE, 0.0), provider, 0.0, lasts_s, latency_s=latency_s)
    served = provider.served / lasts_s
    record_property(
        f"{allowed:g} requests a second are allowed for {lasts_s:g} s, latency {latency_s:g} s, hints: {hint.value}",
        f"{served:.2f} a second were served, {provider.refused_part:.1%} of the answers were 429",
    )

    assert served >= 0.8 * allowed
    assert provider.refused_part <= 0.1


@pytest.mark.parametrize("hint", Hint)
def test_the_pace_adapts_to_a_changed_provider_limit(hint: Hint, record_property: Record) -> None:
    pace, provider, now, paused_until, parts = Pace(ADAPTIVE, 0.0), LimitedProvider(2.0, hint), 0.0, 0.0, []
    for allowed in (2, 40, 2):
        provider.per_second = allowed
        paused_until = ask_always(pace, provider, now, now + 60, paused_until)  # while the pace adapts
        before = provider.served
        paused_until = ask_always(pace, provider, now + 60, now + 200, paused_until)
        parts.append((provider.served - before) / 140 / allowed)
        now += 200
    used = ", ".join(f"{each:.0%}" for each in parts)
    record_property(
        f"2, then 40, then 2 a second are allowed, hints: {hint.value}",
        f"{used} of it was used, {provider.refused_part:.1%} of the answers were 429",
    )

    assert min(parts) >= 0.8
    assert provider.refused_part <= 0.1


def test_without_a_rate_limit_the_pace_starts_at_ten_per_second_and_eight_at_once() -> None:
    pace = Pace(ADAPTIVE, 0.0)

    assert (pace.per_second(0), pace.at_once) == (10, 8)
    assert pace.limited_by(0) is LimitedBy.NOTHING


def test_the_pace_grows_without_a_fixed_ceiling_while_responses_succeed() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    now = answer_well(pace, 0.0, 1000, every_s=0.01)

    assert pace.per_second(now) > 500
    assert pace.at_once == 64


@pytest.mark.parametrize("took_s", [0.02, 0.1, 0.4])
def test_until_the_first_request_is_throttled_the_pace_doubles_in_the_time_of_a_response(took_s: float) -> None:
    pace, now = Pace(ADAPTIVE, 0.0), 0.0
    while pace.per_second(now) < 10_000:
        now += 1 / pace.per_second(now)
        pace.succeeded(now, has_waited=True, took_s=took_s)

    assert 5 * took_s < now < 0.1 + 12 * took_s, "the first request waits 0.1 s, and then ten doublings follow"


def test_the_first_throttled_request_was_sent_at_half_of_the_pace_and_ends_the_quick_rise() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    now = answer_well(pace, 0.0, 100)
    risen = pace.per_second(now)
    pace.throttled(now, now)
    throttled = pace.per_second(now)
    pace.throttled(now + 1, now + 1)
    again = pace.per_second(now + 1)
    later = answer_well(pace, now + 1, 1)

    assert (throttled, again) == (risen / 4, risen / 8)
    assert pace.per_second(later) <= risen / 4


@pytest.mark.parametrize("took_s", [0.0, 1e-6])
def test_one_response_raises_the_pace_by_a_limited_amount(took_s: float) -> None:
    pace = Pace(ADAPTIVE, 0.0)
    pace.succeeded(1.0, has_waited=True, took_s=took_s)

    assert pace.per_second(1.0) == 10 + START_GAIN_MAX


def test_responses_to_requests_that_did_not_wait_do_not_raise_the_pace() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    for second in range(1000):
        pace.succeeded(float(second), has_waited=False, took_s=LATENCY_S)

    assert pace.per_second(1000) == 10


def test_a_configured_rate_limit_is_not_exceeded_even_after_throttling() -> None:
    pace = Pace(WRITTEN, 0.0)
    now = answer_well(pace, 0.0, 1000)
    before = pace.per_second(now)
    pace.throttled(now, now)
    halved = pace.per_second(now)
    now = answer_well(pace, now, 1000)

    assert (before, halved, pace.per_second(now)) == (2, 1, 2)
    assert pace.limited_by(now) is LimitedBy.CEILING or pace.limited_by(now) is LimitedBy.THROTTLING


def test_throttled_responses_to_concurrent_requests_halve_the_pace_once() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    for _ in range(8):
        pace.throttled(1.1, 1.0)
    once = pace.per_second(1.1)
    pace.throttled(2.0, 1.5)

    assert (once, pace.per_second(2.0)) == (5, 2.5)
    assert pace.limited_by(2.0) is LimitedBy.THROTTLING


def test_the_burst_of_a_throttled_account_is_limited() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    pace.throttled(1.0, 1.0)
    sent = 0
    while pace.wait_s(100.0) == 0:
        pace.take(100.0)
        sent += 1

    assert sent == max(1, int(10 * BURST_S))


def test_after_throttling_the_pace_recovers_quickly_to_near_the_limit_and_then_slowly() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    answer_well(pace, 0.0, 1)
    pace.throttled(10.0, 10.0)
    at_most = pace.per_second(10.0) * 2
    soon = answer_well(pace, 10.0, 8)
    near = pace.per_second(soon)
    later = answer_well(pace, soon, 15)

    assert 0.9 * at_most <= near < at_most
    assert pace.per_second(later) < 1.1 * at_most


def test_permanent_throttling_slows_the_pace_to_its_minimum_and_success_restores_it() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    answer_well(pace, 0.0, 1)
    for minute in range(100):
        pace.throttled(60.0 * minute + 10, 60.0 * minute + 10)
    worst = pace.per_second(6000)
    now = answer_well(pace, 6000.0, 9)

    assert worst == SLOWEST
    assert pace.per_second(now) >= 4, "nine responses restore at least half of the earlier pace"


def test_an_idle_account_recovers_its_pace_after_throttling() -> None:
    """A watch sends few requests, none of which waits for the pace. A cancel that is wanted later must not wait."""
    pace = Pace(ADAPTIVE, 0.0)
    pace.succeeded(0.0, has_waited=False, took_s=LATENCY_S)
    for minute in range(30):
        pace.throttled(60.0 * minute, 60.0 * minute)
        pace.succeeded(60.0 * minute + 1, has_waited=False, took_s=LATENCY_S)
    throttled_at = 60.0 * 29
    slow = pace.per_second(throttled_at + FORGET_AFTER_S - 1)
    recovered_at = throttled_at + FORGET_AFTER_S

    assert slow < 0.1
    assert pace.per_second(recovered_at) == 10
    assert pace.limited_by(recovered_at) is LimitedBy.NOTHING


def test_a_limit_is_not_forgotten_while_every_request_is_throttled() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    pace.succeeded(0.0, has_waited=False, took_s=LATENCY_S)
    pace.throttled(1.0, 1.0)

    assert pace.per_second(1.0 + 10 * FORGET_AFTER_S) == 5
    assert pace.is_blocked


def test_a_recovered_pace_does_not_exceed_a_configured_rate_limit() -> None:
    pace = Pace(WRITTEN, 0.0)
    pace.throttled(0.0, 0.0)
    pace.succeeded(1.0, has_waited=False, took_s=LATENCY_S)

    assert pace.per_second(2 * FORGET_AFTER_S) == WRITTEN.requests_per_second


def test_the_pace_recovers_to_the_rate_that_the_provider_reports() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    pace.throttled(1.0, 1.0, allowed_per_second=2.0)
    now = answer_well(pace, 1.0, 10)

    assert 1.8 <= pace.per_second(now) <= 2.1


def test_the_last_requests_of_a_long_window_are_spread_over_it() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    pace.window(0.0, remaining=LOW, reset_s=80.0)
    spread, why = pace.per_second(1.0), pace.limited_by(1.0)
    pace.window(2.0, remaining=100, reset_s=60.0)

    assert spread == pytest.approx(LOW / 80)
    assert why is LimitedBy.HEADERS
    assert pace.per_second(3.0) == 10


def test_a_short_window_or_one_with_many_requests_left_does_not_slow_the_pace() -> None:
    pace = Pace(ADAPTIVE, 0.0)
    pace.window(0.0, remaining=1, reset_s=1.0)
    pace.window(0.0, remaining=LOW + 1, reset_s=3600.0)

    assert pace.per_second(0.1) == 10


MOMENTS = st.lists(
    st.tuples(st.floats(0.0, 30.0), st.sampled_from(["well", "unhurried", "refused", "late refusal", "told"])),
    max_size=80,
)
RATES = st.builds(
    Rate,
    requests_per_second=st.floats(0.1, 1000),
    burst=st.integers(1, 100),
    concurrency=st.integers(1, 64),
    requests_per_second_max=st.none() | st.just(math.inf),
    concurrency_max=st.none() | st.integers(1, 64),
)


@given(rate=RATES, moments=MOMENTS)
def test_the_pace_stays_within_its_bounds_for_any_responses(rate: Rate, moments: list[tuple[float, str]]) -> None:
    """The pace stays between its minimum and its ceiling, and no more is sent than the burst and the pace allow."""
    pace, now, sent, allowed = Pace(rate, 0.0), 0.0, 0, float(rate.burst)
    ceiling = rate.requests_per_second_max or rate.requests_per_second
    for gap_s, what in moments:
        before = pace.per_second(now)
        now += gap_s
        allowed += gap_s * max(before, pace.per_second(now))
        while sent < 10_000 and pace.wait_s(now) == 0:
            pace.take(now)
            sent += 1
        held = pace.per_second(now)
        match what:
            case "refused" | "late refusal":
                pace.throttled(now, now if what == "refused" else now - 100)
                assert pace.per_second(now) <= held
            case "told":
                pace.window(now, 3, 60.0)
            case _:
                pace.succeeded(now, has_waited=what == "well", took_s=LATENCY_S)
                assert pace.per_second(now) >= min(held, ceiling)

        assert min(SLOWEST, 3 / 60) <= pace.per_second(now) <= ceiling
        assert min(rate.concurrency, 1) <= pace.at_once <= max(rate.concurrency, rate.concurrency_max or 0)
    assert sent <= allowed + 1
