"""Whether a measure of a long run grows: a leak is found, and noise and outliers are not leaks."""

from __future__ import annotations

import random

import pytest

from tests.night_run.trend import Measure, leak, slope, trend

MEMORY = Measure("memory", "MiB", is_total=False, share=0.1, plus=4)
LINES = Measure("lines", "", is_total=True, share=0.25, plus=2)
PERIOD_S = 600.0
TIMES = [15.0 * each for each in range(241)]
"""The times of the samples of an hour."""


def test_a_leak_of_a_third_in_an_hour_grows() -> None:
    leak = trend(MEMORY, [(at, 100 + 35 * at / 3600) for at in TIMES], PERIOD_S)

    assert leak.grows
    assert (round(leak.first), round(leak.second), round(leak.rise)) == (109, 126, 29)


def test_noise_and_a_few_outliers_do_not_grow() -> None:
    rng = random.Random(1)  # noqa: S311  repeatable
    noise = [(at, 100 + rng.uniform(-5, 5) + (400 if at > 3500 else 0)) for at in TIMES]

    assert not trend(MEMORY, noise, PERIOD_S).grows


def test_a_wave_with_the_period_of_the_workload_does_not_grow() -> None:
    wave = [(at, 100 + (80 if at % PERIOD_S < 60 else 0)) for at in TIMES]

    assert abs(trend(MEMORY, wave, PERIOD_S).rise) < 1


def test_a_total_that_rises_evenly_does_not_grow_and_one_that_accelerates_does() -> None:
    even = trend(LINES, [(at, 30 * at / 60) for at in TIMES], PERIOD_S)
    faster = trend(LINES, [(at, 30 * at / 60 * (1 + at / 3600)) for at in TIMES], PERIOD_S)

    assert (round(even.first), round(even.second), even.grows) == (30, 30, False)
    assert faster.grows


def test_a_run_that_is_too_short_to_compare_its_halves_is_an_error() -> None:
    with pytest.raises(ValueError, match="cover 3 periods, but must cover at least 4"):
        trend(MEMORY, [(at, 1.0) for at in TIMES if at <= 3 * PERIOD_S], PERIOD_S)


def test_the_slope_of_points_on_a_line_is_that_of_the_line_despite_an_outlier() -> None:
    points = [(float(each), 2.0 * each) for each in range(9)]

    assert slope([*points, (9.0, 500.0)]) == 2.0
    assert slope(points[:1]) == 0.0


@pytest.mark.parametrize(
    ("alive", "leaks"),
    [
        ([50, 100, 104, 110, 112, 115, 118, 121], (110, 115)),
        ([50, 100, 101, 100, 100, 101, 100, 101], None),
        ([50, 100, 150, 160, 160, 160, 160, 160], None),
        ([160, 160, 100, 100, 100, 120, 100, 100], None),
        ([0, 0, 0, 0, 1, 2, 3, 4], (0, 2)),
        ([50, 100], None),
    ],
    ids=["grows", "is steady", "fills", "has a peak", "begins late", "too short"],
)
def test_a_type_leaks_if_the_second_half_of_a_night_always_has_more_of_its_objects(
    alive: list[int], leaks: tuple[int, int] | None
) -> None:
    assert leak(alive) == leaks
