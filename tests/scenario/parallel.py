"""A function of many arguments, called on all processors if the calls take longer than the start of the processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

A = TypeVar("A")
R = TypeVar("R")

FEW = 50
"""So many calls take about as long as the imports of new processes."""
AT_ONCE = 4
"""The number of calls that a process gets at a time, because calls differ in length."""


def in_parallel(function: Callable[[A], R], arguments: Sequence[A]) -> Iterable[R]:
    """Return the results in the order of the arguments. A few calls are made in this process."""
    if len(arguments) <= FEW:
        return [function(each) for each in arguments]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        return [*pool.map(function, arguments, chunksize=AT_ONCE)]
