"""How a measure of a watch develops over time. Pure.

A measure grows if its trend over the whole time exceeds its tolerance. The trend is the Theil-Sen slope: the median of
the slopes between all pairs of points, so that a few outliers have no influence. Each point is the mean of one period
of the workload, because within a period the faults and the edits of the workload change every measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean, median

from tests.benchmarks.figures import number

HEAD = ("Measure", "First half", "Second half", "Trend over the time", "Tolerance", "Grows")
LEAK_SHARE = 0.02
"""By more than this share the living objects of a type must have increased for a leak."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One quantity: how it is read from a sample, and by how much it may rise.

    `is_total` is whether it only rises by its nature, such as processor time. Then its rate per minute is judged.
    It may rise by `share` of its mean, and by `plus`, over the whole time.
    """

    name: str
    unit: str
    is_total: bool
    share: float
    plus: float


@dataclass(frozen=True, slots=True)
class Trend:
    """The development of a measure: the means of both halves, and the rise over the whole time."""

    measure: Measure
    first: float
    second: float
    rise: float

    @property
    def tolerance(self) -> float:
        """The most that the measure may rise over the whole time."""
        return self.measure.share * abs(self.first) + self.measure.plus

    @property
    def grows(self) -> bool:
        """Whether the measure rises by more than its tolerance."""
        return self.rise > self.tolerance

    def row(self) -> tuple[str, ...]:
        """Return the row of a table with `HEAD`."""
        unit = f"{self.measure.unit} a minute" if self.measure.is_total else self.measure.unit
        name = f"{self.measure.name}, {unit}" if unit else self.measure.name
        figures = (self.first, self.second, self.rise, self.tolerance)
        return (name, *map(number, figures), "yes" if self.grows else "no")


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the Theil-Sen slope of points (x, y) with different x. With fewer than two points it is 0."""
    slopes = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in combinations(points, 2)]
    return median(slopes) if slopes else 0.0


def trend(measure: Measure, samples: Sequence[tuple[float, float]], period_s: float) -> Trend:
    """Return the trend of samples (seconds, value), oldest first.

    Raises `ValueError` if the samples do not cover four periods, because then the halves cannot be compared.
    """
    points = _rates(samples, period_s) if measure.is_total else _means(samples, period_s)
    if len(points) < 4:
        msg = f"{measure.name}: the samples cover {len(points)} periods, but must cover at least 4"
        raise ValueError(msg)
    half = len(points) // 2
    values = [value for _, value in points]
    return Trend(measure, mean(values[:half]), mean(values[-half:]), slope(points) * (points[-1][0] - points[0][0]))


def leak(alive: Sequence[int]) -> tuple[int, int] | None:
    """Return whether a type leaks, whose living objects were counted at the end of each hour, the first hour included.

    The hours after the first are compared, because the product remembers the attempts of an hour. A type leaks if the
    fewest objects of the second half are more than the most of the first half, by more than `LEAK_SHARE`. Return these
    two numbers, or None if it does not leak. With fewer than two hours to compare, nothing leaks.
    """
    later = alive[1:]
    half = len(later) // 2
    if not half:
        return None
    most, fewest = max(later[:half]), min(later[-half:])
    return (most, fewest) if fewest > most * (1 + LEAK_SHARE) else None


def _periods(samples: Sequence[tuple[float, float]], period_s: float) -> list[list[tuple[float, float]]]:
    """Return the samples of each complete period. The first sample of a period is also the last of the one before."""
    began, last = samples[0][0], samples[-1][0]
    found = []
    for at in range(int((last - began) // period_s)):
        since, until = began + at * period_s, began + (at + 1) * period_s
        found.append([each for each in samples if since <= each[0] <= until])
    return [each for each in found if len(each) > 1]


def _means(samples: Sequence[tuple[float, float]], period_s: float) -> list[tuple[float, float]]:
    return [(mean(at for at, _ in each), mean(value for _, value in each)) for each in _periods(samples, period_s)]


def _rates(samples: Sequence[tuple[float, float]], period_s: float) -> list[tuple[float, float]]:
    """Return the rise per minute within each period, at the middle of the period."""
    return [
        ((each[0][0] + each[-1][0]) / 2, 60 * (each[-1][1] - each[0][1]) / (each[-1][0] - each[0][0]))
        for each in _periods(samples, period_s)
    ]
