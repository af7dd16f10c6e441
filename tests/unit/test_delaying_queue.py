"""The delaying queue: each key is in it at most once, at its earliest time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.delaying_queue import DelayingQueue

ADDED = st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 100)))


@given(ADDED, st.floats(0, 100))
def test_due_keys_are_removed_once_and_all_other_keys_stay_in_the_queue(
    added: list[tuple[str, float]], now: float
) -> None:
    queue: DelayingQueue[str] = DelayingQueue()
    for key, at in added:
        queue.add(key, at)
    earliest = {key: min(at for each, at in added if each == key) for key, _ in added}

    due = queue.pop_due(now)

    assert due == {key for key, at in earliest.items() if at <= now}
    assert {key: at for at, key in queue.waiting()} == {k: at for k, at in earliest.items() if at > now}
    assert queue.pop_due(now) == frozenset()


def test_adding_a_key_with_a_later_time_does_not_delay_it() -> None:
    queue: DelayingQueue[str] = DelayingQueue()
    queue.add("a", 5)
    queue.add("a", 9)

    assert queue.next_at() == 5
    assert len(queue) == 1


def test_a_dropped_key_is_not_due_and_can_be_added_again_with_a_later_time() -> None:
    queue: DelayingQueue[str] = DelayingQueue()
    queue.add("a", 5)
    queue.drop("a")
    queue.add("a", 9)

    assert "a" in queue
    assert queue.pop_due(8) == frozenset()
    assert queue.next_at() == 9


def test_a_key_is_removed_early_only_with_a_due_key_of_the_same_kind() -> None:
    queue: DelayingQueue[str] = DelayingQueue()
    queue.add("a1", 5)
    queue.add("a2", 9, earliest=4)
    queue.add("a3", 9, earliest=6)
    queue.add("b1", 9, earliest=4)

    alone = queue.pop_due(4, kind=lambda key: key[0])
    together = queue.pop_due(5, kind=lambda key: key[0])

    assert alone == frozenset()
    assert together == {"a1", "a2"}
    assert queue.next_at() == 9


def test_a_dropped_key_is_not_removed_with_a_due_key_of_the_same_kind() -> None:
    queue: DelayingQueue[str] = DelayingQueue()
    queue.add("a1", 5)
    queue.add("a2", 9, earliest=4)
    queue.drop("a2")

    assert queue.pop_due(5, kind=lambda key: key[0]) == {"a1"}
