"""Days of a watch in virtual time: how often it sends requests and writes, what it survives, and how it stops."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reconciler.controller.build_report import PassResult
from reconciler.controller.health import HealthTracker
from reconciler.controller.read_statuses import read_rows
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.run_options import ChangeRules, RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.controller.watch import GRACE_S, Watch
from reconciler.core.guard import ChangeLimits
from reconciler.core.scope import ScopedLimits
from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.local.credential_policy import Trust
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusDirectory
from reconciler.model.job import Accepted, Account, AlreadyOver, JobPage, JobRef, ListQuery, ObservedJob, Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Report
from reconciler.model.request_rate import RequestRate
from reconciler.model.status import Outcome
from reconciler.model.watch_status import liveness_problems, readiness_problems
from reconciler.ports import Disk, Entry, JobController, JobReader, Rate
from tests.scenario.process import Environment
from tests.support.cli import Checkout
from tests.support.clock import VirtualClock, in_virtual_time
from tests.support.manual_notifier import ManualNotifier

HOUR_S = 3600.0
NO_ANSWER = TransientError("no answer", delivered=Delivered.UNKNOWN)
FORBIDDEN = PermanentError("not yours", kind=Kind.FORBIDDEN)
DENIED = PermanentError("the credential is refused", kind=Kind.DENIED)
NONSENSE = PermanentError("this is not the API that was expected", kind=Kind.INVALID)
BUG = RuntimeError("a bug")
LOOSE = ChangeLimits(max_cancels=1000, max_cancel_percent=100, max_cancels_absolute=1000)
HANGS_S = 45.0
ENVIRONMENT = Environment(Trust.read({"RECONCILE_TRUST": "OPENAI_API_KEY=slow.example.org"}, {}))
SLOW = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: slow}
spec: {type: openai, baseUrl: https://slow.example.org/v1}
"""
SUSPENDED = """\
apiVersion: jobs.reconciler/v1
kind: Settings
metadata: {name: settings}
spec: {suspend: true}
"""


@dataclass(slots=True)
class Jobs:
    """An account whose jobs run until they are cancelled. `trouble` may raise or wait before any response.

    With `is_cancel_lost`, a cancel is accepted and has no effect.
    """

    clock: VirtualClock
    phases: dict[str, Phase] = field(default_factory=dict)
    asked_at: list[float] = field(default_factory=list)
    cancels: Counter[str] = field(default_factory=Counter)
    trouble: Callable[[str], object] | None = None
    is_cancel_lost: bool = False
    forbidden: set[str] = field(default_factory=set)
    """The jobs that must not be retrieved."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page of jobs, after `trouble` has run."""
        await self._meet("list")
        ids = sorted(self.phases)
        begin = ids.index(cursor) + 1 if cursor else 0
        page = ids[begin : begin + query.page_size]
        more = page[-1] if begin + query.page_size < len(ids) else None
        return JobPage(tuple(map(self._job, page)), more)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return one job or None, after `trouble` has run. Raises `FORBIDDEN` for a job in `forbidden`."""
        await self._meet("get")
        if ref.id in self.forbidden:
            raise FORBIDDEN
        return self._job(ref.id) if ref.id in self.phases else None

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Cancel one job, after `trouble` has run."""
        self.cancels[ref.id] += 1
        await self._meet("cancel")
        if not self.is_cancel_lost:
            self.phases[ref.id] = Phase.CANCELLED
        return Accepted()

    async def _meet(self, what: str) -> None:
        self.asked_at.append(self.clock.monotonic())
        if self.trouble is not None:
            result = self.trouble(what)
            if isinstance(result, float):
                await asyncio.sleep(result)

    def _job(self, id_: str) -> ObservedJob:
        return ObservedJob(
            id=id_, phase=self.phases[id_], provider_status=self.phases[id_], finished_at=None, as_of=self.clock.now()
        )


