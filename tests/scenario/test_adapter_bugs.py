"""Bugs in adapters: a bug affects only the call in which it occurs, and no other job or account."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import looptime
import pytest

from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.run_options import ChangeRules, RunOptions
from reconciler.controller.runtime import Runtime, read_only
from reconciler.core.scope import ScopedLimits
from reconciler.core.settle import settle
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusDirectory
from reconciler.model.action import Progress
from reconciler.model.action_record import ActionRecord
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Accepted, AlreadyOver, JobPage, JobRef, ListQuery, ObservedJob, Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Report
from reconciler.model.status import JobStatus
from reconciler.ports import JobReader
from tests.scenario.test_watch_loop import ENVIRONMENT, LOOSE, SLOW, Jobs, TwoAccounts
from tests.support.cli import Checkout
from tests.support.clock import VirtualClock

SLOW_ID = "ftjob-slow-0"


@dataclass(slots=True)
class Buggy(Jobs):
    """An account whose adapter has bugs with some jobs, or with its list."""

    bugs: dict[str, set[str]] = field(default_factory=dict)
    """The jobs with bugs, by call: `get`, `cancel`, `list`."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page, or raise the bug of the list."""
        self._stumble("list", "")
        return await Jobs.list_page(self, query, cursor)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return one job or None, or raise the bug of its retrieve."""
        self._stumble("get", ref.id)
        return await Jobs.get_job(self, ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Cancel one job, or raise its bug."""
        self._stumble("cancel", ref.id)
        return await Jobs.cancel_job(self, ref)

    def _stumble(self, what: str, job_id: str) -> None:
        if job_id in self.bugs.get(what, ()):
            raise KeyError(job_id)


LINES, FIRST_LINE = inspect.getsourcelines(Buggy._stumble)  # noqa: SLF001  a private method of this file
LAST_LINE = FIRST_LINE + len(LINES) - 1
BUG = f"a bug in the provider type: KeyError in test_adapter_bugs.py, line {LAST_LINE}; please report it"


@dataclass(frozen=True, slots=True)
class BuggyAccounts(TwoAccounts):
    """The two opened accounts. With `is_slow_shut`, a bug prevents the second account from being opened."""

    is_slow_shut: bool = False

    async def open(self, target: ResolvedAccount) -> JobReader:
        """Return one of the two accounts, or raise the bug that prevents it from being opened."""
        if self.is_slow_shut and "slow" in target.account.base_url:
            await asyncio.sleep(5)
            raise ZeroDivisionError
        return read_only(await TwoAccounts.open(self, target))


@dataclass(slots=True)
class Scene:
    """A checkout whose specs request the cancel of all jobs of both accounts, except those that are only observed."""

    checkout: Checkout
    main: Buggy
    accounts: BuggyAccounts
    audited: list[ActionRecord] = field(default_factory=list)
    is_audit_buggy: bool = False

    @classmethod
    def of(cls, root: Path, running: int, *, is_slow_shut: bool = False) -> Scene:
        """Return a scene with `running` running jobs in the first account, and one running job in the second."""
        clock = VirtualClock()
        main = Buggy(clock, {f"ftjob-{number:02}": Phase.RUNNING for number in range(running)})
        slow = Jobs(clock, {SLOW_ID: Phase.RUNNING})
        checkout = Checkout(root)
        checkout.write("slow.yaml", SLOW)
        for job_id in main.phases:
            checkout.want(job_id, job_id, provider="openai")
        checkout.want(SLOW_ID, SLOW_ID, provider="slow")
        return cls(checkout, main, BuggyAccounts(main, slow, is_slow_shut))

    def run(self, passes: int = 2) -> list[Report]:
        """Make passes, a minute apart. Return their reports."""

        async def main() -> list[Report]:
            runtime = Runtime(
                specs=SpecsDir(self.checkout.specs, self.checkout.status_dir, LocalDisk(self.checkout.specs), "specs"),
                statuses=StatusDirectory(self.checkout.status_dir, LocalDisk(self.checkout.status_dir)),
                policy=ENVIRONMENT,
                accounts=self.accounts,
                clock=self.main.clock,
                control=self.accounts.control,
                audit=self._audit,
            )
            memory, reports = PassMemory(), []
            for _ in range(passes):
                reports.append(
                    (await reconcile_once(runtime, RunOptions(rules=ChangeRules(ScopedLimits(LOOSE))), memory)).report
                )
                await asyncio.sleep(60)
            return reports

        with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
            return runner.run(main())

    def status(self, name: str) -> JobStatus:
        """Return the parsed status file of a job."""
        return self.checkout.status(name)

    def is_accepted(self, name: str) -> bool:
        """Return whether the request for a job is recorded as accepted."""
        receipt = self.status(name).open_receipt
        return receipt is not None and receipt.accepted_at is not None

    def _audit(self, record: ActionRecord) -> None:
        if self.is_audit_buggy and record.action.ref.id == "ftjob-01":
            raise ZeroDivisionError
        self.audited.append(record)


