"""Days of a watch in virtual time: how often it asks and writes, what it survives, and how it stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import looptime
import pytest

from reconciler.controller.account_resolver import Reach
from reconciler.controller.build_report import PassResult
from reconciler.controller.health import Lookout
from reconciler.controller.reconcile import Orders
from reconciler.controller.runtime import Tools
from reconciler.controller.watch import GRACE_S, Watch
from reconciler.core.guard import Brakes
from reconciler.errors import Delivered, Transient
from reconciler.local.credential_policy import Trust
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusesDir
from reconciler.model.job import Account, JobPage, JobRef, ListQuery, ObservedJob, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import Outcome
from reconciler.model.watch_status import ailments, obstacles
from reconciler.ports import Disk, Entry, JobController, JobReader
from tests.scenario.process import Environment
from tests.support.bell import Bell
from tests.support.cli import Checkout
from tests.support.clock import VirtualClock

HOUR_S = 3600.0
NO_ANSWER = Transient("no answer", delivered=Delivered.UNKNOWN)
BUG = RuntimeError("a bug")
LOOSE = Brakes(max_cancels=1000, max_cancel_percent=100, max_cancels_absolute=1000)
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
    """An account whose jobs run until they are cancelled; `trouble` may raise or wait before any answer."""

    clock: VirtualClock
    phases: dict[str, Phase] = field(default_factory=dict)
    asked_at: list[float] = field(default_factory=list)
    cancels: Counter[str] = field(default_factory=Counter)
    trouble: Callable[[str], object] | None = None

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page."""
        await self._meet("list")
        ids = sorted(self.phases)
        begin = ids.index(cursor) + 1 if cursor else 0
        page = ids[begin : begin + query.page_size]
        more = page[-1] if begin + query.page_size < len(ids) else None
        return JobPage(tuple(map(self._job, page)), more)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return one job."""
        await self._meet("get")
        return self._job(ref.id) if ref.id in self.phases else None

    async def cancel_job(self, ref: JobRef) -> ObservedJob | None:
        """Cancel one job."""
        self.cancels[ref.id] += 1
        await self._meet("cancel")
        self.phases[ref.id] = Phase.CANCELLED
        return None

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
    """The `Accounts` of a test: everything is the same account, but for the one of `slow.example.org`."""

    jobs: Jobs
    slow: Jobs

    async def open(self, reach: Reach) -> JobReader:
        """Return it."""
        return self._of(reach.account)

    def control(self, account: Account) -> JobController:
        """Return it."""
        return self._of(account)

    def requests(self, account: Account) -> int:
        """Return how many requests it got."""
        return len(self._of(account).asked_at)

    def _of(self, account: Account) -> Jobs:
        return self.slow if "slow" in account.base_url else self.jobs


class DiskOfWholeSeconds(LocalDisk):
    """A disk on which everything here happens within one tick of its clock."""

    def list(self, path: Path) -> list[Entry]:
        """Return what stands in a directory, all of the same moment."""
        return [replace(each, stamp=(0,)) for each in super().list(path)]


@dataclass(slots=True)
class Shift:
    """A watch at work."""

    checkout: Checkout
    jobs: Jobs
    slow: Jobs
    bell: Bell
    lookout: Lookout
    stop: asyncio.Event
    task: asyncio.Future[None]
    passes: list[PassResult]

    def save(self, name: str, state: str, provider: str = "openai") -> None:
        """Save a spec, and let the watch know."""
        self.checkout.want(name, name, state, provider=provider)
        self.bell.ring()


@asynccontextmanager
async def a_shift(
    root: Path, running: int, slow: int = 0, brakes: Brakes = LOOSE, disk: Callable[[Path], Disk] = LocalDisk
) -> AsyncIterator[Shift]:
    """Run a watch over so many running jobs that are only observed, for as long as the body lasts.

    `slow` are those of a second account, which the Provider document `slow` names.
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
    accounts, bell, stop = TwoAccounts(jobs, others), Bell(), asyncio.Event()
    tools = Tools(
        specs=SpecsDir(checkout.specs, checkout.status_dir, disk(checkout.specs), "specs"),
        statuses=StatusesDir(checkout.status_dir, LocalDisk(checkout.status_dir)),
        environment=ENVIRONMENT,
        accounts=accounts,
        clock=clock,
        control=accounts.control,
        is_stopping=stop.is_set,
    )
    lookout = Lookout.beginning(clock.monotonic(), 60)
    passes: list[PassResult] = []
    watch = Watch(tools, Orders(brakes=brakes), bell, lambda: 0.7, lookout, lambda result, _: passes.append(result))
    task = asyncio.ensure_future(watch.run(stop))
    try:
        yield Shift(checkout, jobs, others, bell, lookout, stop, task, passes)
    finally:
        stop.set()
        await task


