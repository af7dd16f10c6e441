"""How a plan is applied: what is on the disk before a request is sent, and what prevents a request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.controller.applied import Applied, ApplyContext
from reconciler.controller.apply import apply_plan
from reconciler.controller.plan import JobPlan
from reconciler.controller.request_group import LANES
from reconciler.core.decide import decide
from reconciler.core.guard import ChangeLimits, judge
from reconciler.errors import Delivered, TransientError
from reconciler.formats.status_changes import changed_statuses
from reconciler.git.author import Author
from reconciler.git.command import Git
from reconciler.git.publisher import GitPublisher
from reconciler.git.status_branch import StatusBranch
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusDirectory
from reconciler.model.action import Progress
from reconciler.model.job import Accepted, AlreadyOver, JobRef, Phase
from reconciler.model.status import Origin
from reconciler.ports import JobController
from tests.support.build import NOW, a_spec
from tests.support.in_memory import World
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    PickyStatuses,
    a_case,
    a_context,
    a_world,
    an_account,
    named_specs,
)
from tests.support.subjects import a_look, a_past, a_receipt, a_subject

FULL = OSError(28, "No space left on device", "x.yaml")
DOWN = TransientError("connection refused", delivered=Delivered.NO)


def carried_out(account: InMemoryAccount, world: World, cases: Iterable[JobPlan], **rest: Any) -> dict[str, Applied]:
    """Apply a plan, and return the result of each spec, by name."""
    done = asyncio.run(apply_plan(tuple(cases), lambda: account, a_context(world, **rest)))
    return {each.case.subject.name: each for each in done}


def two_cancels(**rest: Any) -> tuple[InMemoryAccount, World, list[JobPlan]]:
    """Return an account with two running jobs, its world, and the plans to cancel both jobs."""
    specs = named_specs("chat", "code")
    account = an_account("ftjob-chat", "ftjob-code")
    return account, a_world(account, *specs), [a_case(spec, **rest) for spec in specs]


def progress(done: dict[str, Applied]) -> dict[str, Progress | None]:
    return {name: each.answer.progress if each.answer else None for name, each in done.items()}


def receipts(world: World) -> dict[str, int]:
    """Return how many receipts each status on the disk has."""
    return {each.name: len(each.receipts) for each in world.statuses.jobs.values()}


@dataclass
class Onlooker(InMemoryAccount):
    """An account that records, at each cancel, which jobs have a durable intent."""

    world: World | None = None
    found: list[set[str]] | None = None

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Record the durable intents, and cancel."""
        assert self.world is not None
        opened = {each.name for each in self.world.statuses.jobs.values() if each.open_receipt is not None}
        self.found = [*(self.found or []), opened & self.world.statuses.durable]
        return await super().cancel_job(ref)


def test_every_intent_is_durable_before_the_first_request_is_sent() -> None:
    account, world, cases = two_cancels()
    onlooker = Onlooker(account.jobs, world=world)
    done = carried_out(onlooker, world, cases)

    assert onlooker.found == [{"chat", "code"}, {"chat", "code"}]
    assert onlooker.changes == ["cancel ftjob-chat", "cancel ftjob-code"]
    assert progress(done) == {"chat": Progress.ACCEPTED, "code": Progress.ACCEPTED}


def test_a_receipt_contains_the_commit_of_its_spec_and_its_approval() -> None:
    account, world, (chat, code) = two_cancels()
    world.specs.origins["bots.yaml"] = Origin("4be1f0c", "Ada")
    done = carried_out(account, world, [replace(chat, approved_by="--allow-cancels 2"), code])

    assert [(each.status.receipts[0].origin, each.status.receipts[0].approved_by) for each in done.values()] == [
        (Origin("4be1f0c", "Ada"), "--allow-cancels 2"),
        (Origin("4be1f0c", "Ada"), None),
    ]


def test_without_a_due_change_the_status_is_written_and_no_request_is_sent() -> None:
    account, spec = an_account(), a_spec(desiredState="observed")
    world, case = a_world(account, spec), a_case(spec)
    done = carried_out(account, world, [case])

    assert list(world.statuses.jobs.values()) == [case.decision.status]
    assert account.asked == []
    assert progress(done) == {"support-triage": None}


@pytest.mark.parametrize("is_by_plan", [True, False], ids=["a pinned plan", "the guard"])
def test_a_refused_change_is_not_requested_and_has_no_receipt(*, is_by_plan: bool) -> None:
    account, world, (chat, code) = two_cancels()
    refusal = judge("overall", ("chat",), 9, 1, ChangeLimits())
    done = carried_out(
        account, world, [replace(chat, is_unplanned=is_by_plan, refusal=None if is_by_plan else refusal), code]
    )

    assert account.changes == ["cancel ftjob-code"]
    assert receipts(world) == {"chat": 0, "code": 1}
    assert progress(done) == {"chat": None, "code": Progress.ACCEPTED}


