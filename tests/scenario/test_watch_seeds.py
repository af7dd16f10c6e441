"""Watches from seeds: what the loop that runs for ever owes at each moment, whatever goes wrong around it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.scenario.seed_runner import complaint, complaints, judge_all, tell_watch

WATCHES = 40


def test_no_watch_breaks_a_law_or_a_promise(
    pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    one = pytestconfig.getoption("--watch")
    if one is not None:
        history, wrong = tell_watch(one)

        assert not wrong, complaint(one, wrong, history.lines(), "watch")
        return
    count = pytestconfig.getoption("--watches") or (300 if pytestconfig.getoption("--long") else WATCHES)
    begun = time.perf_counter()
    tally = judge_all(range(count), tell_watch)
    record_property("watched", f"{tally} ({time.perf_counter() - begun:.0f} s)")

    assert not tally.wrong, complaints(tally, tell_watch, "watch")
