"""Shadow mode: it decides and reports as usual, and requests no change."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.controller.build_report import PassResult
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.run_options import RunOptions
from reconciler.controller.wait import Goal, judge
from reconciler.core.past_attempts import PastAttempts
from reconciler.core.shadow import reported_at
from reconciler.errors import Delivered, TransientError
from reconciler.formats.status_writer import render_status
from reconciler.model.action import Progress
from reconciler.model.change_window import ChangeWindow, Period
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import JobPage, JobRef, ListQuery, ObservedJob, Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import HistoryEntry, JobStatus
from reconciler.views.row_state import JobState, row_state
from tests.support.attempt_counts import counts
from tests.support.build import ACCOUNT, NOW, a_job, a_spec, a_status
from tests.support.clock import in_virtual_time
from tests.support.in_memory import HandClock, World
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    PausableAccount,
    a_revision,
    a_world,
    an_account,
    controlled,
    named_specs,
)
from tests.support.subjects import HOUR, MINUTE
from tests.support.watch_in_memory import running_watch

SHADOW, REAL = RunOptions(is_shadow=True), RunOptions()
WOULD = {Reason.WOULD_CANCEL: "cancel", Reason.WOULD_PAUSE: "pause", Reason.WOULD_RESUME: "resume"}


@dataclass
class Passes:
    """Passes a minute apart over one account, each in a process of its own."""

    account: InMemoryAccount
    specs: list[FineTuningJob]
    world: World = field(init=False)

    def __post_init__(self) -> None:
        """Create the world with these specs."""
        self.world = a_world(self.account, *self.specs)

    def make(self, options: RunOptions = SHADOW, **runtime: Any) -> PassResult:
        """Make a pass, and advance the clock by a minute."""
        result = asyncio.run(reconcile_once(controlled(self.world, **runtime), options, PassMemory()))
        self.world.clock.moment += MINUTE
        return result

    @property
    def statuses(self) -> dict[str, JobStatus]:
        """The statuses on the disk, by name."""
        return {each.name: each for each in self.world.statuses.jobs.values()}

    @property
    def reasons(self) -> dict[str, Reason]:
        """The reason of each status."""
        return {name: each.ready.reason for name, each in self.statuses.items()}


def of(*names: str, **spec: Any) -> Passes:
    return Passes(an_account(*(f"ftjob-{name}" for name in names)), named_specs(*names, **spec))


def test_shadow_mode_reports_a_cancel_and_writes_no_receipt() -> None:
    passes = of("chat")
    result = passes.make()
    (row,), status = result.report.rows, passes.statuses["chat"]

    assert passes.account.changes == []
    assert passes.world.journal.attempts == ()
    assert (status.ready.reason, status.receipts) == (Reason.WOULD_CANCEL, ())
    assert status.ready.message == "shadow mode: the cancel is not requested"
    assert (row.progress, row_state(row).job_state) == (Progress.WITHHELD, JobState.WITHHELD)
    assert result.report.is_shadow
    assert result.report.exit_code is ExitCode.OK
    assert judge(row, Goal.SETTLED)


@pytest.mark.parametrize(
    ("wanted", "phase", "reason"),
    [
        ("cancelled", Phase.RUNNING, Reason.WOULD_CANCEL),
        ("paused", Phase.RUNNING, Reason.WOULD_PAUSE),
        ("running", Phase.PAUSED, Reason.WOULD_RESUME),
    ],
)
def test_each_verb_has_its_own_reason_and_is_requested_once_after_shadow_mode(
    wanted: str, phase: Phase, reason: Reason
) -> None:
    account = PausableAccount({"ftjob-chat": a_job(phase, id="ftjob-chat")})
    passes = Passes(account, named_specs("chat", desiredState=wanted))
    passes.make()
    reported = passes.reasons
    for _ in range(3):
        passes.make(REAL)

    assert reported == {"chat": reason}
    assert account.changes == [f"{WOULD[reason]} ftjob-chat"]
    assert passes.statuses["chat"].is_ready


def test_a_later_pass_in_shadow_mode_changes_no_status() -> None:
    passes = of("chat", "code")
    passes.make()
    before = dict(passes.world.statuses.jobs)
    second = passes.make()

    assert passes.world.statuses.jobs == before
    assert second.report.transitions == ()
    assert [row.progress for row in second.report.rows] == [Progress.WITHHELD, Progress.WITHHELD]


def test_the_pass_after_shadow_mode_requests_each_change_at_once_with_one_attempt() -> None:
    passes = of("chat", "code")
    passes.make()
    passes.make(REAL)
    requested = list(passes.account.changes)
    receipts = [status.receipts[0] for status in passes.statuses.values()]
    passes.make(REAL)

    assert requested == ["cancel ftjob-chat", "cancel ftjob-code"]
    assert [(each.attempts, each.requested_at) for each in receipts] == [(1, NOW + MINUTE)] * 2
    assert passes.account.changes == requested
    assert passes.reasons == {"chat": Reason.CANCELLED, "code": Reason.CANCELLED}


def test_a_change_that_was_reported_within_a_window_stays_reported_when_the_window_closes() -> None:
    closed = ChangeWindow("night", is_deny=True, when=Period(NOW + MINUTE, NOW + HOUR))
    options, passes = replace(SHADOW, windows=(closed,)), of("chat")
    passes.make(options)
    before = passes.statuses
    passes.make(options)
    during = passes.statuses
    passes.world.clock.moment = NOW + HOUR
    passes.make(options)

    assert before["chat"].ready.reason is Reason.WOULD_CANCEL
    assert before == during == passes.statuses


def test_a_spec_that_no_longer_wants_the_change_ends_its_report() -> None:
    passes = of("chat")
    passes.make()
    passes.world.specs.revision = a_revision(*named_specs("chat", desiredState="observed"))
    passes.make()

    assert passes.reasons == {"chat": Reason.AS_DESIRED}


def test_shadow_mode_confirms_an_open_receipt_and_repeats_no_request() -> None:
    passes = of("chat")
    lost = TransientError("no answer", delivered=Delivered.UNKNOWN)
    passes.account.broken["cancel ftjob-chat"] = lost
    passes.make(REAL)
    asked = list(passes.account.changes)
    for _ in range(3):
        passes.make()
    withheld = passes.statuses["chat"]
    passes.account.jobs["ftjob-chat"] = a_job(Phase.CANCELLED, id="ftjob-chat", finished_at=NOW)
    passes.make()

    assert passes.account.changes == asked == ["cancel ftjob-chat"]
    assert withheld.open_receipt is not None
    assert (withheld.ready.reason, withheld.open_receipt.attempts) == (Reason.WOULD_CANCEL, 1)
    assert passes.statuses["chat"].receipts[0].confirmed_at is not None
    assert passes.reasons == {"chat": Reason.CANCELLED}


def test_the_guard_refuses_in_shadow_mode_what_it_would_refuse() -> None:
    names = [f"job-{number}" for number in range(8)]
    passes = of(*names)
    result = passes.make()

    assert set(passes.reasons.values()) == {Reason.REFUSED_BY_GUARD}
    assert result.report.exit_code is ExitCode.REFUSED
    assert passes.account.changes == []


def test_the_guard_counts_a_withheld_change_for_an_hour_and_no_longer_once_shadow_mode_ends() -> None:
    history = (
        HistoryEntry(NOW - 5 * MINUTE, Phase.RUNNING, Reason.WOULD_CANCEL),
        HistoryEntry(NOW - 9 * MINUTE, Phase.QUEUED, Reason.WOULD_CANCEL),
        HistoryEntry(NOW - HOUR, Phase.QUEUED, Reason.AS_DESIRED),
        HistoryEntry(NOW - 2 * HOUR, Phase.QUEUED, Reason.WOULD_PAUSE),
    )
    statuses = (a_status(history=history),)

    assert [at for at, _ in reported_at(statuses[0])] == [NOW - 9 * MINUTE, NOW - 2 * HOUR]
    assert counts(PastAttempts(statuses, is_shadow=True), (), NOW) == {str(ACCOUNT): 1}
    assert counts(PastAttempts(statuses), (), NOW) == {}


def test_a_row_of_a_list_alone_reports_no_change() -> None:
    names = [f"job-{number:02}" for number in range(40)]
    passes = of(*names, desiredState="running", limits={"maxAge": "1h"})
    jobs = passes.account.jobs
    over = replace(jobs["ftjob-job-07"], created_at=NOW - 2 * HOUR, as_of=NOW)
    passes.account.hidden["ftjob-job-07"] = replace(over, phase=Phase.SUCCEEDED, provider_status="succeeded")
    stale = _StaleList(jobs | {"ftjob-job-07": over}, hidden=passes.account.hidden)
    passes.world.accounts.readers = {ACCOUNT: stale}
    passes.make()

    assert stale.pages
    assert passes.reasons["job-07"] is not Reason.WOULD_CANCEL


class _StaleList(InMemoryAccount):
    """An account whose list is outdated for the jobs in `hidden`."""

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        self.ask(ref.id)
        return self.hidden.get(ref.id) or self.jobs.get(ref.id)


# A week

HALF_HOUR = timedelta(minutes=30)
WEEK = timedelta(days=7)
ENDS = {f"ftjob-job-{number:02}": NOW + timedelta(hours=7 * number) for number in range(20, 30)}
"""The jobs that succeed by themselves during the week, with their times."""
PAUSED = {"desiredState": "paused"}
EDITS: tuple[tuple[float, dict[str, dict[str, Any]]], ...] = (
    (5.0, {"job-00": {"desiredState": "cancelled"}, "job-01": {"desiredState": "cancelled"}}),
    (5.5, {f"job-{number:02}": {"desiredState": "cancelled"} for number in range(11, 18)} | {"job-02": PAUSED}),
    (30.0, {f"job-{number:02}": {"desiredState": "cancelled"} for number in range(3, 11)}),
    (31.0, {f"job-{number:02}": {} for number in range(3, 11)}),
    (55.0, {"job-04": {"desiredState": "cancelled", "suspend": True}}),
    (80.0, {"job-04": {"desiredState": "cancelled"}, "job-25": {"desiredState": "cancelled"}}),
    (120.0, {"job-19": {"desiredState": "cancelled"}}),
    (130.0, {"job-30": {"limits": {"notAfter": "2026-11-29T20:00:00Z"}}}),
)
"""The edits of the week: the hour, and the new specs by name. Before them, each spec wants its job to run."""
NAMES = [f"job-{number:02}" for number in range(31)]


@dataclass
class WeekAccount(PausableAccount):
    """An account with a clock, some of whose jobs succeed by themselves."""

    clock: HandClock = field(default_factory=HandClock)

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return a page of jobs as they are now."""
        self._end_jobs()
        page = await super().list_page(query, cursor)
        return replace(page, jobs=tuple(replace(job, as_of=self.clock.now()) for job in page.jobs))

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return a job as it is now."""
        self._end_jobs()
        job = await super().get_job(ref)
        return job and replace(job, as_of=self.clock.now())

    def _end_jobs(self) -> None:
        for job_id, at in ENDS.items():
            if at <= self.clock.now() and self.jobs[job_id].phase is Phase.RUNNING:
                job = replace(self.jobs[job_id], phase=Phase.SUCCEEDED, provider_status="succeeded")
                self.jobs[job_id] = replace(job, finished_at=at, fine_tuned_model="the model")


@dataclass
class Week:
    """What happened in a week. Each change has the time of its pass."""

    changes: list[tuple[datetime, str]] = field(default_factory=list)
    """The changes that were requested."""
    reported: list[tuple[datetime, str]] = field(default_factory=list)
    """The changes that transitions to a reason of shadow mode report."""
    refused: list[tuple[datetime, str]] = field(default_factory=list)
    """The jobs whose change the guard refused."""
    exit_codes: list[frozenset[ExitCode]] = field(default_factory=list)
    statuses: dict[str, JobStatus] = field(default_factory=dict)


def a_week(options: RunOptions) -> Week:
    """Make a pass every half hour for a week, each in a process of its own, with these edits between them."""
    jobs = {f"ftjob-{name}": a_job(id=f"ftjob-{name}", created_at=NOW - HOUR, model="m") for name in NAMES}
    passes, week, edits = Passes(WeekAccount(jobs), []), Week(), list(EDITS)
    account, world = passes.account, passes.world
    assert isinstance(account, WeekAccount)
    account.clock = world.clock
    specs: dict[str, dict[str, Any]] = {name: {} for name in NAMES}
    while (now := world.clock.now()) < NOW + WEEK:
        while edits and NOW + timedelta(hours=edits[0][0]) <= now:
            specs |= edits.pop(0)[1]
        wanted = {name: {"jobId": f"ftjob-{name}", "desiredState": "running"} | spec for name, spec in specs.items()}
        world.specs.revision = a_revision(*(a_spec(name, **spec) for name, spec in wanted.items()))
        account.asked.clear()
        report = passes.make(options).report
        week.changes += [(now, each) for each in account.changes]
        for each in report.transitions:
            reason, before = each.after.ready.reason, each.before.ready.reason if each.before else None
            if reason in WOULD and before is not reason:
                week.reported.append((now, f"{WOULD[reason]} ftjob-{each.name}"))
            if reason is Reason.REFUSED_BY_GUARD and before is not reason:
                week.refused.append((now, each.name))
        week.exit_codes.append(report.exit_codes)
        world.clock.moment = now + HALF_HOUR
    week.statuses = passes.statuses
    return week


def test_a_week_in_shadow_mode_differs_from_a_real_week_only_by_its_requests() -> None:
    real, shadow = a_week(REAL), a_week(SHADOW)
    changed = {what.rpartition(" ")[2].removeprefix("ftjob-") for _, what in real.changes}
    left_alone = sorted(real.statuses.keys() - changed)

    assert shadow.changes == []
    assert len(real.changes) == len(changed) == 14
    assert shadow.reported == real.changes
    assert real.reported == []
    assert len(real.refused) == 16
    assert shadow.refused == real.refused
    assert shadow.exit_codes == real.exit_codes
    assert not any(status.receipts for status in shadow.statuses.values())
    assert [shadow.statuses[each] for each in left_alone] == [real.statuses[each] for each in left_alone]
    assert [render_status(shadow.statuses[each]) for each in left_alone] == [
        render_status(real.statuses[each]) for each in left_alone
    ]


def test_a_watch_in_shadow_mode_reports_an_edit_at_once() -> None:
    async def main() -> None:
        wanted = named_specs("chat", "code", desiredState="observed")
        async with running_watch(*wanted, options=SHADOW) as watch:
            await asyncio.sleep(1000.0)
            watch.want(*named_specs("chat"), *named_specs("code", desiredState="observed"), paths={"bots.yaml"})
            await asyncio.sleep(1.0)
            at_once = watch.reason("chat")
            await asyncio.sleep(1000.0)

            assert at_once is watch.reason("chat") is Reason.WOULD_CANCEL
            assert watch.reason("code") is Reason.AS_DESIRED
            assert watch.account.changes == []
            assert watch.health.overview.report.is_shadow

    in_virtual_time(main)
