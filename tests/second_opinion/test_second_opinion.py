"""A session in each test run, and many with `--long`. Each planted defect must be found."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.second_opinion.planted_defects import PLANTED_DEFECTS, PlantedDefect
from tests.second_opinion.report import Figures, account, transcript
from tests.second_opinion.run_session import run_session
from tests.second_opinion.session import Session

FEW, MANY, BESIDE = 1, 60, 2
TRIES = 15
"""The maximum number of sessions until a planted defect is detected. No session runs every command."""


def test_random_sessions_with_a_faulty_provider_keep_the_documented_promises(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    number = MANY if request.config.getoption("--long") else FEW
    figures, wrong = Figures(), []
    with ThreadPoolExecutor(BESIDE) as pool:
        for session in pool.map(lambda seed: run_session(Session(seed)), range(1, number + 1)):
            figures.add(session)
            if session.violations:
                wrong.append(f"{account(session)}\n{transcript(session)}")
    record_property("second opinion", figures.text().replace("\n", "; "))
    assert not wrong, "\n".join(wrong)
    assert figures.changes.total() > number


@pytest.mark.long
@pytest.mark.parametrize("defect", PLANTED_DEFECTS, ids=lambda defect: defect.name)
def test_the_judge_detects_a_planted_defect(defect: PlantedDefect) -> None:
    found: set[str] = set()
    for seed in range(1, TRIES + 1):
        found |= {each.rule for each in run_session(Session(seed, defect.tamper, defect.after_run, steps=3)).violations}
        if found & defect.rules:
            return
    pytest.fail(f"{defect.name} was not detected, the reported rules are {sorted(found)}")
