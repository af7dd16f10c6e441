"""Random attacks by authors of specs and commits: none affects the specs and jobs of other authors.

Each repository contains the trees and commit messages of a few authors, and a team that has its own account. `--seed N`
repeats one repository, and `--long` tries ten times as many. `RECONCILE_COMMAND` names another build.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.support.cli import RECONCILE
from tests.support.hostile_commits import MESSAGES
from tests.support.hostile_host import Host
from tests.support.hostile_provider import provider
from tests.support.hostile_repository import JOBS, HostileRepository
from tests.support.hostile_run import ALL, AUTHORS, WAYS, attack

ORDINARY, REPOSITORIES, LONG = 8, 340, 3_340
TREES_MIN = 2_000
FAILED_MAX = 5


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileRepository]:
    with provider(JOBS) as accounts, Host(RECONCILE[: RECONCILE.index("-m")]) as host:
        repository = HostileRepository(tmp_path_factory.mktemp("repository"), accounts, host)
        repository.lay_out()
        yield repository


def test_hostile_trees_and_messages_affect_nothing_but_their_own_jobs(
    repository: HostileRepository, pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    one = pytestconfig.getoption("--seed")
    count = pytestconfig.getoption("--seeds") or (LONG if pytestconfig.getoption("--long") else ORDINARY)
    seeds = range(count) if one is None else [one]
    begun = time.perf_counter()
    failed: list[str] = []
    kinds: Counter[str] = Counter()
    ways: Counter[str] = Counter()
    for seed in seeds:
        run = attack(repository, seed)
        kinds.update(run.kinds)
        ways[run.way] += 1
        failed += [run.transcript()] if run.wrong else []
        if len(failed) >= FAILED_MAX:
            break

    assert not failed, "\n\n".join(failed)
    trees = len(seeds) * AUTHORS
    record_property(
        "hostile authors",
        f"{trees:,} trees of {len(kinds)} kinds (each at least {min(kinds.values())} times) and {trees:,} messages of "
        f"{len(MESSAGES)} kinds, in {len(seeds):,} repositories and {len(ways)} ways: no command run, no file changed, "
        f"no key shown, no other team's job touched ({time.perf_counter() - begun:.0f} s)",
    )
    assert len(seeds) < REPOSITORIES or (
        trees >= TREES_MIN and kinds.keys() == ALL.keys() and ways.keys() == WAYS.keys()
    )
