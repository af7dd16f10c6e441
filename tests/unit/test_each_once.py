"""Computations for each item of a sequence, made again only for the items that have been replaced."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.each_once import EachOnce


class Item:
    """An object with an identity of its own."""

    def __init__(self, number: int) -> None:
        self.number = number


def total(left: Item, right: Item) -> int:
    return left.number + right.number


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5), max_size=8))
def test_the_results_are_those_of_a_new_computation_after_any_changes(versions: list[list[tuple[int, int]]]) -> None:
    items = [Item(number) for number in range(4)]
    totals = EachOnce(total)
    for version in versions:
        lefts, rights = [items[left] for left, _ in version], tuple(items[right] for _, right in version)

        assert list(totals.of(lefts, rights)) == list(map(total, lefts, rights))


def test_only_replaced_items_are_computed_again() -> None:
    computed: list[int] = []

    def number_of(item: Item) -> int:
        computed.append(item.number)
        return item.number

    numbers = EachOnce(number_of)
    items = [Item(number) for number in range(5)]
    before = numbers.of(items)
    computed.clear()

    assert numbers.of(list(items)) is before
    assert computed == []
    assert list(numbers.of([*items[:2], Item(7), *items[3:]])) == [0, 1, 7, 3, 4]
    assert computed == [7]
    assert list(before) == [0, 1, 2, 3, 4]


def test_an_item_that_is_equal_but_another_object_is_computed_again() -> None:
    numbers = EachOnce(lambda _: object())

    assert numbers.of([Item(1)])[0] is not numbers.of([Item(1)])[0]


def test_nothing_but_the_computation_is_called_for_each_of_many_replaced_items() -> None:
    totals, calls, before = EachOnce(total), [], sys.getprofile()
    totals.of(*([Item(number) for number in range(1000)] for _ in range(2)))
    columns = [[Item(number) for number in range(1000)] for _ in range(2)]
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        totals.of(*columns)
    finally:
        sys.setprofile(before)

    assert calls.count("total") == 1000
    assert len(calls) < 1100
