"""Two machines publish statuses of different jobs to one branch, with real repositories."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread

import pytest

from reconciler.controller.apply import apply_plan
from reconciler.controller.intents import IntentQueue
from reconciler.controller.plan import JobPlan
from reconciler.formats.status_parser import parse_status
from reconciler.formats.status_writer import render_status
from reconciler.git.author import Author
from reconciler.git.command import Git, GitError
from reconciler.git.publisher import GitPublisher
from reconciler.git.push_turns import PushTurns
from reconciler.git.status_branch import StatusBranch
from reconciler.local.disk import LocalDisk
from reconciler.local.status_store import StatusDirectory
from reconciler.model.action import Progress
from reconciler.model.job import Accepted, Account, AlreadyOver, JobRef, Phase
from reconciler.model.status import JobStatus
from tests.support.build import a_status
from tests.support.in_memory_accounts import InMemoryAccount, a_case, a_context, a_world, an_account, named_specs
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.subjects import HOUR, a_receipt

BRANCH = "statuses"
PUSHED_WITHIN_S = 30.0
"""How long an intent may wait for its push while another machine publishes without a pause."""


def a_branch(clone: Clone, turns: PushTurns | None = None) -> StatusBranch:
    """Return the status branch of a clone."""
    author = Author("reconcile", "r@example.org")
    git = Git(clone.root / ".git", clone.root)
    return StatusBranch(git, BRANCH, "", clone.root / "statuses", "origin", author, turns=turns or PushTurns())


@dataclass
class Other:
    """Another machine that publishes to the same branch."""

    branch: StatusBranch
    number: int = 0

    def write(self, status: JobStatus) -> None:
        """Publish a status of this machine."""
        self._put(status)
        self.branch.publish_on_top(f"{status.name} has changed")

    def _put(self, status: JobStatus) -> None:
        self.branch.directory.mkdir(exist_ok=True)
        (self.branch.directory / f"{status.name}.yaml").write_bytes(render_status(status).encode())

    def push(self, requested: int = 0) -> None:
        """Publish a new status of a job of this machine, with `requested` receipts."""
        self.write(self._next(requested))

    def put(self) -> None:
        """Write a new status of a job of this machine."""
        self._put(self._next())

    def _next(self, requested: int = 0) -> JobStatus:
        self.number += 1
        other = a_status(f"other-{self.number}", receipts=(a_receipt(age=HOUR),) * requested)
        assert other.job is not None
        ref = Account("openai", "https://elsewhere.example.org")
        return replace(other, job=replace(other.job, account=str(ref), id=f"ftjob-other-{self.number}"))


@dataclass
class Witness(InMemoryAccount):
    """An account that reads the remote at each cancel."""

    clone: Clone | None = None
    published: list[JobStatus] = field(default_factory=list)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Record the published status of the job, and cancel."""
        assert self.clone is not None
        self.clone.git("fetch", "--quiet", "origin", f"+{BRANCH}:refs/heads/seen")
        name = ref.id.removeprefix("ftjob-")
        self.published.append(parse_status(self.clone.git("show", f"refs/heads/seen:{name}.yaml") + "\n"))
        return await super().cancel_job(ref)