def in_virtual_time(main: Callable[[], object]) -> None:
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main())  # type: ignore[arg-type]  # every `main` here is a coroutine function


def test_a_quiet_hour_asks_seldom_and_writes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=30) as shift:
            await asyncio.sleep(1000)
            before, asked = shift.checkout.traces(), len(shift.jobs.asked_at)
            await asyncio.sleep(HOUR_S)

            assert shift.checkout.traces() == before
            assert (len(shift.jobs.asked_at) - asked) / (HOUR_S / 60) < 30 / 5 * 1.2

    in_virtual_time(main)


def test_a_saved_spec_is_acted_on_at_once_and_its_proof_is_soon_there(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=3) as shift:
            await asyncio.sleep(1000)
            shift.checkout.want("ftjob-0001", "ftjob-0001", "cancelled", provider="openai")
            shift.bell.ring()
            await asyncio.sleep(0.01)
            at_once = dict(shift.jobs.cancels)
            await asyncio.sleep(3)

            assert at_once == {"ftjob-0001": 1}
            assert shift.checkout.status("ftjob-0001").is_ready
            assert shift.jobs.cancels == {"ftjob-0001": 1}

    in_virtual_time(main)


def test_a_spec_that_nobody_heard_of_is_found_by_the_scan(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=3) as shift:
            await asyncio.sleep(1000)
            shift.checkout.want("ftjob-0001", "ftjob-0001", "cancelled", provider="openai")
            await asyncio.sleep(66 + 3)

            assert shift.checkout.status("ftjob-0001").is_ready

    in_virtual_time(main)


def test_an_edit_that_no_stamp_shows_is_found_by_the_scan(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=3, disk=DiskOfWholeSeconds) as shift:
            await asyncio.sleep(1000)
            shift.save("ftjob-0001", "cancelled")
            await asyncio.sleep(0.01)
            at_once = dict(shift.jobs.cancels)
            await asyncio.sleep(66 + 3)

            assert at_once == {}
            assert shift.checkout.status("ftjob-0001").is_ready

    in_virtual_time(main)


def test_a_half_written_file_harms_no_other(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=2) as shift:
            await asyncio.sleep(10)
            shift.checkout.write("ftjob-0000.yaml", "apiVersion: jobs.reconciler/v1\nkind: Fine")
            shift.checkout.want("ftjob-0001", "ftjob-0001", "cancelled", provider="openai")
            shift.bell.ring()
            await asyncio.sleep(5)

            assert shift.checkout.status("ftjob-0001").is_ready
            assert shift.jobs.cancels == {"ftjob-0001": 1}

    in_virtual_time(main)


def test_hours_of_outage_is_asked_seldom_and_is_one_status_and_its_end_is_seen(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=3) as shift:
            await asyncio.sleep(100)

            def away(_: str) -> None:
                raise NO_ANSWER

            shift.jobs.trouble = away
            await asyncio.sleep(HOUR_S)
            asked, written = len(shift.jobs.asked_at), shift.checkout.traces()
            await asyncio.sleep(4 * HOUR_S)
            during, after = len(shift.jobs.asked_at) - asked, shift.checkout.traces()
            shift.jobs.trouble = None
            await asyncio.sleep(1000)

            assert during < 4 * HOUR_S / 100
            assert written == after
            assert "specs/status/_providers/openai.yaml" in written
            assert "specs/status/_providers/openai.yaml" not in shift.checkout.traces()

    in_virtual_time(main)


def test_a_job_that_a_bug_keeps_from_being_looked_at_comes_round_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=1) as shift:
            await asyncio.sleep(100)

            def bug(_: str) -> None:
                raise BUG

            shift.jobs.trouble = bug
            await asyncio.sleep(600)
            shift.jobs.trouble = None
            shift.jobs.phases["ftjob-0000"] = Phase.SUCCEEDED
            await asyncio.sleep(200)

            assert shift.checkout.status("ftjob-0000").phase is Phase.SUCCEEDED

    in_virtual_time(main)