@dataclass(frozen=True, slots=True)
class TwoAccounts:
    """The `Accounts` of a test: every address leads to the same account, except `slow.example.org`."""

    jobs: Jobs
    slow: Jobs

    async def open(self, target: ResolvedAccount) -> JobReader:
        """Return the account at the address of `target`."""
        return self._of(target.account)

    def control(self, account: Account) -> JobController:
        """Return the account whose jobs are to be changed."""
        return self._of(account)

    def apply_rate(self, target: ResolvedAccount) -> None:
        """Do nothing: these accounts have no rate limit."""

    def rate(self, target: ResolvedAccount) -> Rate:
        """Return the rate limit with which the account was resolved."""
        return target.rate

    def request_rates(self) -> Mapping[str, RequestRate]:
        """Return no rates, because no test reads them."""
        return {}

    def requests(self, account: Account) -> int:
        """Return the number of requests of an account."""
        return len(self._of(account).asked_at)

    def _of(self, account: Account) -> Jobs:
        return self.slow if "slow" in account.base_url else self.jobs


class DiskOfWholeSeconds(LocalDisk):
    """A disk on which all changes happen within one tick of its clock."""

    def list(self, path: Path) -> list[Entry]:
        """Return the entries of a directory, all with the same stamp."""
        return [replace(each, stamp=(0,)) for each in super().list(path)]


@dataclass(slots=True)
class RunningWatch:
    """A running watch."""

    checkout: Checkout
    jobs: Jobs
    slow: Jobs
    notifier: ManualNotifier
    health: HealthTracker
    stop: asyncio.Event
    task: asyncio.Future[None]
    passes: list[PassResult]

    def save(self, name: str, state: str, provider: str = "openai") -> None:
        """Save a spec, and notify the watch."""
        self.checkout.want(name, name, state, provider=provider)
        self.notifier.notify()

    def read(self) -> Report:
        """Return the specs and the statuses."""
        checkout = self.checkout
        specs = SpecsDir(checkout.specs, checkout.status_dir, LocalDisk(checkout.specs), "specs")
        statuses = StatusDirectory(checkout.status_dir, LocalDisk(checkout.status_dir))
        snapshot, stored = specs.snapshot(by_content=True), statuses.load(by_content=True)
        return read_rows(snapshot, stored, ENVIRONMENT, None, self.jobs.clock.now())


@asynccontextmanager
async def running_watch(
    root: Path,
    running: int,
    slow: int = 0,
    change_limits: ChangeLimits = LOOSE,
    disk: Callable[[Path], Disk] = LocalDisk,
    tell: Callable[[PassResult], None] | None = None,
    asked: Callable[[], frozenset[str]] = frozenset,
) -> AsyncIterator[RunningWatch]:
    """Run a watch over this many running jobs that are only observed, until the body ends.

    `slow` names the jobs of a second account, which the Provider document `slow` names. `tell` gets the report of each
    pass. `asked` returns the jobs whose retry a person requests now.
    """
    clock = VirtualClock()
    jobs = Jobs(clock, {f"ftjob-{number:04}": Phase.RUNNING for number in range(running)})
    others = Jobs(clock, {f"ftjob-slow-{number:04}": Phase.RUNNING for number in range(slow)})
    checkout = Checkout(root)
    for id_ in jobs.phases:
        checkout.want(id_, id_, "observed", provider="openai")
    if slow:
        checkout.write("slow.yaml", SLOW)
    for id_ in others.phases:
        checkout.want(id_, id_, "observed", provider="slow")
    accounts, notifier, stop = TwoAccounts(jobs, others), ManualNotifier(), asyncio.Event()
    runtime = Runtime(
        specs=SpecsDir(checkout.specs, checkout.status_dir, disk(checkout.specs), "specs"),
        statuses=StatusDirectory(checkout.status_dir, LocalDisk(checkout.status_dir)),
        policy=ENVIRONMENT,
        accounts=accounts,
        clock=clock,
        control=accounts.control,
        is_stopping=stop.is_set,
    )
    health = HealthTracker.beginning(clock.monotonic(), 60)
    passes: list[PassResult] = []
    note = tell or passes.append
    watch = Watch(
        runtime,
        RunOptions(rules=ChangeRules(ScopedLimits(change_limits))),
        notifier,
        lambda: 0.7,
        health,
        lambda result, _: note(result),
        asked,
    )
    task = asyncio.ensure_future(watch.run(stop))
    try:
        yield RunningWatch(checkout, jobs, others, notifier, health, stop, task, passes)
    finally:
        stop.set()
        await task


