"""Two concurrent runs that push, and a person who pushes specs: no commit is lost, and no request is sent twice.

Each run is a fresh clone on a fresh machine, as in CI. `--long` lets the test run for a minute.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.formats.status_parser import parse_status
from tests.support.cli import Checkout, Ran, finished
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox
from tests.support.spec_committer import SpecCommitter, forced, until

SECONDS, SECONDS_LONG = 6, 60
A_THOUGHT_S = 1.5
A_RUN_ENDS_WITHIN_S = 180
RUN = ("--once", "--wait", "--push", "--max-cancels", "10000", "--max-cancels-absolute", "10000")
MODES = {
    "the specs' own branch": ("main", "specs/status/", ()),
    "a branch of their own": ("reconcile-status", "", ("--status-branch", "reconcile-status")),
}


@dataclass(frozen=True, slots=True)
class Runners:
    """Fresh machines, each for one run."""

    root: Path
    remote: Path
    options: tuple[str, ...]
    environ: dict[str, str]
    ran: list[Ran] = field(default_factory=list)

    def run(self) -> None:
        """Clone, and reconcile."""
        root = self.root / str(time.monotonic_ns())
        a_clone(self.remote, root)
        told = {"GIT_TRACE2_EVENT": str(self.root / "trace")}
        with Checkout(root, {**self.environ, **told}).start(*RUN, *self.options) as process:
            self.ran.append(finished(process, A_RUN_ENDS_WITHIN_S))

    def rejected(self) -> int:
        """Return how many pushes of the runs the remote rejected, because another push came first."""
        told = [json.loads(line) for line in (self.root / "trace").read_text(encoding="utf-8").splitlines()]
        pushes = {each["sid"] for each in told if each["event"] == "start" and "push" in each["argv"]}
        return sum(each["event"] == "exit" and each["sid"] in pushes and each["code"] != 0 for each in told)


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
def test_two_runs_and_a_person_lose_no_commit_and_cancel_each_job_once(
    mode: str,
    tmp_path: Path,
    sandbox: Sandbox,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    branch, folder, options = MODES[mode]
    remote = a_remote(tmp_path / "remote.git")
    Clone(remote).git("config", "core.logAllRefUpdates", "always")
    clone = a_clone(remote, tmp_path / "ada")
    committer = SpecCommitter(Checkout(clone.root, sandbox.environ), clone, sandbox)
    committer.checkout.name_provider()
    clone.commit("Name the provider")
    clone.push()
    (tmp_path / "runs").mkdir()
    runners = Runners(tmp_path / "runs", remote, options, sandbox.environ)
    sandbox.break_with({"on": "cancel", "fault": "slow", "for": "0.3s"})
    moment = time.monotonic() + (SECONDS_LONG if request.config.getoption("--long") else SECONDS)
    with ThreadPoolExecutor() as pool:
        working = [pool.submit(until, moment, runners.run, 0.0) for _ in range(2)]
        working.append(pool.submit(until, moment, committer.work, A_THOUGHT_S))
    for each in working:
        each.result()
    runners.run()
    clone.git("fetch", "--quiet", "origin")
    asked = Counter(sandbox.cancels(*committer.jobs))
    attempts = {}
    for number, job_id in enumerate(committer.jobs):
        status = parse_status(clone.git("show", f"origin/{branch}:{folder}job-{number}.yaml") + "\n")
        attempts[job_id] = sum(each.attempts for each in status.receipts)
        assert status.is_ready
        assert status.phase.value == sandbox.phase(job_id)
    touched = clone.git("log", "--author=reconcile", "--format=", "--name-only", f"origin/{branch}").split()
    record_property(
        f"two runs and a person, statuses on {mode}",
        f"{len(runners.ran)} runs, {len(committer.pushed)} commits by the person in {committer.pushes} pushes, "
        f"{len(clone.subjects(f'origin/{branch}'))} commits on the branch, {runners.rejected()} rejected pushes, "
        f"{sum(asked.values())} requests for {len(asked)} jobs",
    )

    assert [ran.err for ran in runners.ran if ran.code != 0] == []
    assert set(asked.values()) == {1}
    assert {job_id: asked[job_id] for job_id in committer.jobs} == attempts
    assert all(path.startswith(folder) and path.endswith(".yaml") for path in touched)
    assert committer.lost() == []
    for name in {"main", branch}:
        assert clone.is_linear(f"origin/{name}")
        assert forced(remote, name) == []
