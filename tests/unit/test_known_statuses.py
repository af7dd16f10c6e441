"""`known` computes the statuses after own writes from those before them. The result equals that of a new search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from reconciler.local.disk import LocalDisk
from reconciler.local.status_store import StatusDirectory
from reconciler.model.job import Phase
from reconciler.model.status import JobStatus
from reconciler.ports import StoredStatuses
from tests.support.build import a_status
from tests.unit.test_status_store import AWAY

NAMES, FOLDERS, PHASES = ("a", "b", "c"), ("", "team/"), (Phase.RUNNING, Phase.QUEUED)
STATUSES = st.builds(
    lambda name, folder, phase: a_status(name, source=f"{folder}{name}.yaml", phase=phase, final=False),
    st.sampled_from(NAMES),
    st.sampled_from(FOLDERS),
    st.sampled_from(PHASES),
)
ACTS: tuple[Callable[[StatusDirectory, JobStatus], object], ...] = (
    lambda store, status: store.write(status, durable=False),
    lambda store, status: store.write_all([status], are_intents=True),
    lambda store, status: store.restore(status),
    lambda store, status: store.remove(status),
    lambda store, _: store.known(),
    lambda store, _: store.load(),
    lambda store, _: store.write_provider(AWAY),
)


def in_order(stored: StoredStatuses) -> StoredStatuses:
    """Return the statuses of jobs in the order of their names, because a search finds them in that of their paths."""
    return StoredStatuses(jobs=tuple(sorted(stored.jobs, key=lambda each: each.name)), providers=stored.providers)


@given(st.lists(st.tuples(st.sampled_from(ACTS), STATUSES), max_size=12))
def test_the_known_statuses_are_those_on_the_disk_after_any_writes_and_removals(
    steps: list[tuple[Callable[[StatusDirectory, JobStatus], object], JobStatus]],
) -> None:
    with TemporaryDirectory() as directory:
        store = StatusDirectory(Path(directory), LocalDisk(Path(directory)))
        for act, status in steps:
            act(store, status)
        new = StatusDirectory(Path(directory), LocalDisk(Path(directory)))

        assert in_order(store.known()) == in_order(new.load())
