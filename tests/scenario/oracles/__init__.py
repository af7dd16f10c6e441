"""What must be true of every run. None of these asks our own code's opinion: they see a `History` and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.scenario.history import History
from tests.scenario.oracles.ending import wrong_ending
from tests.scenario.oracles.requests import (
    hasty,
    impatient,
    restless,
    unasked,
    unbraked,
    uneconomical,
    unlooked,
)
from tests.scenario.oracles.statuses import (
    buggy,
    forgotten,
    leaked,
    lost,
    malformed,
    thrown_away,
    ungrounded,
    untrue,
    wrongly_ready,
)
from tests.scenario.oracles.suspects import believed_suspects

Oracle = Callable[[History], Iterator[str]]

ALWAYS: tuple[Oracle, ...] = (
    unasked,
    unlooked,
    uneconomical,
    impatient,
    hasty,
    believed_suspects,
    unbraked,
    malformed,
    ungrounded,
    untrue,
    wrongly_ready,
    forgotten,
    lost,
    thrown_away,
    leaked,
    buggy,
)
SETTLED: tuple[Oracle, ...] = (restless, wrong_ending)
"""For runs that end with a calm that is long enough."""


def verdict(history: History, oracles: tuple[Oracle, ...] = ALWAYS + SETTLED) -> list[str]:
    """Return everything that is wrong with a run, each with the oracle that says so."""
    return [f"{oracle.__name__}: {each}" for oracle in oracles for each in oracle(history)]