def test_a_hung_look_and_a_dead_watcher_are_told_within_two_intervals_and_so_is_their_end(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=1) as shift:
            clock = asyncio.get_running_loop().time
            await asyncio.sleep(1000)
            well = ailments(shift.lookout.overview, clock())
            shift.jobs.trouble = lambda _: 500.0
            shift.bell.is_alive = False
            shift.checkout.want("ftjob-0000", "ftjob-0000", "running", provider="openai")
            shift.bell.ring()
            await asyncio.sleep(120)
            ill = ailments(shift.lookout.overview, clock())
            shift.jobs.trouble = None
            shift.bell.is_alive = True
            await asyncio.sleep(400)

            assert well == ()
            assert [each.split(":")[0] for each in ill] == ["a look hangs", "the specs are not watched"]
            assert ailments(shift.lookout.overview, clock()) == ()

    in_virtual_time(main)


@pytest.mark.parametrize(("takes_s", "waits_s", "cancelled"), [(10.0, 10.0, 1), (60.0, GRACE_S, 0)])
def test_a_stop_lets_a_request_that_is_out_finish_within_the_grace_and_begins_no_new_one(
    tmp_path: Path, takes_s: float, waits_s: float, cancelled: int
) -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        async with a_shift(tmp_path, running=2) as shift:
            await asyncio.sleep(1000)
            shift.jobs.trouble = lambda what: takes_s if what == "cancel" else None
            shift.checkout.want("ftjob-0000", "ftjob-0000", "cancelled", provider="openai")
            shift.bell.ring()
            await asyncio.sleep(0.01)
            shift.checkout.want("ftjob-0001", "ftjob-0001", "cancelled", provider="openai")
            shift.bell.ring()
            asked_to_stop_at = clock()
            shift.stop.set()
            await shift.task
            receipt = shift.checkout.status("ftjob-0000").receipts[0]

            assert clock() - asked_to_stop_at == pytest.approx(waits_s, abs=0.1)
            assert shift.jobs.cancels == {"ftjob-0000": 1}
            assert (receipt.accepted_at is not None) == bool(cancelled)

    in_virtual_time(main)


def test_an_account_that_hangs_delays_no_other_and_what_was_saved_meanwhile_is_acted_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=2, slow=2) as shift:
            await asyncio.sleep(1000)
            shift.slow.trouble = lambda _: HANGS_S
            shift.save("ftjob-slow-0000", "cancelled", "slow")
            await asyncio.sleep(1)
            shift.save("ftjob-0000", "cancelled")
            await asyncio.sleep(0.01)
            at_once = dict(shift.jobs.cancels)
            shift.save("ftjob-slow-0001", "cancelled", "slow")
            await asyncio.sleep(3)
            proved = shift.checkout.status("ftjob-0000").is_ready
            hanging = dict(shift.slow.cancels)
            shift.slow.trouble = None
            await asyncio.sleep(HANGS_S)

            assert at_once == {"ftjob-0000": 1}
            assert proved
            assert hanging == {}
            assert shift.slow.cancels == {"ftjob-slow-0000": 1, "ftjob-slow-0001": 1}
            assert shift.checkout.status("ftjob-slow-0001").is_ready

    in_virtual_time(main)


def test_the_jobs_of_an_account_are_looked_at_as_often_while_another_one_hangs(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=10, slow=10) as shift:
            await asyncio.sleep(1000)
            asked = len(shift.jobs.asked_at)
            await asyncio.sleep(HOUR_S)
            well = len(shift.jobs.asked_at) - asked
            shift.slow.trouble = lambda _: HANGS_S
            asked = len(shift.jobs.asked_at)
            await asyncio.sleep(HOUR_S)

            assert len(shift.jobs.asked_at) - asked == pytest.approx(well, rel=0.1)

    in_virtual_time(main)


