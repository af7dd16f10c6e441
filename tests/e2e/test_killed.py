"""A real process on a real disk, killed by SIGKILL right before one of its effects and then started again.

The simulator does this at every effect of a larger run, with a disk that also loses unsynced data. Here, the kernel
kills the process.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model.status import Outcome
from tests.support.cli import Checkout, run_crashing
from tests.support.sandbox_client import Sandbox

RUN = ("--once", "--wait")
EVERY = 10
"""One of this many effects is tried, or with `--long` each of them."""


def a_checkout(root: Path, sandbox: Sandbox, job_id: str) -> Checkout:
    checkout = Checkout(root, sandbox.environ)
    root.mkdir()
    checkout.name_provider()
    checkout.want("runaway", job_id)
    return checkout


def test_a_run_after_a_kill_before_any_effect_reaches_the_same_end_state(
    tmp_path: Path,
    shared_sandbox: Sandbox,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    (first,) = shared_sandbox.create(1)
    code, effects = run_crashing(a_checkout(tmp_path / "lives", shared_sandbox, first), 0, *RUN)
    points = range(1, len(effects) + 1, 1 if pytestconfig.getoption("--long") else EVERY)

    assert code == 0
    assert sum(each.startswith("POST") for each in effects) == 1
    for number, job_id in zip(points, shared_sandbox.create(len(points)), strict=True):
        checkout = a_checkout(tmp_path / f"dies-before-{number}", shared_sandbox, job_id)
        died, before = run_crashing(checkout, number, *RUN)
        again = checkout.run(*RUN)
        status = checkout.status("runaway")

        assert died == -signal.SIGKILL
        assert len(before) == number - 1
        end = (again.code, status.final, status.receipts[0].outcome)
        assert end == (0, True, Outcome.CANCELLED), effects[number - 1]
        assert shared_sandbox.cancels(job_id) == [job_id], "the cancel is sent once, whichever effect the kill preceded"
        assert list(checkout.status_dir.rglob(".*.tmp")) == []
    record_property("killed by SIGKILL", f"before {len(points)} of the {len(effects)} effects of a real process")