def raise_no_answer(_: str) -> None:
    raise NO_ANSWER


def raise_denied(_: str) -> None:
    raise DENIED


def raise_nonsense(_: str) -> None:
    raise NONSENSE


def raise_a_bug(_: PassResult) -> None:
    raise BUG


@pytest.mark.long
def test_a_quiet_hour_needs_few_requests_and_writes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=30) as watch:
            await asyncio.sleep(1000)
            before, asked = watch.checkout.traces(), len(watch.jobs.asked_at)
            await asyncio.sleep(HOUR_S)

            assert watch.checkout.traces() == before
            assert (len(watch.jobs.asked_at) - asked) / (HOUR_S / 60) < 30 / 5 * 1.2

    in_virtual_time(main)


def test_a_saved_spec_is_acted_on_at_once_and_soon_confirmed(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=3) as watch:
            await asyncio.sleep(1000)
            watch.checkout.want("ftjob-0001", "ftjob-0001", "cancelled", provider="openai")
            watch.notifier.notify()
            await asyncio.sleep(0.01)
            at_once = dict(watch.jobs.cancels)
            await asyncio.sleep(3)

            assert at_once == {"ftjob-0001": 1}
            assert watch.checkout.status("ftjob-0001").is_ready
            assert watch.jobs.cancels == {"ftjob-0001": 1}

    in_virtual_time(main)


def test_the_scan_finds_a_spec_that_caused_no_file_event(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=3) as watch:
            await asyncio.sleep(1000)
            watch.checkout.want("ftjob-0001", "ftjob-0001", "cancelled", provider="openai")
            await asyncio.sleep(66 + 3)

            assert watch.checkout.status("ftjob-0001").is_ready

    in_virtual_time(main)


def test_the_scan_finds_an_edit_that_left_the_file_stamp_unchanged(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=3, disk=DiskOfWholeSeconds) as watch:
            await asyncio.sleep(1000)
            watch.save("ftjob-0001", "cancelled")
            await asyncio.sleep(0.01)
            at_once = dict(watch.jobs.cancels)
            await asyncio.sleep(66 + 3)

            assert at_once == {}
            assert watch.checkout.status("ftjob-0001").is_ready

    in_virtual_time(main)


def test_a_half_written_file_does_not_affect_other_files(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=2) as watch:
            await asyncio.sleep(10)
            watch.checkout.write("ftjob-0000.yaml", "apiVersion: jobs.reconciler/v1\nkind: Fine")
            watch.checkout.want("ftjob-0001", "ftjob-0001", "cancelled", provider="openai")
            watch.notifier.notify()
            await asyncio.sleep(5)

            assert watch.checkout.status("ftjob-0001").is_ready
            assert watch.jobs.cancels == {"ftjob-0001": 1}

    in_virtual_time(main)


def test_a_long_outage_needs_few_requests_and_one_status_until_its_end_is_observed(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    lasts_s = (4 if pytestconfig.getoption("long") else 1) * HOUR_S

    async def main() -> None:
        async with running_watch(tmp_path, running=3) as watch:
            await asyncio.sleep(100)

            def away(_: str) -> None:
                raise NO_ANSWER

            watch.jobs.trouble = away
            await asyncio.sleep(HOUR_S)
            asked, written = len(watch.jobs.asked_at), watch.checkout.traces()
            await asyncio.sleep(lasts_s)
            during, after = len(watch.jobs.asked_at) - asked, watch.checkout.traces()
            watch.jobs.trouble = None
            await asyncio.sleep(1000)

            assert during < lasts_s / 100
            assert written == after
            assert "specs/status/_providers/openai.yaml" in written
            assert "specs/status/_providers/openai.yaml" not in watch.checkout.traces()

    in_virtual_time(main)


def test_a_job_whose_observation_hit_a_bug_is_observed_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=1) as watch:
            await asyncio.sleep(100)

            def bug(_: str) -> None:
                raise BUG

            watch.jobs.trouble = bug
            await asyncio.sleep(600)
            watch.jobs.trouble = None
            watch.jobs.phases["ftjob-0000"] = Phase.SUCCEEDED
            await asyncio.sleep(200)

            assert watch.checkout.status("ftjob-0000").phase is Phase.SUCCEEDED

    in_virtual_time(main)


