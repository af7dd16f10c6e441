"""The arithmetic of the figures, and their format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

NONE = "-"
"""The text for a missing figure."""
THREE_DIGITS = 100
TWO_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Used:
    """The resources that one run of a command used."""

    wall_s: float
    cpu_s: float
    peak_mib: float

    def beyond(self, small: Used) -> Used:
        """Return the time beyond a run with almost no work, at least 0. The peak memory is that of this run."""
        return Used(max(0.0, self.wall_s - small.wall_s), max(0.0, self.cpu_s - small.cpu_s), self.peak_mib)

    def plus(self, more: Used) -> Used:
        """Return the sum of this run and additional work. The peak memory is that of this run."""
        return Used(self.wall_s + more.wall_s, self.cpu_s + more.cpu_s, self.peak_mib)

    def times(self, factor: float) -> Used:
        """Return the time for a multiple of the work. The peak memory stays the same."""
        return Used(self.wall_s * factor, self.cpu_s * factor, self.peak_mib)


def median_of(runs: Sequence[Used]) -> Used:
    """Return the median of each figure, independently of the others."""
    return Used(
        median(each.wall_s for each in runs),
        median(each.cpu_s for each in runs),
        median(each.peak_mib for each in runs),
    )


def growth_exponent(small: float, large: float, factor: float) -> float | None:
    """Return the power by which a cost grows while the size grows by a factor: 1 is linear, 2 is quadratic.

    None if a cost is not above zero, because then it is not measurable.
    """
    if small <= 0 or large <= 0:
        return None
    return math.log(large / small) / math.log(factor)


def ratio(cost: float, peer: float) -> str:
    """Return the ratio of a cost to that of a peer, such as `1.50x`; `NONE` if the peer used nothing."""
    return f"{number(cost / peer)}x" if peer > 0 else NONE


def number(value: float | None) -> str:
    """Return a figure with two decimals below 10, one below 100, and none above; `NONE` for None."""
    if value is None:
        return NONE
    if abs(value) >= THREE_DIGITS:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= TWO_DIGITS else f"{value:.2f}"


def with_section(text: str, name: str, body: str) -> str:
    """Return a document with a new text between the comments `name`. Raises `ValueError` if they are missing."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        msg = f"the document has no section {name}: add the lines {begin.strip()} and {end}"
        raise ValueError(msg)
    return f"{before}{begin}{body}\n{end}{after}"
