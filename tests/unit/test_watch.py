"""The watch, in virtual time over a world in memory: when it makes a pass and which jobs it polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

import pytest

from reconciler.controller.build_report import PassResult
from reconciler.controller.run_options import ChangeRules, RunOptions
from reconciler.controller.watch import BEAT_S, EDITS_WITHIN_S, PATIENCE_S
from reconciler.core.guard import ChangeLimits
from reconciler.core.scope import ScopedLimits
from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.model.action import CommitApproval
from reconciler.model.job import Account, JobRef, Phase
from reconciler.model.journal import KnownStatuses
from reconciler.model.reason import Reason
from tests.support.build import ACCOUNT, NOW
from tests.support.clock import in_virtual_time
from tests.support.documents import a_provider, located
from tests.support.in_memory import Notebook, World
from tests.support.in_memory_accounts import (
    SharedBranch,
    a_revision,
    a_world,
    an_account,
    named_specs,
)
from tests.support.in_memory_operator import Operator
from tests.support.watch_in_memory import RunningWatch, TimedAccount, observed, running_watch

HOUR_S = 3600.0
SLOW = Account("openai", "https://slow.example.org/v1")
NO_ANSWER = TransientError("no answer", delivered=Delivered.UNKNOWN)


def test_a_watch_begins_with_a_pass_over_every_job() -> None:
    async def main() -> None:
        async with running_watch(*named_specs("chat"), *observed("code")) as watch:
            await asyncio.sleep(0.1)

            assert watch.account.changes == ["cancel ftjob-chat"]
            assert watch.reason("code") is Reason.AS_DESIRED
            assert [row.name for row in watch.passes[0].report.rows] == ["chat", "code"]
            assert watch.health.overview.finished_at == pytest.approx(NOW, abs=timedelta(seconds=0.1))

    in_virtual_time(main)


def test_a_requested_cancel_is_polled_soon_and_not_again_once_confirmed() -> None:
    async def main() -> None:
        async with running_watch(*named_specs("chat")) as watch:
            await asyncio.sleep(HOUR_S)

            assert watch.reason("chat") is Reason.CANCELLED
            assert watch.account.when("ftjob-chat") == [0.0, pytest.approx(0.5, abs=0.1)]

    in_virtual_time(main)


def test_a_change_with_a_file_event_is_acted_on_at_once() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat", "code")) as watch:
            await asyncio.sleep(1000.0)
            watch.want(*named_specs("chat"), *observed("code"))
            await asyncio.sleep(0.1)

            assert watch.account.when("cancel ftjob-chat") == [pytest.approx(1000.0, abs=0.1)]

    in_virtual_time(main)


def test_a_pass_that_lets_others_publish_first_is_ended_by_a_change() -> None:
    async def main() -> None:
        branch = SharedBranch(turns_s=5.0)
        async with running_watch(*observed("chat", "code"), publisher=branch) as watch:
            await asyncio.sleep(1.0)
            assert branch.messages == []
            watch.want(*named_specs("chat"), *observed("code"))
            await asyncio.sleep(1.0)

            assert watch.account.when("cancel ftjob-chat") == [pytest.approx(1.0, abs=0.5)]
            assert len(branch.messages) > 1

    in_virtual_time(main)


def test_an_edited_spec_is_acted_on_before_all_specs_are_read_again() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat", "code")) as watch:
            watch.account.takes_s["cancel ftjob-chat"] = 0.1
            await asyncio.sleep(1000.0)
            reads = len(watch.world.specs.reads)
            watch.want(*named_specs("chat"), *observed("code"), paths={"bots.yaml"})
            await asyncio.sleep(0.05)
            reads_while_requesting = len(watch.world.specs.reads)
            await asyncio.sleep(0.1)

            assert reads_while_requesting == reads
            assert watch.account.when("cancel ftjob-chat") == [pytest.approx(1000.1, abs=0.01)]
            assert watch.passes[-1].report.transitions[0].name == "chat"

    in_virtual_time(main)


def test_an_edit_in_an_account_that_hangs_delays_the_next_pass_only_briefly() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat", "code")) as watch:
            watch.account.takes_s["ftjob-chat"] = 30.0
            await asyncio.sleep(1000.0)
            reads = len(watch.world.specs.reads)
            watch.want(*named_specs("chat"), *observed("code"), paths={"bots.yaml"})
            await asyncio.sleep(EDITS_WITHIN_S - 0.1)
            reads_before = len(watch.world.specs.reads)
            await asyncio.sleep(0.2)

            assert reads_before == reads
            assert len(watch.world.specs.reads) > reads
            await asyncio.sleep(90.0)
            assert watch.account.changes == ["cancel ftjob-chat"]
            assert watch.reason("chat") is Reason.CANCELLED

    in_virtual_time(main)


def test_a_further_change_ends_the_wait_for_edits_in_an_account_that_hangs() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat", "code")) as watch:
            watch.account.takes_s["ftjob-chat"] = 30.0
            await asyncio.sleep(1000.0)
            reads = len(watch.world.specs.reads)
            watch.want(*named_specs("chat"), *observed("code"), paths={"bots.yaml"})
            await asyncio.sleep(0.1)
            watch.notifier.notify()
            await asyncio.sleep(PATIENCE_S)

            assert len(watch.world.specs.reads) > reads

    in_virtual_time(main)


@dataclass
class DisturbedJournal(Notebook):
    """A journal during whose next record something else happens."""

    happens: Callable[[], None] = lambda: None

    def keep(self, known: KnownStatuses) -> None:
        """Record the statuses while `happens`, which happens once."""
        happens, self.happens = self.happens, lambda: None
        happens()
        super().keep(known)


def test_a_spec_that_is_edited_while_a_pass_records_is_acted_on_before_that_pass_ends() -> None:
    async def main() -> None:
        world, journal = a_world(an_account(), *observed("chat", "code")), DisturbedJournal()
        world.journal = journal
        changes: list[tuple[str, ...]] = []
        watches: list[RunningWatch] = []

        def note_changes(_: PassResult) -> None:
            changes.extend(tuple(each.account.changes) for each in watches)

        async with running_watch(*observed("chat", "code"), world=world, tell=note_changes) as watch:
            await asyncio.sleep(1000.0)
            watches.append(watch)
            journal.happens = lambda: watch.want(*named_specs("chat"), *observed("code"), paths={"bots.yaml"})
            watch.notifier.notify()
            await asyncio.sleep(0.2)

            assert changes[0] == ("cancel ftjob-chat",)
            assert len(changes) > 1, "another pass follows, which reads the edit"
            await asyncio.sleep(90.0)
            assert watch.reason("chat") is Reason.CANCELLED
            assert watch.account.changes == ["cancel ftjob-chat"]

    in_virtual_time(main)


def test_a_change_without_a_file_event_is_found_by_the_periodic_scan() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat")) as watch:
            await asyncio.sleep(1000.0)
            watch.want(*named_specs("chat"), is_notified=False)
            await asyncio.sleep(66.0)

            assert watch.account.changes == ["cancel ftjob-chat"]

    in_virtual_time(main)


def test_every_file_is_read_once_per_interval_and_only_touched_files_in_between() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat")) as watch:
            for _ in range(10):
                await asyncio.sleep(30.0)
                watch.notifier.notify()
            await asyncio.sleep(0.2)

            assert sum(watch.world.specs.reads) == 6  # at the start, and then once a minute
            assert len(watch.world.specs.reads) > 10

    in_virtual_time(main)


def test_a_job_that_stays_running_is_polled_less_and_less_often() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat")) as watch:
            await asyncio.sleep(HOUR_S)
            looks = watch.account.when("ftjob-chat")
            rests = [later - earlier for earlier, later in pairwise(looks)]

            assert rests[0] == pytest.approx(57.0, abs=1.0)  # an interval minus 5 %
            assert rests[-1] == pytest.approx(285.0, abs=1.0)  # five intervals minus 5 %

    in_virtual_time(main)


def test_a_failing_account_is_polled_less_and_less_often_until_it_recovers() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat")) as watch:
            watch.account.broken["ftjob-chat"] = NO_ANSWER
            await asyncio.sleep(HOUR_S)
            looks = watch.account.when("ftjob-chat")
            rests = [later - earlier for earlier, later in pairwise(looks)]
            watch.account.broken.clear()
            await asyncio.sleep(900.0)

            assert all(later > earlier - 0.01 for earlier, later in pairwise(rests))
            assert rests[0] == pytest.approx(1.0, abs=0.01)
            assert rests[-1] == pytest.approx(225.5, abs=0.01)  # with jitter; the maximum delay is 900 seconds
            assert watch.reason("chat") is Reason.AS_DESIRED
            assert watch.world.statuses.providers == {}

    in_virtual_time(main)


def test_the_jobs_of_an_unobserved_account_are_polled_together() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat", "code", "talk")) as watch:
            await asyncio.sleep(400.0)
            watch.account.broken = dict.fromkeys(("ftjob-chat", "ftjob-code", "ftjob-talk", "page 1"), NO_ANSWER)
            await asyncio.sleep(HOUR_S)
            chat, code, talk = (watch.account.when(f"ftjob-{name}")[-5:] for name in ("chat", "code", "talk"))

            assert chat == code == talk
            assert len(watch.world.statuses.providers) == 1

    in_virtual_time(main)


def two_accounts() -> tuple[World, TimedAccount]:
    """Return a world with a second account, which takes 30 seconds to retrieve its job."""
    slow = TimedAccount(an_account("ftjob-code").jobs)
    slow.takes_s["ftjob-code"] = 30.0
    code = named_specs("code", provider="slow")[0]
    chat = observed("chat")[0]
    world = a_world(slow, chat, code, providers=(located(a_provider("slow", baseUrl=SLOW.base_url), "slow.yaml"),))
    world.operator = Operator({"RECONCILE_TRUST": "OPENAI_API_KEY=slow.example.org"})
    world.accounts.readers = {SLOW: slow}
    return world, slow


def test_a_slow_account_delays_no_other_account() -> None:
    async def main() -> None:
        world, slow = two_accounts()
        async with running_watch(*observed("chat"), world=world) as watch:
            await asyncio.sleep(5.0)
            (chat,) = named_specs("chat")
            watch.want(chat, named_specs("code", provider="slow")[0])
            await asyncio.sleep(0.1)
            at_once = list(watch.account.changes)
            await asyncio.sleep(60.0)

            assert at_once == ["cancel ftjob-chat"]
            assert slow.when("cancel ftjob-code") == [pytest.approx(30.0, abs=0.3)]
            assert watch.reason("code") is not Reason.AS_DESIRED

    in_virtual_time(main)


def test_jobs_that_wait_for_the_worker_of_their_account_are_counted_as_overdue() -> None:
    async def main() -> None:
        world, slow = two_accounts()
        slow.takes_s["ftjob-code"] = 200.0
        async with running_watch(
            *observed("chat"), *named_specs("code", provider="slow", desiredState="observed"), world=world
        ) as watch:
            overdue = []
            for seconds in (5.0, 285.0, 150.0):
                await asyncio.sleep(seconds)
                overdue.append(watch.health.overview.overdue)

            assert overdue == [0, 1, 0]

    in_virtual_time(main)


def test_a_slow_account_follows_the_current_specs_and_not_those_it_started_with() -> None:
    async def main() -> None:
        world, slow = two_accounts()
        async with running_watch(*observed("chat"), world=world) as watch:
            await asyncio.sleep(5.0)
            watch.want(*observed("chat"), named_specs("code", provider="slow", desiredState="running")[0])
            await asyncio.sleep(100.0)

            assert slow.changes == []
            assert watch.reason("code") is Reason.AS_DESIRED

    in_virtual_time(main)


def test_a_change_that_was_withheld_is_requested_once_its_busy_account_is_free() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat", "code")) as watch:
            await asyncio.sleep(1000.0)
            revision = a_revision(*named_specs("chat"), *observed("code"))
            watch.world.specs.revision = replace(revision, why_not_trusted="a merge is unfinished")
            watch.notifier.notify()
            await asyncio.sleep(0.5)
            reason = watch.reason("chat")
            watch.account.takes_s["ftjob-code"] = 30.0
            watch.wishes.add("code")
            await asyncio.sleep(2 * BEAT_S)
            watch.account.takes_s.clear()
            watch.world.specs.revision = revision
            watch.notifier.notify()
            await asyncio.sleep(35.0)

            assert reason is Reason.REVISION_NOT_TRUSTED
            assert watch.account.when("cancel ftjob-chat") == [pytest.approx(1032.0, abs=1.5)]

    in_virtual_time(main)


def test_a_poll_that_was_skipped_for_a_spec_moved_from_a_busy_account_is_made_once_that_account_is_free() -> None:
    async def main() -> None:
        world, _ = two_accounts()
        async with running_watch(*observed("chat"), world=world) as watch:
            await asyncio.sleep(1.0)
            watch.account.jobs |= an_account("ftjob-code").jobs
            watch.want(*named_specs("chat"), named_specs("code", provider="slow")[0])
            await asyncio.sleep(0.2)
            watch.want(*named_specs("chat"), *observed("code"))
            await asyncio.sleep(28.0)
            before = watch.reason("chat")
            await asyncio.sleep(2.0)

            assert before is Reason.CANCEL_PENDING
            assert watch.reason("chat") is Reason.CANCELLED

    in_virtual_time(main)


def test_a_refused_change_is_requested_at_once_when_a_commit_approves_it() -> None:
    async def main() -> None:
        rules = ChangeRules(ScopedLimits(ChangeLimits(max_cancels=0)))
        async with running_watch(*named_specs("chat"), options=RunOptions(rules=rules)) as watch:
            await asyncio.sleep(1000.0)
            reason = watch.reason("chat")
            approval = CommitApproval("0123456789ab", NOW + timedelta(seconds=1000), 1, frozenset({"chat"}))
            watch.world.specs.revision = replace(watch.world.specs.revision, approvals=(approval,))
            watch.notifier.notify()
            await asyncio.sleep(0.5)

            assert reason is Reason.REFUSED_BY_GUARD
            assert watch.account.when("cancel ftjob-chat") == [pytest.approx(1000.0, abs=0.1)]

    in_virtual_time(main)


def test_a_requested_retry_is_made_within_one_heartbeat_and_only_once() -> None:
    async def main() -> None:
        async with running_watch(*named_specs("chat")) as watch:
            watch.account.broken["cancel ftjob-chat"] = PermanentError("not yet", kind=Kind.REFUSED)
            await asyncio.sleep(400.0)
            before = watch.account.when("cancel ftjob-chat")
            watch.wishes.add("chat")
            await asyncio.sleep(2 * BEAT_S)
            after = watch.account.when("cancel ftjob-chat")

            assert len(after) == len(before) + 1
            assert after[-1] <= 400.0 + BEAT_S + 0.3

    in_virtual_time(main)


def test_a_requested_retry_of_an_unknown_spec_is_ignored() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat")) as watch:
            await asyncio.sleep(100.0)
            looks = len(watch.account.asked)
            watch.wishes.add("nobody")
            await asyncio.sleep(2 * BEAT_S)

            assert len(watch.account.asked) == looks

    in_virtual_time(main)


def test_a_watch_reports_its_heartbeat_and_when_file_events_last_worked() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat")) as watch:
            await asyncio.sleep(99.0)
            watch.notifier.is_alive = False
            await asyncio.sleep(11.0)
            overview = watch.health.overview

            assert overview.heartbeat_at == pytest.approx(110.0, abs=BEAT_S)
            assert overview.watched_at == pytest.approx(99.0, abs=BEAT_S)
            assert [each.name for each in overview.upcoming] == ["chat"]

    in_virtual_time(main)


def test_the_polls_of_jobs_in_one_account_are_combined() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat")) as watch:
            await asyncio.sleep(8.0)
            watch.account.jobs |= an_account("ftjob-code").jobs
            watch.want(*observed("chat", "code"))
            await asyncio.sleep(60.0)

            assert watch.account.when("ftjob-chat")[1] == watch.account.when("ftjob-code")[1]

    in_virtual_time(main)


def test_a_final_job_is_no_longer_polled() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat")) as watch:
            await asyncio.sleep(10.0)
            ended = replace(watch.account.jobs["ftjob-chat"], phase=Phase.FAILED, finished_at=NOW)
            watch.account.jobs["ftjob-chat"] = ended
            await asyncio.sleep(2 * HOUR_S)

            assert len(watch.account.when("ftjob-chat")) == 2
            assert watch.passes[-1].wanted == frozenset()
            assert JobRef(ACCOUNT, "ftjob-chat") not in {each.ref for each in watch.passes[-1].due}

    in_virtual_time(main)
