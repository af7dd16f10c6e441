"""The changes of edited specs: which are requested before the next pass, and which are left to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from reconciler.controller.build_report import PassResult
from reconciler.controller.edited_specs import start_edited
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import Pause, no_pause, reconcile_once
from reconciler.controller.run_options import RunOptions
from reconciler.core.losses import marks_of
from reconciler.model.action import Progress
from reconciler.model.job import JobRef
from reconciler.model.reason import Reason
from tests.support.build import a_spec
from tests.support.documents import a_settings, located
from tests.support.in_memory import World
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    SharedBranch,
    a_revision,
    a_world,
    an_account,
    controlled,
    named_specs,
)

FILE = "bots.yaml"
NAMES = ("chat", "code", "docs", "mail", "news")
NOTHING: frozenset[JobRef] = frozenset()


@dataclass
class Scene:
    """A process that has made a pass over five observed specs, whose jobs run."""

    account: InMemoryAccount = field(default_factory=lambda: an_account(*(f"ftjob-{name}" for name in NAMES)))
    memory: PassMemory = field(default_factory=PassMemory)
    runtime: dict[str, Any] = field(default_factory=dict)
    world: World = field(init=False)

    def __post_init__(self) -> None:
        """Create the world."""
        self.world = a_world(self.account, *named_specs(*NAMES, desiredState="observed"))

    def edit(self, *names: str, **spec: Any) -> None:
        """Edit these specs. Without `spec`, a cancel is requested."""
        edited = {each.metadata.name: each for each in named_specs(*names, **{"desiredState": "cancelled"} | spec)}
        jobs = [edited.get(each.document.metadata.name, each.document) for each in self.world.specs.revision.jobs]
        self.world.specs.revision = replace(self.world.specs.revision, jobs=a_revision(*jobs).jobs)

    async def make_pass(self, due: frozenset[JobRef] | None = NOTHING, pause: Pause = no_pause) -> PassResult:
        """Make a pass. Only jobs that need it are observed, unless `due` is given."""
        self.account.asked.clear()
        runtime = controlled(self.world, **self.runtime)
        return await reconcile_once(runtime, RunOptions(), self.memory, due, pause=pause)

    async def request_edits(self, paths: Collection[str] = (FILE,), retry: Collection[str] = ()) -> list[str]:
        """Request the changes of the edited specs, and return the requests."""
        self.account.asked.clear()
        start_edited(paths, controlled(self.world, **self.runtime), self.memory, retry)
        await self.memory.workers.wait(None)
        return [*self.account.asked]

    def reason(self, name: str) -> Reason:
        """Return the reason in the status of a spec."""
        return next(each.ready.reason for each in self.world.statuses.jobs.values() if each.name == name)


def after_a_pass(check: Callable[[Scene], Awaitable[None]], **fields: Any) -> None:
    """Run a check after the first pass of a scene."""

    async def main() -> None:
        scene = Scene(**fields)
        await scene.make_pass(None)
        await check(scene)

    asyncio.run(main())


def test_an_edited_spec_is_acted_on_without_a_new_snapshot() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat")
        reads = len(scene.world.specs.reads)

        assert await scene.request_edits() == ["ftjob-chat", "cancel ftjob-chat"]
        assert len(scene.world.specs.reads) == reads
        assert "chat" in scene.world.statuses.durable
        assert [each.name for each in scene.world.journal.attempts] == ["chat"]

    after_a_pass(check)


def test_the_next_pass_reports_the_request_and_does_not_repeat_it() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat", "code")
        await scene.request_edits()
        result = await scene.make_pass()
        progress = {row.name: row.progress for row in result.report.rows if row.progress is not None}

        assert scene.account.asked == []
        assert progress == dict.fromkeys(("chat", "code"), Progress.ACCEPTED)
        assert {each.name for each in result.report.transitions} == {"chat", "code"}
        assert {each.ref.id for each in result.due} == {"ftjob-chat", "ftjob-code"}

    after_a_pass(check)


def test_a_batch_that_the_guard_refuses_is_left_to_the_next_pass() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat", "code", "docs", "mail")

        await scene.request_edits()
        assert scene.account.changes == []
        assert {scene.reason(name) for name in NAMES} == {Reason.AS_DESIRED}

        result = await scene.make_pass()
        assert scene.account.changes == []
        assert [each.requested for each in result.report.refusals] == [4]
        assert scene.reason("chat") is Reason.REFUSED_BY_GUARD

    after_a_pass(check)


def test_edits_in_small_groups_do_not_exceed_the_limit() -> None:
    async def check(scene: Scene) -> None:
        changes = []
        for name in NAMES:
            scene.edit(name)
            await scene.request_edits()
            changes += scene.account.changes
            await scene.make_pass()
            changes += scene.account.changes

        assert changes == ["cancel ftjob-chat", "cancel ftjob-code", "cancel ftjob-docs"]

    after_a_pass(check)


def test_two_groups_of_edits_without_a_pass_in_between_share_one_budget() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat", "code")
        assert len(await scene.request_edits()) == 4
        scene.memory.workers.finished()
        scene.world.specs.snapshot()
        scene.edit("docs", "mail")
        assert await scene.request_edits() == ["ftjob-docs", "ftjob-mail"]

    after_a_pass(check)


def test_an_edit_that_needs_no_change_is_left_to_the_next_pass() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat", desiredState="running")

        assert await scene.request_edits() == []
        await scene.make_pass()
        assert scene.account.asked == ["ftjob-chat"]

    after_a_pass(check)


def test_a_job_that_the_provider_does_not_show_is_left_to_the_next_pass() -> None:
    async def check(scene: Scene) -> None:
        del scene.account.jobs["ftjob-chat"]
        scene.edit("chat", "code")

        assert await scene.request_edits() == ["ftjob-chat", "ftjob-code", "cancel ftjob-code"]
        assert scene.reason("chat") is Reason.AS_DESIRED
        await scene.make_pass()
        assert scene.reason("chat") is Reason.JOB_VANISHED

    after_a_pass(check)


def test_a_request_is_dropped_if_its_spec_is_edited_again_before_it_is_sent() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat")
        scene.account.takes_s["ftjob-chat"] = 0.01
        start_edited([FILE], controlled(scene.world), scene.memory)
        scene.edit("chat", desiredState="observed")
        await scene.memory.workers.wait(None)
        result = await scene.make_pass()

        assert scene.account.changes == []
        assert scene.reason("chat") is Reason.AS_DESIRED
        assert result.report.errors == ()

    after_a_pass(check)


def test_an_account_with_a_running_worker_is_left_to_the_next_pass() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat")
        scene.account.takes_s["ftjob-chat"] = 0.05
        start_edited([FILE], controlled(scene.world), scene.memory)
        scene.edit("code")
        start_edited([FILE], controlled(scene.world), scene.memory)
        await scene.memory.workers.wait(None)

        assert scene.account.changes == ["cancel ftjob-chat"]
        await scene.make_pass()
        assert scene.account.changes == ["cancel ftjob-code"]

    after_a_pass(check)


@dataclass
class EditInAPause:
    """An edit in one of the pauses of a pass, or after the pass if it has fewer pauses."""

    scene: Scene
    pauses_before: int

    async def __call__(self, _within_s: float = 0) -> None:
        """Edit two specs, and act on the edits, if it is time."""
        self.pauses_before -= 1
        if self.pauses_before == -1:
            self.scene.edit("chat", "code")
            await self.scene.request_edits()


@pytest.mark.parametrize("pauses_before", range(5))
def test_specs_that_are_edited_while_a_pass_records_end_as_if_they_were_edited_after_it(pauses_before: int) -> None:
    async def check(scene: Scene) -> None:
        edit = EditInAPause(scene, pauses_before)
        first = await scene.make_pass(None, edit)
        while edit.pauses_before >= 0:
            await edit()
        assert scene.account.changes == ["cancel ftjob-chat", "cancel ftjob-code"]
        second = await scene.make_pass()
        assert scene.account.asked == []
        third = await scene.make_pass(None)

        assert scene.account.changes == []
        assert first.report.transitions == ()
        assert [(each.name, each.progress) for each in second.report.transitions] == [
            ("chat", Progress.ACCEPTED),
            ("code", Progress.ACCEPTED),
        ]
        assert {each.ref.id for each in second.due} == {"ftjob-chat", "ftjob-code"}
        assert [each.after.ready.reason for each in third.report.transitions] == [Reason.CANCELLED, Reason.CANCELLED]
        assert {each.name for each in scene.world.journal.attempts} == {"chat", "code"}
        assert scene.world.journal.statuses.marks == marks_of(scene.world.statuses.known().jobs)
        assert first.report.errors == second.report.errors == third.report.errors == ()

    after_a_pass(check)


TWICE = (*a_revision(*named_specs(*NAMES)).jobs, located(a_spec("again", jobId="ftjob-chat"), line=9))


@pytest.mark.parametrize(
    "revision",
    [{"settings": (located(a_settings(suspend=True)),)}, {"why_not_trusted": "it is being merged"}, {"jobs": TWICE}],
)
def test_a_spec_on_which_the_last_pass_could_not_act_is_left_to_the_next_pass(revision: dict[str, Any]) -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat", desiredState="running")
        scene.world.specs.revision = replace(scene.world.specs.revision, **revision)
        await scene.make_pass(None)
        scene.edit("chat")

        assert await scene.request_edits() == []

    after_a_pass(check)


def test_a_spec_without_a_status_of_its_job_is_left_to_the_next_pass() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat", "code")
        path = next(path for path, each in scene.world.statuses.jobs.items() if each.name == "chat")
        moved = next(path for path, each in scene.world.statuses.jobs.items() if each.name == "code")
        del scene.world.statuses.jobs[path]
        job = scene.world.statuses.jobs[moved].job
        assert job is not None
        scene.world.statuses.jobs[moved] = replace(scene.world.statuses.jobs[moved], job=replace(job, id="ftjob-old"))
        scene.world.statuses.load()

        assert await scene.request_edits() == []

    after_a_pass(check)


def test_a_spec_with_a_requested_retry_is_left_to_the_next_pass() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat", "code")

        assert await scene.request_edits(retry={"chat"}) == ["ftjob-code", "cancel ftjob-code"]

    after_a_pass(check)


@pytest.mark.parametrize("paths", [(), ("settings.yaml",), (FILE, "settings.yaml")])
def test_other_changed_paths_leave_every_edit_to_the_next_pass(paths: tuple[str, ...]) -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat")

        assert await scene.request_edits(paths) == []

    after_a_pass(check)


def test_nothing_is_requested_once_the_process_is_stopping() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat")
        scene.runtime["is_stopping"] = lambda: True
        assert await scene.request_edits() == []

    after_a_pass(check)


def test_nothing_is_written_if_commits_by_others_have_replaced_statuses() -> None:
    branch = SharedBranch()

    async def check(scene: Scene) -> None:
        scene.edit("chat")
        branch.edition += 1

        assert await scene.request_edits() == ["ftjob-chat"]
        assert scene.reason("chat") is Reason.AS_DESIRED
        await scene.make_pass()
        assert scene.account.changes == ["cancel ftjob-chat"]

    after_a_pass(check, runtime={"publisher": branch})


def test_an_edit_is_acted_on_if_only_this_process_has_published_statuses() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat")

        assert await scene.request_edits() == ["ftjob-chat", "cancel ftjob-chat"]

    after_a_pass(check, runtime={"publisher": SharedBranch(edition=3)})


class BrokenBranch(SharedBranch):
    """A branch whose lock has a bug while `is_broken` is set."""

    is_broken = False

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[object]:
        """Acquire no lock, or fail."""
        if self.is_broken:
            raise ZeroDivisionError
        yield None


def test_a_bug_while_edits_are_requested_is_reported_by_the_next_pass() -> None:
    branch = BrokenBranch()

    async def check(scene: Scene) -> None:
        scene.edit("chat")
        branch.is_broken = True
        await scene.request_edits()
        branch.is_broken = False
        result = await scene.make_pass()

        assert scene.account.changes == ["cancel ftjob-chat"]
        assert len(result.report.errors) == 1
        assert result.report.errors[0].startswith("openai https://api.openai.com/v1: a bug: ZeroDivisionError")

    after_a_pass(check, runtime={"publisher": branch})


def test_a_job_whose_retrieve_fails_by_a_bug_is_observed_again_by_the_next_pass() -> None:
    async def check(scene: Scene) -> None:
        scene.edit("chat")
        scene.account.broken["ftjob-chat"] = RuntimeError("a bug")
        await scene.request_edits()
        del scene.account.broken["ftjob-chat"]
        await scene.make_pass()

        assert scene.account.changes == ["cancel ftjob-chat"]

    after_a_pass(check)