def test_a_retry_by_a_person_makes_the_next_attempt_at_once_and_once(tmp_path: Path) -> None:
    job_specs: list[str] = []

    def taken() -> frozenset[str]:
        found = frozenset(job_specs)
        job_specs.clear()
        return found

    async def main() -> None:
        async with running_watch(tmp_path, running=1, asked=taken) as watch:
            watch.jobs.is_cancel_lost = True
            await asyncio.sleep(100)
            watch.save("ftjob-0000", "cancelled")
            await asyncio.sleep(60)
            assert watch.jobs.cancels["ftjob-0000"] == 1
            job_specs.extend(["ftjob-0000", "nosuch"])
            await asyncio.sleep(10)
            assert watch.jobs.cancels["ftjob-0000"] == 2
            await asyncio.sleep(300)
            assert watch.jobs.cancels["ftjob-0000"] == 2

    in_virtual_time(main)


def test_an_observer_of_passes_that_raises_does_not_end_the_watch(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=1, tell=raise_a_bug) as watch:
            await asyncio.sleep(100)
            watch.save("ftjob-0000", "cancelled")
            await asyncio.sleep(100)

            assert watch.checkout.status("ftjob-0000").final
            assert not watch.task.done()

    in_virtual_time(main)


def test_a_hung_observation_and_a_dead_file_watcher_are_reported_within_two_intervals(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=1) as watch:
            clock = asyncio.get_running_loop().time
            await asyncio.sleep(1000)
            well = liveness_problems(watch.health.overview, clock())
            watch.jobs.trouble = lambda _: 500.0
            watch.notifier.is_alive = False
            watch.checkout.want("ftjob-0000", "ftjob-0000", "running", provider="openai")
            watch.notifier.notify()
            await asyncio.sleep(120)
            ill = liveness_problems(watch.health.overview, clock())
            watch.jobs.trouble = None
            watch.notifier.is_alive = True
            await asyncio.sleep(400)

            assert well == ()
            assert [each.split(":")[0] for each in ill] == ["a request or a pass hangs", "the specs are not watched"]
            assert liveness_problems(watch.health.overview, clock()) == ()

    in_virtual_time(main)


@pytest.mark.parametrize(("takes_s", "waits_s", "cancelled"), [(10.0, 10.0, 1), (60.0, GRACE_S, 0)])
def test_a_stop_waits_for_sent_requests_within_the_grace_period_and_sends_no_new_one(
    tmp_path: Path, takes_s: float, waits_s: float, cancelled: int
) -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        async with running_watch(tmp_path, running=2) as watch:
            await asyncio.sleep(1000)
            watch.jobs.trouble = lambda what: takes_s if what == "cancel" else None
            watch.checkout.want("ftjob-0000", "ftjob-0000", "cancelled", provider="openai")
            watch.notifier.notify()
            await asyncio.sleep(0.01)
            watch.checkout.want("ftjob-0001", "ftjob-0001", "cancelled", provider="openai")
            watch.notifier.notify()
            asked_to_stop_at = clock()
            watch.stop.set()
            await watch.task
            receipt = watch.checkout.status("ftjob-0000").receipts[0]

            assert clock() - asked_to_stop_at == pytest.approx(waits_s, abs=0.1)
            assert watch.jobs.cancels == {"ftjob-0000": 1}
            assert (receipt.accepted_at is not None) == bool(cancelled)

    in_virtual_time(main)