def test_who_acts_after_a_hang_is_held_by_the_settings_of_now(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=1, slow=1) as shift:
            await asyncio.sleep(1000)
            shift.slow.trouble = lambda what: HANGS_S if what == "get" else None
            shift.save("ftjob-slow-0000", "cancelled", "slow")
            await asyncio.sleep(1)
            shift.checkout.write("settings.yaml", SUSPENDED)
            shift.bell.ring()
            await asyncio.sleep(3 * HANGS_S)

            assert shift.slow.cancels == {}
            assert shift.checkout.status("ftjob-slow-0000").ready.reason is Reason.SUSPENDED

    in_virtual_time(main)


def test_who_acts_after_a_hang_is_counted_by_the_guard_with_all_that_was_asked_meanwhile(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=2, slow=2, brakes=Brakes(max_cancels_absolute=2)) as shift:
            await asyncio.sleep(1000)
            shift.slow.trouble = lambda what: HANGS_S if what == "get" else None
            shift.save("ftjob-slow-0000", "cancelled", "slow")
            await asyncio.sleep(1)
            shift.save("ftjob-0000", "cancelled")
            shift.save("ftjob-0001", "cancelled")
            await asyncio.sleep(2 * HANGS_S)

            assert shift.jobs.cancels == {"ftjob-0000": 1, "ftjob-0001": 1}
            assert shift.slow.cancels == {}
            assert shift.checkout.status("ftjob-slow-0000").ready.reason is Reason.REFUSED_BY_GUARD

    in_virtual_time(main)


def test_what_is_out_in_an_account_that_hangs_is_counted_by_the_guard_in_another(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=2, slow=2, brakes=Brakes(max_cancels_absolute=2)) as shift:
            await asyncio.sleep(1000)
            shift.slow.trouble = lambda what: HANGS_S if what == "cancel" else None
            shift.save("ftjob-slow-0000", "cancelled", "slow")
            shift.save("ftjob-slow-0001", "cancelled", "slow")
            await asyncio.sleep(1)
            shift.save("ftjob-0000", "cancelled")
            await asyncio.sleep(1)
            is_out = not any(each is Phase.CANCELLED for each in shift.slow.phases.values())

            assert is_out
            assert shift.slow.cancels == {"ftjob-slow-0000": 1, "ftjob-slow-0001": 1}
            assert shift.jobs.cancels == {}
            assert shift.checkout.status("ftjob-0000").ready.reason is Reason.REFUSED_BY_GUARD

    in_virtual_time(main)


def test_a_spec_that_leaves_for_another_account_while_its_own_hangs_keeps_the_receipt_of_its_new_job(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with a_shift(tmp_path, running=1, slow=1) as shift:
            await asyncio.sleep(1000)
            shift.slow.trouble = lambda what: HANGS_S if what == "cancel" else None
            shift.save("ftjob-slow-0000", "cancelled", "slow")
            await asyncio.sleep(1)
            shift.jobs.phases["ftjob-9999"] = Phase.RUNNING
            shift.checkout.want("ftjob-slow-0000", "ftjob-9999", provider="openai")
            shift.bell.ring()
            await asyncio.sleep(2 * HANGS_S)
            status = shift.checkout.status("ftjob-slow-0000")

            assert (shift.slow.cancels, shift.jobs.cancels) == ({"ftjob-slow-0000": 1}, {"ftjob-9999": 1})
            assert status.job is not None
            assert status.job.id == "ftjob-9999"
            assert [each.outcome for each in status.receipts] == [Outcome.CANCELLED]

    in_virtual_time(main)


def test_a_stop_waits_for_an_account_that_hangs_as_long_as_for_any_other(tmp_path: Path) -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        async with a_shift(tmp_path, running=1, slow=1) as shift:
            await asyncio.sleep(1000)
            shift.slow.trouble = lambda what: 10.0 if what == "cancel" else None
            shift.save("ftjob-slow-0000", "cancelled", "slow")
            await asyncio.sleep(2)
            asked_to_stop_at = clock()
            ready = obstacles(shift.lookout.overview)
            shift.stop.set()
            await asyncio.sleep(1)
            stopping = obstacles(shift.lookout.overview)
            await shift.task

            assert (ready, stopping) == ((), ("it is stopping",))
            assert clock() - asked_to_stop_at == pytest.approx(8, abs=0.1)
            assert shift.checkout.status("ftjob-slow-0000").receipts[0].accepted_at is not None

    in_virtual_time(main)
