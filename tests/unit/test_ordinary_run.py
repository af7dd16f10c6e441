"""The tests that an ordinary run leaves out."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.conftest import FIRST
from tests.support.markdown_table import ROOT
from tests.support.ordinary_run import PARTS, WHOLE_MAX, in_turn, rotated, sample

pytest_plugins = ["pytester"]

FILE = """
import pytest

@pytest.mark.long
def test_long():
    pass

@pytest.mark.sampled(2)
@pytest.mark.parametrize("number", range(5))
def test_many(number):
    pass

@pytest.mark.sampled(each="letter")
@pytest.mark.parametrize("letter", "abc")
@pytest.mark.parametrize("digit", range(4))
def test_pairs(letter, digit):
    pass

def test_short():
    pass
"""
MARKERS = "[pytest]\nmarkers =\n    long: takes long\n    sampled(n, each): a sample is run\n"
CONFTEST = """
from tests.conftest import pytest_addoption, pytest_collection_modifyitems
"""


@pytest.mark.parametrize(
    ("count", "number", "chosen"), [(5, 2, [0, 2]), (4, 4, [0, 1, 2, 3]), (3, 9, [0, 1, 2]), (9, 3, [0, 3, 6])]
)
def test_a_sample_is_spread_evenly(count: int, number: int, chosen: list[int]) -> None:
    assert list(sample(count, number)) == chosen


@pytest.mark.parametrize(
    ("values", "chosen"), [("aabb", [0, 3]), ("abab", [0, 3]), ("aaabbbccc", [0, 4, 8]), ("abc", [0, 1, 2])]
)
def test_the_cases_of_consecutive_values_take_turns(values: str, chosen: list[int]) -> None:
    assert list(in_turn(values)) == chosen


@pytest.mark.parametrize("count", range(1, 70))
def test_consecutive_providers_run_every_case_of_a_test_of_the_contract(count: int) -> None:
    turns = [rotated(count, turn) for turn in range(2 * PARTS)]

    assert {at for turn in turns for at in turn} == {*range(count)}
    assert all(len({*turn}) == len(turn) >= min(count, 2) for turn in turns)
    assert count > WHOLE_MAX or all(len(turn) == count for turn in turns)


@pytest.mark.parametrize(
    ("arguments", "passed", "deselected"),
    [
        ((), 6, 13),
        (("--long",), 19, 0),
        (("-k", "long"), 1, 18),
        (("test_file.py::test_long",), 1, 0),
        (("test_file.py::test_many",), 5, 0),
    ],
    ids=["ordinary", "long", "by keyword", "by name", "every case by name"],
)
def test_a_run_leaves_out_long_tests_unless_they_are_selected(
    pytester: pytest.Pytester, arguments: tuple[str, ...], passed: int, deselected: int
) -> None:
    pytester.makepyfile(test_file=FILE)
    pytester.makeconftest(CONFTEST)
    pytester.makefile(".ini", pytest=MARKERS)
    ran = pytester.runpytest_inprocess("-p", "no:looptime_plugin", *arguments)

    ran.assert_outcomes(passed=passed, deselected=deselected)


def test_the_files_that_are_run_first_exist() -> None:
    assert set(FIRST) <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}


def test_the_test_commands_in_contributing_name_existing_files() -> None:
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8").replace("\\\n", "")
    commands = re.findall(r"-m pytest (-q [^`#\n]*)", text)
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\n' {' '.join(commands)}"], capture_output=True, text=True, check=True
    ).stdout.split()
    named = {word.removeprefix("--ignore=") for word in words if "tests/" in word}

    assert "tests/unit/test_walk.py" in named
    assert [name for name in named if not (ROOT / name).exists()] == []