def test_an_account_that_hangs_delays_no_other_and_applies_later_edits_once_it_responds(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=2, slow=2) as watch:
            await asyncio.sleep(1000)
            watch.slow.trouble = lambda _: HANGS_S
            watch.save("ftjob-slow-0000", "cancelled", "slow")
            await asyncio.sleep(1)
            watch.save("ftjob-0000", "cancelled")
            await asyncio.sleep(0.01)
            at_once = dict(watch.jobs.cancels)
            watch.save("ftjob-slow-0001", "cancelled", "slow")
            await asyncio.sleep(3)
            proved = watch.checkout.status("ftjob-0000").is_ready
            hanging = dict(watch.slow.cancels)
            watch.slow.trouble = None
            await asyncio.sleep(HANGS_S)

            assert at_once == {"ftjob-0000": 1}
            assert proved
            assert hanging == {}
            assert watch.slow.cancels == {"ftjob-slow-0000": 1, "ftjob-slow-0001": 1}
            assert watch.checkout.status("ftjob-slow-0001").is_ready

    in_virtual_time(main)


@pytest.mark.long
def test_an_account_that_hangs_does_not_slow_the_polling_of_another(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=10, slow=10) as watch:
            await asyncio.sleep(1000)
            asked = len(watch.jobs.asked_at)
            await asyncio.sleep(HOUR_S)
            well = len(watch.jobs.asked_at) - asked
            watch.slow.trouble = lambda _: HANGS_S
            asked = len(watch.jobs.asked_at)
            await asyncio.sleep(HOUR_S)

            assert len(watch.jobs.asked_at) - asked == pytest.approx(well, rel=0.1)

    in_virtual_time(main)


def test_an_account_that_acts_after_a_hang_obeys_the_current_settings(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=1, slow=1) as watch:
            await asyncio.sleep(1000)
            watch.slow.trouble = lambda what: HANGS_S if what == "get" else None
            watch.save("ftjob-slow-0000", "cancelled", "slow")
            await asyncio.sleep(1)
            watch.checkout.write("settings.yaml", SUSPENDED)
            watch.notifier.notify()
            await asyncio.sleep(3 * HANGS_S)

            assert watch.slow.cancels == {}
            assert watch.checkout.status("ftjob-slow-0000").ready.reason is Reason.SUSPENDED

    in_virtual_time(main)


