"""Select the tests of an ordinary run, which takes minutes. With `--long`, every test is run.

- A test that is marked `long` is left out.
- Of a parametrized test that is marked `sampled(n)`, `n` cases are run: the first case, and further cases at equal
  distances.
- Of a parametrized test that is marked `sampled(each="name")`, one case is run for each value of this parameter. The
  cases take turns: the first one of the first value, the second one of the second value, and so on.
- Of a test of the provider contract with more than `WHOLE_MAX` cases, each provider runs a few cases, and the next
  provider continues with the next cases. So each provider runs each test, and several providers run each case.

Tests that are selected by name, with `::` or `-k`, are all run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import pytest

from reconciler.testing import ProviderContract

LEFT_OUT = pytest.StashKey[Sequence[pytest.Item]]()
"""The tests that this run left out, in the stash of its configuration."""
WHOLE_MAX = 2
"""The maximum number of cases of a test of the contract that each provider runs all."""
PARTS = 8
"""Each provider runs one of so many parts of the other tests of the contract, but at least two cases."""


def is_ordinary(config: pytest.Config) -> bool:
    """Return whether this run leaves out the tests that take a long time."""
    is_named = bool(config.getoption("keyword")) or any("::" in each for each in config.args)
    return not (config.getoption("--long") or is_named)


def left_out(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that an ordinary run leaves out."""
    found = []
    cases: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    contract: defaultdict[str, defaultdict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        if item.get_closest_marker("long") is not None:
            found.append(item)
        elif item.get_closest_marker("sampled") is not None:
            cases[_name(item)].append(item)
        elif (provider := contract_of(item)) is not None:
            contract[provider][_name(item)].append(item)
    for each in cases.values():
        found += _others(each, _sample_of(each))
    for turn, tests in enumerate(contract.values()):
        for each in tests.values():
            found += _others(each, rotated(len(each), turn))
    return found


def contract_of(item: pytest.Item) -> str | None:
    """Return the name of the provider whose contract this test belongs to, or None."""
    class_ = getattr(item, "cls", None)
    if class_ is None or not issubclass(class_, ProviderContract) or not hasattr(ProviderContract, _test(item)):
        return None
    return f"{class_.__module__}.{class_.__qualname__}"


def sample(count: int, number: int) -> Sequence[int]:
    """Return at most `number` positions out of `count`, at equal distances, beginning with the first."""
    return [at * count // number for at in range(number)] if number < count else range(count)


def in_turn(values: Sequence[object]) -> Sequence[int]:
    """Return one position of each of the values: the first of the first value, the second of the second, and so on."""
    places: dict[object, list[int]] = {}
    for at, value in enumerate(values):
        places.setdefault(value, []).append(at)
    return [found[turn % len(found)] for turn, found in enumerate(places.values())]


def rotated(count: int, turn: int) -> Sequence[int]:
    """Return the positions out of `count` that the provider with the number `turn` runs."""
    number = max(2, count // PARTS)
    return range(count) if count <= WHOLE_MAX else [(turn * number + at) % count for at in range(number)]


def _sample_of(items: Sequence[pytest.Item]) -> Sequence[int]:
    marker = items[0].get_closest_marker("sampled")
    assert marker is not None
    if "each" in marker.kwargs:
        return in_turn([id(vars(item)["callspec"].params[marker.kwargs["each"]]) for item in items])
    return sample(len(items), marker.args[0])


def _others(items: Sequence[pytest.Item], chosen: Iterable[int]) -> Iterable[pytest.Item]:
    return (item for at, item in enumerate(items) if at not in {*chosen})


def _name(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _test(item: pytest.Item) -> str:
    return _name(item).rpartition("::")[2]
