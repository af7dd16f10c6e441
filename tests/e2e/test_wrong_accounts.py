"""Wrong observations, whatever is wrong with the account: no job is cancelled, forgotten or reported as ready.

Each case is tried without statuses, and with the statuses of a run that had observed the jobs. The server that hangs is
in `test_hanging.py`, because its deadline needs virtual time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from tests.e2e.conftest import a_checkout
from tests.support.cli import Checkout, started_sandbox
from tests.support.sandbox_client import Sandbox

WANTED = 25
"""A number of jobs that is too large for retrieves, so that a list is read."""
STRANGERS = 100
"""A number of jobs for which the list has a second page. The oldest jobs are on it."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of an account, and the message that the user sees."""

    sentence: str
    code: int = 69
    faults: tuple[dict[str, Any], ...] = ()
    environ: dict[str, str] = field(default_factory=dict)


TROUBLES = {
    "wrong-key": Trouble("AuthenticationFailed", environ={"OPENAI_API_KEY": "sk-another"}),
    "no-key": Trouble("OPENAI_API_KEY is not set", code=78, environ={"OPENAI_API_KEY": ""}),
    "wrong-url": Trouble("check the base URL", faults=({"fault": "wrong-body-404"},)),
    "a-list-that-breaks-off": Trouble("ObservationIncomplete", faults=({"fault": "partial-page", "page": 2},)),
}


@dataclass(frozen=True, slots=True)
class Team:
    """Two checkouts with the same specs: one never ran, and the other one observed every job."""

    fresh: Checkout
    informed: Checkout
    job_ids: list[str]


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, shared_sandbox: Sandbox) -> Team:
    """Return checkouts that request the cancel of every job. The second one has observed all of them before."""
    ids = shared_sandbox.create(WANTED)
    shared_sandbox.create(STRANGERS)
    fresh, informed = (a_checkout(tmp_path_factory.mktemp(name), shared_sandbox) for name in ("fresh", "informed"))
    for number, job_id in enumerate(ids):
        informed.want(f"job-{number:02}", job_id, "observed")
    assert informed.run("--once").code == 0
    for number, job_id in enumerate(ids):
        for checkout in (fresh, informed):
            checkout.want(f"job-{number:02}", job_id)
    return Team(fresh, informed, ids)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_unknown_jobs_in_a_wrong_account_are_neither_cancelled_nor_ready(
    team: Team, sandbox: Sandbox, trouble: Trouble, tmp_path: Path
) -> None:
    checkout = team.fresh.copy_to(tmp_path)
    sandbox.break_with(*trouble.faults)

    ran = checkout.run("--once", "--allow-cancels", "25", "--timeout", "0s", **trouble.environ)

    assert ran.code == trouble.code, ran
    assert trouble.sentence in ran.out
    assert "as desired" not in ran.out
    assert sandbox.cancels(*team.job_ids) == []


@pytest.mark.sampled(2)
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_known_jobs_missing_from_a_wrong_account_keep_their_statuses(
    team: Team, sandbox: Sandbox, trouble: Trouble, tmp_path: Path
) -> None:
    checkout = team.informed.copy_to(tmp_path)
    sandbox.break_with(*trouble.faults)

    ran = checkout.run("--once", "--allow-cancels", "25", "--timeout", "0s", **trouble.environ)
    statuses = [checkout.status(f"job-{number:02}") for number in range(WANTED)]

    assert ran.code == trouble.code, ran
    assert sandbox.cancels(*team.job_ids) == []
    assert {status.phase for status in statuses} == {Phase.VALIDATING_FILES}
    assert not any(status.is_ready for status in statuses)
    assert {status.ready.reason for status in statuses} == {Reason.CANNOT_OBSERVE_PROVIDER}


@pytest.fixture(scope="module")
def another_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Checkout, Sandbox, list[str]]]:
    """Yield a checkout that observed three running jobs, and an account at the same address that has none of them."""
    root = tmp_path_factory.mktemp("project")
    with ExitStack() as stack:
        url = stack.enter_context(started_sandbox(root, "--port", "0"))
        sandbox = Sandbox(url)
        checkout = a_checkout(root, sandbox)
        ids = sandbox.create(3)
        for number, job_id in enumerate(ids):
            checkout.want(f"job-{number}", job_id, "observed")
        assert checkout.run("--once").code == 0
        stack.close()
        port = url.removesuffix("/v1").rpartition(":")[2]
        stack.enter_context(started_sandbox(root, "--port", port))
        for number, job_id in enumerate(ids):
            checkout.want(f"job-{number}", job_id)
        yield checkout, sandbox, ids


def test_ids_that_are_all_unknown_are_reported_as_a_typo_or_a_wrong_account(
    another_world: tuple[Checkout, Sandbox, list[str]], tmp_path: Path
) -> None:
    checkout, sandbox, ids = another_world
    fresh = checkout.copy_to(tmp_path)
    for status in fresh.status_dir.iterdir():
        status.unlink()

    ran = fresh.run("--once", "--wait")

    assert ran.code == 1
    assert (
        ran.out.count("the provider has no job with this id: check spec.jobId for a typo, and check the account") == 3
    )
    assert sandbox.cancels(*ids) == []
    assert fresh.status("job-0").is_stalled


def test_jobs_that_all_vanish_at_once_are_a_suspect_observation_and_keep_their_statuses(
    another_world: tuple[Checkout, Sandbox, list[str]], tmp_path: Path
) -> None:
    checkout, sandbox, ids = another_world
    informed = checkout.copy_to(tmp_path)

    ran = informed.run("--once", "--wait")

    assert ran.code == 69
    assert "ObservationSuspect" in ran.out
    assert "3 of 3 unfinished jobs are missing, so the key, project or URL may be wrong" in ran.out
    assert sandbox.cancels(*ids) == []
    assert informed.status("job-0").phase is Phase.VALIDATING_FILES
    assert not informed.status("job-0").is_ready