def test_the_guard_counts_requests_made_while_an_account_was_hanging(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(
            tmp_path, running=2, slow=2, change_limits=ChangeLimits(max_cancels_absolute=2)
        ) as watch:
            await asyncio.sleep(1000)
            watch.slow.trouble = lambda what: HANGS_S if what == "get" else None
            watch.save("ftjob-slow-0000", "cancelled", "slow")
            await asyncio.sleep(1)
            watch.save("ftjob-0000", "cancelled")
            watch.save("ftjob-0001", "cancelled")
            await asyncio.sleep(2 * HANGS_S)

            assert watch.jobs.cancels == {"ftjob-0000": 1, "ftjob-0001": 1}
            assert watch.slow.cancels == {}
            assert watch.checkout.status("ftjob-slow-0000").ready.reason is Reason.REFUSED_BY_GUARD

    in_virtual_time(main)


def test_the_guard_counts_pending_requests_of_an_account_that_hangs(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(
            tmp_path, running=2, slow=2, change_limits=ChangeLimits(max_cancels_absolute=2)
        ) as watch:
            await asyncio.sleep(1000)
            watch.slow.trouble = lambda what: HANGS_S if what == "cancel" else None
            watch.save("ftjob-slow-0000", "cancelled", "slow")
            watch.save("ftjob-slow-0001", "cancelled", "slow")
            await asyncio.sleep(1)
            watch.save("ftjob-0000", "cancelled")
            await asyncio.sleep(1)
            is_out = not any(each is Phase.CANCELLED for each in watch.slow.phases.values())

            assert is_out
            assert watch.slow.cancels == {"ftjob-slow-0000": 1, "ftjob-slow-0001": 1}
            assert watch.jobs.cancels == {}
            assert watch.checkout.status("ftjob-0000").ready.reason is Reason.REFUSED_BY_GUARD

    in_virtual_time(main)


def test_a_spec_moved_from_a_hanging_account_keeps_the_receipt_of_its_new_job(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=1, slow=1) as watch:
            await asyncio.sleep(1000)
            watch.slow.trouble = lambda what: HANGS_S if what == "cancel" else None
            watch.save("ftjob-slow-0000", "cancelled", "slow")
            await asyncio.sleep(1)
            watch.jobs.phases["ftjob-9999"] = Phase.RUNNING
            watch.checkout.want("ftjob-slow-0000", "ftjob-9999", provider="openai")
            watch.notifier.notify()
            await asyncio.sleep(2 * HANGS_S)
            status = watch.checkout.status("ftjob-slow-0000")

            assert (watch.slow.cancels, watch.jobs.cancels) == ({"ftjob-slow-0000": 1}, {"ftjob-9999": 1})
            assert status.job is not None
            assert status.job.id == "ftjob-9999"
            assert [each.outcome for each in status.receipts] == [Outcome.CANCELLED]

    in_virtual_time(main)


def test_a_stop_waits_equally_long_for_an_account_that_hangs(tmp_path: Path) -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        async with running_watch(tmp_path, running=1, slow=1) as watch:
            await asyncio.sleep(1000)
            watch.slow.trouble = lambda what: 10.0 if what == "cancel" else None
            watch.save("ftjob-slow-0000", "cancelled", "slow")
            await asyncio.sleep(2)
            asked_to_stop_at = clock()
            ready = readiness_problems(watch.health.overview)
            watch.stop.set()
            await asyncio.sleep(1)
            stopping = readiness_problems(watch.health.overview)
            await watch.task

            assert (ready, stopping) == ((), ("the watch is stopping",))
            assert clock() - asked_to_stop_at == pytest.approx(8, abs=0.1)
            assert watch.checkout.status("ftjob-slow-0000").receipts[0].accepted_at is not None

    in_virtual_time(main)


def oldest_sight(watch: RunningWatch) -> datetime:
    """Return the time of the last observation of the account's least recently observed job."""
    (seen_at,) = watch.health.overview.seen_at.values()
    return seen_at


def test_a_pass_over_other_jobs_does_not_end_a_mass_disappearance(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=40) as watch:
            await asyncio.sleep(1000)
            for id_ in sorted(watch.jobs.phases)[:30]:
                del watch.jobs.phases[id_]
            await asyncio.sleep(330)
            told = (tmp_path / "specs/status/_providers/openai.yaml").read_text(encoding="utf-8")
            seen_at = [oldest_sight(watch)]
            for number in range(35, 38):
                watch.save(f"ftjob-{number:04}", "cancelled")
                await asyncio.sleep(20)
                seen_at.append(oldest_sight(watch))
            unobserved = {
                each.unobserved and each.unobserved.reason
                for result in watch.passes[-8:]
                for each in result.report.accounts
            }

            assert "30 of 40 unfinished jobs are missing" in told
            assert set(watch.jobs.cancels.values()) == {1}
            assert len(watch.jobs.cancels) == 3
            assert len(set(seen_at)) == 1
            assert unobserved == {"ObservationSuspect"}
            assert (tmp_path / "specs/status/_providers/openai.yaml").read_text(encoding="utf-8") == told

    in_virtual_time(main)


@pytest.mark.long
def test_in_a_mass_disappearance_only_the_vanished_jobs_are_unobserved(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=40) as watch:
            await asyncio.sleep(1000)
            gone = sorted(watch.jobs.phases)[:30]
            for id_ in gone:
                del watch.jobs.phases[id_]
            await asyncio.sleep(330)
            in_part = watch.read()
            watch.jobs.trouble = raise_no_answer
            await asyncio.sleep(1500)
            away = watch.read()
            watch.jobs.trouble = None
            await asyncio.sleep(1000)
            again = watch.read()

            assert [row.name for row in in_part.rows if row.unobserved] == gone
            assert [each.jobs for each in in_part.accounts] == [30]
            assert {row.name for row in away.rows if row.unobserved} == {row.name for row in in_part.rows}
            assert [row.name for row in again.rows if row.unobserved] == gone

    in_virtual_time(main)


@pytest.mark.long
def test_a_mass_disappearance_is_no_longer_reported_once_the_jobs_are_observed(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=40) as watch:
            await asyncio.sleep(1000)
            gone = {id_: watch.jobs.phases.pop(id_) for id_ in sorted(watch.jobs.phases)[:30]}
            await asyncio.sleep(330)
            during = oldest_sight(watch)
            watch.jobs.phases.update(gone)
            await asyncio.sleep(1000)

            assert oldest_sight(watch) > during + timedelta(seconds=900)
            assert not (tmp_path / "specs/status/_providers/openai.yaml").exists()
            assert {each.unobserved for each in watch.passes[-1].report.accounts} <= {None}

    in_virtual_time(main)


@pytest.mark.long
def test_one_forbidden_job_does_not_affect_its_account(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=3) as watch:
            await asyncio.sleep(1000)
            watch.jobs.forbidden.add("ftjob-0000")
            await asyncio.sleep(HOUR_S)
            asked = len(watch.jobs.asked_at)
            watch.save("ftjob-0001", "cancelled")
            await asyncio.sleep(HOUR_S)

            assert watch.jobs.cancels == {"ftjob-0001": 1}
            assert len(watch.jobs.asked_at) - asked < 60
            told = (tmp_path / "specs/status/_providers/openai.yaml").read_text(encoding="utf-8")
            assert re.findall(r"ftjob-\d+", told.partition("jobs:")[2]) == ["ftjob-0000"]
            assert {each.unobserved for result in watch.passes for each in result.report.accounts} == {None}

    in_virtual_time(main)


def test_a_cancel_is_not_delayed_by_another_job_that_is_not_due(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=2) as watch:
            await asyncio.sleep(1000)
            watch.jobs.trouble = raise_denied
            watch.save("ftjob-0000", "cancelled")
            await asyncio.sleep(260)  # the other job is polled every five minutes, and was due in this time
            watch.jobs.trouble = None
            await asyncio.sleep(75)

            assert watch.jobs.cancels == {"ftjob-0000": 1}

    in_virtual_time(main)


def test_a_slow_observation_is_dated_at_its_start(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=2) as watch:
            await asyncio.sleep(1000)
            watch.jobs.trouble = lambda _: HANGS_S
            watch.save("ftjob-0000", "running")
            watch.save("ftjob-0001", "running")
            begun_at = watch.jobs.clock.now()
            await asyncio.sleep(4 * HANGS_S)

            assert abs(oldest_sight(watch) - begun_at) < timedelta(seconds=1)

    in_virtual_time(main)


def test_an_account_with_an_invalid_response_for_every_job_is_reported_unobserved(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=3) as watch:
            await asyncio.sleep(100)
            watch.save("ftjob-0001", "running")
            await asyncio.sleep(200)
            watch.jobs.trouble = raise_nonsense
            await asyncio.sleep(900)
            told = (tmp_path / "specs/status/_providers/openai.yaml").read_text(encoding="utf-8")
            watch.jobs.trouble = None
            await asyncio.sleep(900)

            assert "this is not the API that was expected" in told
            assert not (tmp_path / "specs/status/_providers/openai.yaml").exists()

    in_virtual_time(main)


def test_a_watch_is_ready_once_each_account_was_observed_or_reported_an_error(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_watch(tmp_path, running=1, slow=1) as watch:
            watch.slow.trouble = lambda _: HANGS_S
            await asyncio.sleep(10)
            first, ages = readiness_problems(watch.health.overview), watch.health.overview.seen_at
            await asyncio.sleep(HANGS_S)

            assert [each.split(":")[0] for each in first] == ["not observed yet"]
            assert len(ages) == 2
            assert readiness_problems(watch.health.overview) == ()

    in_virtual_time(main)