@dataclass
class Stage:
    """A machine with jobs that must be cancelled, and another machine.

    `meanwhile` is called whenever the machine looks at its clock: before each try to push, after its fetch.
    """

    root: Path
    meanwhile: Callable[[Other], object] = lambda _: None
    is_sharded: bool = True
    names: tuple[str, ...] = ("chat", "code")
    is_begun: bool = False

    def __post_init__(self) -> None:
        """Create the remote, a clone for each machine, and a clone that only reads."""
        remote = a_remote(self.root / "remote.git")
        clones = [a_clone(remote, self.root / name) for name in ("this", "other", "witness")]
        self.other = Other(a_branch(clones[1]))
        self.branch = a_branch(clones[0], PushTurns(self._look_at_clock, lambda: 0.0))
        self.publisher = GitPublisher(self.branch)
        specs = named_specs(*self.names)
        self.account = Witness(an_account(*(f"ftjob-{name}" for name in self.names)).jobs, clone=clones[2])
        self.cases = [a_case(each, is_counted=True) for each in specs]
        self.world = a_world(self.account, *specs)
        self.statuses = StatusDirectory(self.branch.directory, LocalDisk(self.branch.directory))

    def _look_at_clock(self) -> float:
        if self.is_begun:
            self.meanwhile(self.other)
        return 0.0

    def pull(self) -> None:
        """Pull, read the statuses, and let the other machine publish."""
        self.other.branch.pull()
        self.branch.pull()
        self.statuses.load()
        self.is_begun = True
        self.other.push()

    async def apply(self, *cases: JobPlan, queue: IntentQueue | None = None, edition: int = 1) -> dict[str, Progress]:
        """Apply the plans, and return the outcome of each request, by spec name."""
        context = a_context(
            replace(self.world, statuses=self.statuses),  # type: ignore[arg-type]
            publisher=self.publisher,
            edition=edition,
            is_sharded=self.is_sharded,
            intents=queue or IntentQueue(),
        )
        done = await apply_plan(cases, lambda: self.account, context)
        return {each.case.subject.name: each.answer.progress for each in done if each.answer is not None}

    def subjects(self) -> list[str]:
        """Return the subject of each published commit, the newest first."""
        assert self.account.clone is not None
        self.account.clone.git("fetch", "--quiet", "origin", f"+{BRANCH}:refs/heads/seen")
        return self.account.clone.subjects("refs/heads/seen")


def pushes(times: int, requested: int = 0) -> Callable[[Other], None]:
    """Return what another machine does meanwhile: it publishes a status of its own, so many times."""

    def push(other: Other) -> None:
        if other.number <= times:
            other.push(requested)

    return push


def test_a_change_is_requested_although_another_machine_publishes_during_each_of_several_tries(tmp_path: Path) -> None:
    stage = Stage(tmp_path, pushes(3, requested=1))
    stage.pull()
    progress = asyncio.run(stage.apply(*stage.cases))

    assert progress == {"chat": Progress.ACCEPTED, "code": Progress.ACCEPTED}
    assert stage.account.changes == ["cancel ftjob-chat", "cancel ftjob-code"]
    assert [len(each.receipts) for each in stage.account.published] == [1, 1], "each intent was published first"
    assert stage.subjects().count("reconcile: about to cancel chat and 1 more") == 1
    assert sum(each.startswith("other-") for each in stage.subjects()) == 4


def test_a_change_of_the_status_of_one_job_by_another_machine_prevents_only_its_own_request(tmp_path: Path) -> None:
    chat = a_status("chat", phase=Phase.RUNNING, final=False)
    assert chat.job is not None
    chat = replace(chat, job=replace(chat.job, id="ftjob-chat"))
    stage = Stage(tmp_path)
    stage.pull()
    stage.other.write(chat)
    progress = asyncio.run(stage.apply(*stage.cases))

    assert progress == {"chat": Progress.OVERTAKEN, "code": Progress.ACCEPTED}
    assert stage.account.changes == ["cancel ftjob-code"]
    assert parse_status((stage.branch.directory / "chat.yaml").read_text(encoding="utf-8")) == chat


@pytest.mark.parametrize("requested", [0, 1], ids=["observations", "requests"])
def test_without_shards_a_first_attempt_is_judged_again_only_if_others_have_made_requests(
    tmp_path: Path, requested: int
) -> None:
    stage = Stage(tmp_path, pushes(1, requested), is_sharded=False)
    stage.pull()
    progress = asyncio.run(stage.apply(*stage.cases))

    assert set(progress.values()) == {Progress.OVERTAKEN if requested else Progress.ACCEPTED}