@pytest.mark.parametrize(
    ("error", "said"),
    [(FULL, "No space left on device: x.yaml"), (KeyError("x"), "a bug: KeyError")],
    ids=["disk", "bug"],
)
def test_a_failed_intent_write_prevents_only_the_request_for_its_own_job(error: Exception, said: str) -> None:
    account, world, cases = two_cancels()
    world.statuses = PickyStatuses(refuse=lambda name: error if name == "chat" else None)
    done = carried_out(account, world, cases)
    (problem,) = done["chat"].errors

    assert account.changes == ["cancel ftjob-code"]
    assert receipts(world) == {"code": 1}
    assert progress(done) == {"chat": Progress.NOT_RECORDED, "code": Progress.ACCEPTED}
    assert problem.startswith(f"chat: the intent could not be written, so no request was sent: {said}")


def test_a_job_whose_intent_cannot_be_written_keeps_its_last_status() -> None:
    account, spec = an_account(), a_spec()
    last = a_past(a_subject("running"))
    world = a_world(account, spec)
    world.statuses = PickyStatuses(refuse=lambda _: FULL)
    done = carried_out(account, world, [a_case(spec, last=last)])

    assert done["support-triage"].status == last


def test_an_internal_error_with_one_job_does_not_prevent_the_cancel_of_another() -> None:
    account, world, cases = two_cancels()
    account.broken["cancel ftjob-chat"] = KeyError("status")
    done = carried_out(account, world, cases)

    assert progress(done) == {"chat": Progress.UNANSWERED, "code": Progress.ACCEPTED}
    assert account.jobs["ftjob-code"].phase is Phase.CANCELLED


def test_the_first_job_from_a_list_is_cancelled_before_the_last_is_retrieved() -> None:
    specs = named_specs(*(f"job-{number}" for number in range(3 * LANES)))
    ids = [each.spec.job_id for each in specs]
    account = an_account(*ids)
    account.takes_s = dict.fromkeys(ids, 0.0)
    carried_out(account, a_world(account, *specs), [a_case(spec, is_by_row=True) for spec in specs])
    looks = [place for place, what in enumerate(account.asked) if " " not in what]
    cancels = [place for place, what in enumerate(account.asked) if " " in what]

    assert len(looks) == len(cancels) == len(specs)
    assert cancels[0] < looks[LANES + 1]


def test_statuses_of_confirmed_changes_are_written_together_and_an_error_affects_one_job() -> None:
    specs = named_specs("chat", "code", "docs")
    account = an_account(*(each.spec.job_id for each in specs))
    past = a_past(a_subject(), Phase.RUNNING, a_receipt(accepted_at=NOW))
    cases = [a_case(each, Phase.CANCELLED, replace(past, name=each.metadata.name)) for each in specs]
    statuses = PickyStatuses(refuse=lambda name: FULL if name == "code" else None)
    world = replace(a_world(account, *specs), statuses=statuses)
    done = carried_out(account, world, cases)

    assert {each.name for each in statuses.jobs.values()} == statuses.durable == {"chat", "docs"}
    assert [name for name, each in done.items() if each.errors] == ["code"]
    assert list(done) == ["chat", "code", "docs"]


def nobody() -> JobController:
    message = "no account may be opened for changes in this test"
    raise AssertionError(message)


def test_the_change_budget_is_told_of_written_intents_before_a_request_is_sent() -> None:
    account, world, cases = two_cancels()
    told: list[tuple[int, list[str]]] = []

    def written() -> None:
        told.append((sum(each.open_receipt is not None for each in world.statuses.jobs.values()), [*account.changes]))

    carried_out(account, world, cases, written=written)

    assert told == [(2, [])]
    assert len(account.changes) == 2


def test_a_decision_from_before_a_foreign_publish_is_left_to_the_next_pass(tmp_path: Path) -> None:
    """While a watch observes a slow account, a later pass may have fetched requests that another machine published."""
    subject = a_subject("cancelled")
    case = JobPlan(subject, None, decide(subject, a_look(Phase.RUNNING), None, NOW))
    branch = StatusBranch(Git(tmp_path), "statuses", "", tmp_path, "origin", Author("r", "r@example.org"), pulls=2)
    branch.changes.add(2, changed_statuses({}, {f"{subject.name}.yaml": b"the request of another machine"}))
    disk = LocalDisk(tmp_path)
    specs, statuses = SpecsDir(tmp_path, tmp_path, disk, "specs"), StatusDirectory(tmp_path, disk)
    dropped: list[bool] = []
    context = ApplyContext(
        specs, statuses, lambda: NOW, GitPublisher(branch), edition=1, written=lambda: dropped.append(True)
    )
    (done,) = asyncio.run(apply_plan((case,), nobody, context))

    assert case.decision.action is not None
    assert done.answer is not None
    assert done.answer.progress is Progress.OVERTAKEN
    assert list(tmp_path.iterdir()) == []
    assert dropped == [True]