@pytest.mark.parametrize("running", [3, 30], ids=["retrieved", "listed"])
def test_a_bug_with_one_job_is_reported_for_it_and_all_others_are_cancelled(tmp_path: Path, running: int) -> None:
    scene = Scene.of(tmp_path, running)
    scene.main.bugs["get"] = {"ftjob-01"}
    first, second = scene.run()
    stopped = {name for name, count in scene.main.cancels.items() if count == 1}

    assert stopped == scene.main.phases.keys() - {"ftjob-01"}
    assert all(scene.status(name).is_ready for name in (*stopped, SLOW_ID))
    assert scene.status("ftjob-01").ready.reason is Reason.CANNOT_OBSERVE_PROVIDER
    assert [row.unobserved.message for row in second.rows if row.unobserved] == [BUG]
    assert {*first.errors, *second.errors} == {f"ftjob-01: {BUG}"}
    assert second.exit_codes == {ExitCode.SOFTWARE, ExitCode.PROVIDER_UNOBSERVED}
    assert all(each.unobserved is None for each in second.accounts)


def test_a_bug_in_a_list_is_an_error_of_its_account_only(tmp_path: Path) -> None:
    scene = Scene.of(tmp_path, 30)
    scene.main.bugs["list"] = {""}
    *_, report = scene.run()

    assert scene.main.cancels == {}
    assert scene.status(SLOW_ID).is_ready
    assert report.errors == (f"openai https://api.openai.com/v1: {BUG}",)


def test_a_bug_while_opening_an_account_is_reported_and_does_not_stop_another(tmp_path: Path) -> None:
    scene = Scene.of(tmp_path, 3, is_slow_shut=True)
    *_, report = scene.run()

    assert scene.main.cancels == dict.fromkeys(scene.main.phases, 1)
    assert all(scene.status(name).is_ready for name in scene.main.phases)
    assert scene.status(SLOW_ID).ready.reason is Reason.CANNOT_OBSERVE_PROVIDER
    assert [each.unobserved.message for each in report.accounts if each.unobserved] == [
        each.partition(": ")[2] for each in report.errors
    ]
    assert report.exit_codes == {ExitCode.SOFTWARE, ExitCode.PROVIDER_UNOBSERVED}


def test_a_bug_in_one_request_is_reported_for_its_job_and_all_others_are_settled(tmp_path: Path) -> None:
    scene = Scene.of(tmp_path, 3)
    scene.main.bugs["cancel"] = {"ftjob-01"}
    first, *_ = scene.run(passes=1)
    rows = {row.name: row.progress for row in first.rows}

    assert rows.pop("ftjob-01") is Progress.UNANSWERED
    assert set(rows.values()) == {Progress.ACCEPTED}
    assert all(scene.is_accepted(name) for name in rows)
    assert [each.split(": ")[0] for each in first.errors] == ["ftjob-01"]


def test_a_bug_in_the_audit_log_does_not_stop_outcomes_from_being_recorded(tmp_path: Path) -> None:
    scene = Scene.of(tmp_path, 3)
    scene.is_audit_buggy = True
    first, *_ = scene.run(passes=1)

    assert all(scene.is_accepted(name) for name in (*scene.main.phases, SLOW_ID))
    assert [each.split(": ")[0] for each in first.errors] == ["ftjob-01"]


def test_a_bug_while_an_outcome_is_settled_leaves_that_intent_open_and_settles_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(intent: JobStatus, *rest: Any) -> JobStatus:
        if intent.name == "ftjob-01":
            raise ZeroDivisionError
        return settle(intent, *rest)

    monkeypatch.setattr("reconciler.controller.send_request.settle", stumble)
    scene = Scene.of(tmp_path, 3)
    first, *_ = scene.run(passes=1)

    assert not scene.is_accepted("ftjob-01")
    assert all(scene.is_accepted(name) for name in ("ftjob-00", "ftjob-02"))
    assert [each.split(": ")[0] for each in first.errors] == ["ftjob-01"]
