"""How the costs grow from one size to the next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tests.benchmarks.figures import growth_exponent, number
from tests.benchmarks.passes import Sized
from tests.support.markdown_table import table

MICROSECONDS = 1_000_000


def growth(sizes: Sequence[Sized]) -> str:
    """Return a table of the CPU per spec at each size, and the exponents of CPU and of peak memory between sizes.

    CPU excludes the imports.
    """
    steps = list(pairwise(sizes))
    head = (
        "Program",
        *(f"CPU per spec at {each.size:,}, µs" for each in sizes),
        *(f"CPU exponent, {small.size:,} → {large.size:,}" for small, large in steps),
        *(f"Memory exponent, {small.size:,} → {large.size:,}" for small, large in steps),
    )
    rows = []
    for name in sizes[0].costs:
        each_spec = [number(each.costs[name].beyond.cpu_s / each.size * MICROSECONDS) for each in sizes]
        cpu = [
            growth_exponent(small.costs[name].beyond.cpu_s, large.costs[name].beyond.cpu_s, large.size / small.size)
            for small, large in steps
        ]
        memory = [
            growth_exponent(small.costs[name].whole.peak_mib, large.costs[name].whole.peak_mib, large.size / small.size)
            for small, large in steps
        ]
        rows.append((name, *each_spec, *map(number, cpu), *map(number, memory)))
    return table(head, *rows)
