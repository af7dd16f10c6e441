"""Each test that PROOFS.md names exists, and PROOFS.md names every law and property."""

from __future__ import annotations

import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

from tests.contract.batch_harness import BatchService
from tests.peers.vendor_clients import CLIENTS
from tests.scenario.bugs import BUGS, Bug
from tests.scenario.fault_free_run import differs_from_fault_free_run
from tests.scenario.oracles import ALWAYS, IN_TIME, SETTLED
from tests.scenario.test_seeds import SEEDS
from tests.scenario.test_watch_seeds import WATCHES
from tests.support.guard_walk import GUARD_LAWS
from tests.support.laws import LAWS, LAWS_OF_LATER_DECISIONS
from tests.support.security_mutants import WEAKENED_CHECKS, WeakenedCheck

ROOT = Path(__file__).parent.parent
LATE = 100
"""The seeds from here on are only in long runs."""
TEXT = (ROOT / ".github" / "PROOFS.md").read_text(encoding="utf-8")
PROVERS = {
    each.__name__
    for each in (
        *LAWS,
        *LAWS_OF_LATER_DECISIONS,
        *GUARD_LAWS,
        *ALWAYS,
        *SETTLED,
        *IN_TIME,
        differs_from_fault_free_run,
    )
}
EQUIVALENT = tomllib.loads((ROOT / "tests" / "mutants" / "equivalent.toml").read_text(encoding="utf-8"))["mutant"]
_TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"`([a-z]\w+)`")


def rows(heading: str) -> list[list[str]]:
    """Return the rows of the table below a heading, as cells."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names_of_tests() -> set[str]:
    return {name for path in (ROOT / "tests").rglob("test_*.py") for name in _TEST.findall(path.read_text("utf-8"))}


@pytest.mark.parametrize(("heading", "count"), [("Laws", 8), ("Properties", 22)])
def test_every_law_and_property_refers_to_existing_proofs(heading: str, count: int) -> None:
    table = rows(heading)
    named = {cells[0]: _NAME.findall(cells[2]) for cells in table}

    numbers = [int(number) for number in named]
    assert numbers[:count] == list(range(1, count + 1))
    assert numbers == sorted(numbers)
    assert [number for number, names in named.items() if not names] == []
    assert {name for names in named.values() for name in names} - names_of_tests() - PROVERS == set()


def test_every_attack_refers_to_an_existing_test() -> None:
    named = [_NAME.findall(cells[2]) for cells in rows("Attacks")]

    assert all(named)
    assert {name for names in named for name in names} - names_of_tests() == set()


@pytest.mark.parametrize("weakened", WEAKENED_CHECKS, ids=lambda weakened: weakened.bug.name)
def test_a_weakened_check_matches_the_code_and_refers_to_an_existing_attack(weakened: WeakenedCheck) -> None:
    text = (ROOT / "reconciler" / weakened.bug.file).read_text(encoding="utf-8")

    assert weakened.bug.planted(text) != text
    assert f"def {weakened.attack}(" in (ROOT / weakened.test.partition("::")[0]).read_text(encoding="utf-8")


def test_the_table_of_clients_lists_each_client_with_the_types_that_it_is_tested_with() -> None:
    tested: dict[str, tuple[set[str], set[str]]] = {}
    for client, service in CLIENTS.values():
        jobs_and_batches = tested.setdefault(client.package, (set(), set()))
        jobs_and_batches[isinstance(service, BatchService)].add(service.type)
    listed = {
        _CODE.findall(cells[0])[0]: (set(_CODE.findall(cells[2])), set(_CODE.findall(cells[3])))
        for cells in rows("Clients of the vendors")
    }

    assert listed == tested


def test_every_defect_refers_to_an_existing_proof() -> None:
    named = {name for cells in rows("What this found") for name in _NAME.findall(cells[3])}

    assert named - names_of_tests() - PROVERS == set()


def test_every_law_of_the_walk_and_every_oracle_is_listed_in_a_table() -> None:
    named = {name for heading in ("Laws", "Properties") for cells in rows(heading) for name in _NAME.findall(cells[2])}

    assert PROVERS - named == set()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_matches_the_code(bug: Bug) -> None:
    text = (ROOT / "reconciler" / bug.file).read_text(encoding="utf-8")

    assert bug.planted(text) != text


def test_every_planted_bug_was_caught_and_is_listed_in_the_table() -> None:
    listed = rows("Planted bugs")
    table = {cells[0]: cells[2:] for cells in listed}

    assert list(table) == [bug.name for bug in BUGS], "python -m tests.scenario.plant_bugs --write"
    assert [cells[1] for cells in listed] == [f"`{bug.file}`" for bug in BUGS]
    assert [name for name, caught in table.items() if set(caught) == {"-"}] == []


def test_an_ordinary_run_contains_the_first_seed_that_detects_each_planted_bug() -> None:
    told = [re.search(r"after (\d+)( watches)?$", cells[-1]) for cells in rows("Planted bugs")]
    first = {(bool(each[2]), int(each[1]) - 1) for each in told if each}
    ordinary = {*((False, seed) for seed in SEEDS), *((True, watch) for watch in WATCHES)}

    assert {each for each in first if each[1] < LATE} - ordinary == set()


@pytest.mark.parametrize("entry", EQUIVALENT, ids=lambda entry: entry["function"])
def test_an_equivalent_mutant_names_an_existing_function_and_a_reason(entry: dict[str, str]) -> None:
    assert pkgutil.resolve_name(entry["function"])
    assert entry["why"]
