"""What must be true of every run. None of these asks our own code's opinion: they see a `History` and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.scenario.history import History
from tests.scenario.oracles.convergence import wrong_ending
from tests.scenario.oracles.fault_isolation import asked_in_vain, kept_waiting, withheld
from tests.scenario.oracles.health import ailing, boastful, ready_too_soon, unready
from tests.scenario.oracles.liveness import hung, overlooked, unheeded, unstopped
from tests.scenario.oracles.mass_disappearance import believed_suspects
from tests.scenario.oracles.reported_outcomes import said_accepted, said_by_whom, said_ended, unjudged
from tests.scenario.oracles.request_deadlines import tardy
from tests.scenario.oracles.requests import (
    hasty,
    impatient,
    restless,
    unasked,
    unbraked,
    uneconomical,
    unlooked,
)
from tests.scenario.oracles.status_freshness import misjudged, outdated, unpublished
from tests.scenario.oracles.statuses import (
    buggy,
    forgotten,
    leaked,
    lost,
    malformed,
    thrown_away,
    ungrounded,
    unremembered,
    untrue,
    wrongly_ready,
)
from tests.scenario.oracles.unreadable_files import written_over

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
    unremembered,
    lost,
    thrown_away,
    leaked,
    buggy,
    withheld,
    kept_waiting,
    asked_in_vain,
    said_accepted,
    said_ended,
    said_by_whom,
    unjudged,
    written_over,
)
SETTLED: tuple[Oracle, ...] = (restless, wrong_ending)
"""For runs that end with a calm that is long enough."""
OF_PASSES: tuple[Oracle, ...] = (
    unlooked,
    ungrounded,
    withheld,
    kept_waiting,
    asked_in_vain,
    unjudged,
    written_over,
)
"""What is told of whole passes. In a watch an account may be at work for longer than a pass, so that an answer of an
earlier one is ground enough, and a pass is about some jobs alone."""
IN_TIME: tuple[Oracle, ...] = (
    tardy,
    ready_too_soon,
    unready,
    boastful,
    ailing,
    outdated,
    unpublished,
    misjudged,
    hung,
    overlooked,
    unheeded,
    unstopped,
)
"""For watches: they think in time."""
OF_A_WATCH = (*(each for each in ALWAYS if each not in OF_PASSES), *IN_TIME, wrong_ending)


def verdict(history: History, oracles: tuple[Oracle, ...] = ALWAYS + SETTLED) -> list[str]:
    """Return everything that is wrong with a run, each with the oracle that says so."""
    return [f"{oracle.__name__}: {each}" for oracle in oracles for each in oracle(history)]
