"""What is remembered about each spec from pass to pass."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.controller.per_spec import SpecOrder
from reconciler.controller.resolved_spec import ResolvedSpec


def a_spec(name: str, source: str) -> ResolvedSpec:
    return ResolvedSpec(name, source, None, None, None, None)


PLACES = st.tuples(st.sampled_from("abc"), st.sampled_from("xy"))


@given(st.lists(st.lists(PLACES, max_size=5), max_size=6))
def test_the_order_of_specs_is_by_name_and_file_in_each_revision(revisions: list[list[tuple[str, str]]]) -> None:
    order, known = SpecOrder(), {(name, source): a_spec(name, source) for name in "abc" for source in "xy"}
    for places in revisions:
        specs = [known[place] for place in places]

        assert [places[at] for at in order.of(specs)] == sorted(places)
        assert sorted(order.of(specs)) == list(range(len(specs)))