def test_intents_that_are_ready_during_a_push_are_published_together_in_the_next(tmp_path: Path) -> None:
    stage = Stage(tmp_path, names=("chat", "code", "docs"))
    stage.pull()
    queue = IntentQueue()

    async def play() -> list[dict[str, Progress]]:
        async with stage.publisher.exclusive():
            waiting = [asyncio.ensure_future(stage.apply(case, queue=queue)) for case in stage.cases]
            await asyncio.sleep(0)
        return await asyncio.gather(*waiting)

    assert asyncio.run(play()) == [{name: Progress.ACCEPTED} for name in ("chat", "code", "docs")]
    assert [each for each in stage.subjects() if "about to" in each] == ["reconcile: about to cancel chat and 2 more"]


def test_a_machine_that_could_not_write_all_pulled_statuses_removes_none_of_other_machines(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.other.branch.pull()
    stage.other.push()
    stage.other.push()
    obstacle = stage.branch.directory / "other-2.yaml"
    obstacle.mkdir(parents=True)
    with pytest.raises(OSError, match="other-2"):
        stage.branch.pull()
    obstacle.rmdir()
    chat = render_status(a_status("chat", receipts=(a_receipt(age=HOUR),))).encode()
    (stage.branch.directory / "chat.yaml").write_bytes(chat)
    stage.branch.publish_on_top("chat is cancelled")

    stage.other.branch.pull()
    found = {each.name for each in stage.other.branch.directory.glob("*.yaml")}
    assert found == {"chat.yaml", "other-1.yaml", "other-2.yaml"}


def publishing(other: Other, stop: Event) -> None:
    """Let another machine publish a new status as soon as it is its turn, until `stop` is set."""
    publisher = GitPublisher(other.branch)
    other.branch.turns.is_lasting = True

    async def publish() -> None:
        while not stop.is_set():
            other.put()
            await asyncio.sleep(publisher.turn_s())
            await publisher.publish_on_top("a new status")

    asyncio.run(publish())


def test_cancels_are_requested_soon_although_another_machine_publishes_without_a_pause(tmp_path: Path) -> None:
    stage = Stage(tmp_path, names=tuple(f"chat-{number}" for number in range(3)))
    stage.pull()
    stop = Event()
    busy = Thread(target=publishing, args=(stage.other, stop))
    busy.start()
    try:
        for case in stage.cases:
            begun, seen = time.monotonic(), stage.other.number
            assert set(asyncio.run(stage.apply(case)).values()) == {Progress.ACCEPTED}
            assert time.monotonic() - begun < PUSHED_WITHIN_S
            while stage.other.number == seen:
                stop.wait(0.01)
    finally:
        stop.set()
        busy.join()

    assert len(stage.account.changes) == len(stage.cases)
    assert {each for each in stage.subjects() if each.startswith("reconcile: about to")} == {
        f"reconcile: about to cancel chat-{number}" for number in range(3)
    }


def test_a_damaged_status_in_the_clone_of_a_running_watch_does_not_prevent_later_publications(tmp_path: Path) -> None:
    remote = a_remote(tmp_path / "remote.git")
    clone, fresh = a_clone(remote, tmp_path / "this"), tmp_path / "fresh"
    branch = a_branch(clone)

    def recreate() -> None:
        shutil.rmtree(clone.root / ".git")
        (a_clone(remote, fresh).root / ".git").rename(clone.root / ".git")

    branch.recreate_clone = recreate
    this = Other(branch)
    branch.pull()
    (branch.directory / "team").mkdir(parents=True)
    (branch.directory / "team" / "one.yaml").write_bytes(render_status(a_status("one")).encode())
    this.push()
    tree = clone.git("rev-parse", f"refs/reconcile-statuses/{BRANCH}:team")
    (clone.root / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    (branch.directory / "team" / "two.yaml").write_bytes(render_status(a_status("two")).encode())
    with pytest.raises(GitError):
        branch.publish("two is new")
    branch.publish_on_top("two is new")

    clone.git("fetch", "--quiet", "origin", f"+{BRANCH}:refs/heads/seen")
    assert clone.subjects("refs/heads/seen")[0] == "two is new"
    assert (branch.directory / "team" / "two.yaml").exists()
