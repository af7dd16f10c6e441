"""The tests that an ordinary run leaves out."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.conftest import FIRST
from tests.support.markdown_table import ROOT
from tests.support.ordinary_run import sample

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

def test_short():
    pass
"""
MARKERS = "[pytest]\nmarkers =\n    long: takes long\n    sampled(n): a sample is run\n"
CONFTEST = """
from tests.conftest import pytest_addoption, pytest_collection_modifyitems
"""


@pytest.mark.parametrize(
    ("count", "number", "chosen"), [(5, 2, [0, 2]), (4, 4, [0, 1, 2, 3]), (3, 9, [0, 1, 2]), (9, 3, [0, 3, 6])]
)
def test_a_sample_is_spread_evenly(count: int, number: int, chosen: list[int]) -> None:
    assert list(sample(count, number)) == chosen


@pytest.mark.parametrize(
    ("arguments", "passed", "deselected"),
    [
        ((), 3, 4),
        (("--long",), 7, 0),
        (("-k", "long"), 1, 6),
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
