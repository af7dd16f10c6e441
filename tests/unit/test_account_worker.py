"""Which work each account is assigned in a pass, and for which accounts a worker is started."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.account_worker import start_workers
from reconciler.controller.assign_work import Work, assign_work
from reconciler.controller.desired_specs import DesiredSpecs, load_desired_specs
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.run_options import RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.model.action_record import ObservationStarted, PassEvent
from reconciler.model.job import Account, JobRef, Phase
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import JobStatus
from tests.support.build import ACCOUNT, a_spec
from tests.support.documents import a_provider, located
from tests.support.in_memory import Statuses, World
from tests.support.in_memory_accounts import (
    a_world,
    an_account,
    controlled,
    named_specs,
    subject_of,
)
from tests.support.in_memory_operator import Operator
from tests.support.subjects import HOUR, MINUTE, a_past, a_receipt

SLOW = Account("openai", "https://slow.example.org/v1")
TRUSTING = Operator({"RECONCILE_TRUST": "OPENAI_API_KEY=slow.example.org"})
SLOWLY = located(a_provider("slow", baseUrl=SLOW.base_url), "slow.yaml")


def past_of(spec: FineTuningJob, phase: Phase = Phase.RUNNING, *receipts: Any, account: Account = ACCOUNT) -> JobStatus:
    """Return the status of a spec that was written an hour ago."""
    subject = subject_of(spec, account=account)
    past = a_past(subject, phase, *receipts, age=HOUR, account=str(account), id=spec.spec.job_id)
    return replace(past, name=spec.metadata.name)


def ended(spec: FineTuningJob, account: Account = ACCOUNT) -> JobStatus:
    """Return the status of a spec whose job is final."""
    return replace(past_of(spec, Phase.SUCCEEDED, account=account), final=True)


def with_statuses(world: World, *statuses: JobStatus) -> World:
    world.statuses = Statuses.of(*statuses)
    return world


def two_accounts(*more: FineTuningJob) -> World:
    """Return a world with the job `chat` in one account and `code` in another, and with more specs."""
    chat, code = named_specs("chat")[0], named_specs("code", provider="slow")[0]
    world = a_world(an_account("ftjob-chat"), chat, code, *more, providers=(SLOWLY,))
    world.operator = TRUSTING
    world.accounts.readers = {ACCOUNT: an_account("ftjob-chat"), SLOW: an_account("ftjob-code")}
    return world


def desired_in(runtime: Runtime, **options: Any) -> DesiredSpecs:
    return load_desired_specs(runtime, RunOptions(**options), ResolutionCache(), by_content=True)


def assigned(
    world: World, *, due: frozenset[JobRef] | None = None, retry: frozenset[str] = frozenset(), **options: Any
) -> dict[Account, Work]:
    runtime = controlled(world)
    return assign_work(desired_in(runtime, **options), retry, due, runtime)


def subjects(work: Work) -> list[str]:
    return [subject.name for subject, _ in work.pairs]


def resting(work: Work) -> list[str]:
    return [subject.name for subject, _ in work.resting]


def test_each_account_is_assigned_its_own_specs() -> None:
    work = assigned(two_accounts())

    assert {account: subjects(each) for account, each in work.items()} == {ACCOUNT: ["chat"], SLOW: ["code"]}
    assert [each.is_part for each in work.values()] == [False, False]


def test_a_spec_with_an_unknown_provider_is_assigned_to_no_account() -> None:
    assert assigned(a_world(an_account(), a_spec(provider="nobody"))) == {}


def test_only_due_jobs_are_assigned_and_the_work_is_marked_as_partial() -> None:
    specs = named_specs("chat", "code")
    world = with_statuses(a_world(an_account(), *specs), *map(past_of, specs))
    work = assigned(world, due=frozenset({JobRef(ACCOUNT, "ftjob-code")}))

    assert subjects(work[ACCOUNT]) == ["code"]
    assert work[ACCOUNT].is_part


def test_an_account_without_due_jobs_is_assigned_no_work() -> None:
    (chat,) = named_specs("chat")

    assert assigned(with_statuses(a_world(an_account(), chat), past_of(chat)), due=frozenset()) == {}


def test_the_job_of_a_changed_spec_is_assigned_before_it_is_due() -> None:
    (observed,), (cancelled,) = named_specs("chat", desiredState="observed"), named_specs("chat")
    world = with_statuses(a_world(an_account(), cancelled), past_of(observed))

    assert subjects(assigned(world, due=frozenset())[ACCOUNT]) == ["chat"]


def test_a_final_job_is_assigned_as_resting() -> None:
    chat, code = named_specs("chat", "code", desiredState="observed")
    world = with_statuses(a_world(an_account(), chat, code), past_of(chat), ended(code))
    work = assigned(world, due=frozenset({JobRef(ACCOUNT, "ftjob-chat")}))[ACCOUNT]

    assert subjects(work) == ["chat"]
    assert resting(work) == ["code"]
    assert not work.is_part


class Counted(list[int]):
    """A list that counts how many times an item is read by its position."""

    reads = 0

    def __getitem__(self, position: Any) -> Any:
        """Count the read, and return the item."""
        self.reads += 1
        return super().__getitem__(position)


def test_one_search_finds_the_settled_jobs_of_all_accounts() -> None:
    old, past = *named_specs("old"), *named_specs("past", provider="slow")
    runtime = controlled(with_statuses(two_accounts(old, past), ended(old), ended(past, SLOW)))
    desired = desired_in(runtime)
    properties = Counted(desired.properties)
    work = assign_work(replace(desired, properties=properties), frozenset(), frozenset(), runtime)
    before = properties.reads

    assert resting(work[ACCOUNT]) == ["old"]
    searched = properties.reads
    assert searched > before, "no search is made before an account needs its settled jobs"
    assert (resting(work[SLOW]), resting(work[ACCOUNT])) == (["past"], ["old"])
    assert properties.reads == searched


def test_a_filter_marks_the_work_of_an_account_as_partial() -> None:
    world = a_world(an_account(), *named_specs("chat", "code"))
    work = assigned(world, is_selected=lambda spec: spec.name == "chat")

    assert subjects(work[ACCOUNT]) == ["chat"]
    assert work[ACCOUNT].is_part


def test_a_job_that_the_user_retries_is_marked_for_an_immediate_attempt() -> None:
    work = assigned(a_world(an_account(), *named_specs("chat", "code")), retry=frozenset({"code"}))

    assert [(subject.name, subject.is_retry) for subject, _ in work[ACCOUNT].pairs] == [("chat", False), ("code", True)]


def with_an_orphan(*receipts: Any) -> World:
    """Return a world with the spec `chat`, and the status of a deleted spec `code`."""
    chat, code = named_specs("chat", "code")
    return with_statuses(a_world(an_account("ftjob-chat", "ftjob-code"), chat), past_of(code, Phase.RUNNING, *receipts))


def test_the_job_of_a_deleted_spec_is_assigned_while_it_has_an_open_request() -> None:
    work = assigned(with_an_orphan(a_receipt(age=MINUTE)))[ACCOUNT]

    assert [each.name for each in work.orphans] == ["code"]
    assert work.names == {"chat", "code"}


@pytest.mark.parametrize("receipts", [(), (a_receipt(age=25 * HOUR),)], ids=["nothing asked", "a day ago"])
def test_the_job_of_a_deleted_spec_is_not_assigned_without_a_recent_open_request(receipts: tuple[Any, ...]) -> None:
    assert assigned(with_an_orphan(*receipts))[ACCOUNT].orphans == []


def test_the_jobs_of_deleted_specs_are_not_assigned_under_a_filter_or_in_a_dry_run() -> None:
    world = with_an_orphan(a_receipt(age=MINUTE))
    dry = world.runtime()

    assert assigned(world, is_selected=lambda _: True)[ACCOUNT].orphans == []
    assert assign_work(desired_in(dry), frozenset(), None, dry)[ACCOUNT].orphans == []


def test_the_job_of_a_deleted_spec_is_not_assigned_if_its_account_is_unknown() -> None:
    world = with_an_orphan()
    (code,) = named_specs("code")
    with_statuses(world, past_of(code, Phase.RUNNING, a_receipt(age=MINUTE), account=SLOW))

    assert assigned(world)[ACCOUNT].orphans == []


def started(world: World, memory: PassMemory, **rest: Any) -> set[Account]:
    """Start the workers, and return the accounts that have one."""
    runtime = controlled(world, **rest)

    async def main() -> set[Account]:
        start_workers(assign_work(desired_in(runtime), frozenset(), None, runtime), runtime, memory, 0)
        begun = set(memory.workers.begun_at)
        await memory.workers.abandon()
        return begun

    return asyncio.run(main())


def test_a_worker_is_started_for_every_account_with_work() -> None:
    assert started(two_accounts(), PassMemory()) == {ACCOUNT, SLOW}


def test_no_worker_is_started_in_a_stopping_run() -> None:
    assert started(two_accounts(), PassMemory(), is_stopping=lambda: True) == set()


@pytest.mark.parametrize(
    ("account", "name", "begun"),
    [(ACCOUNT, "other", {ACCOUNT, SLOW}), (Account("openai", "https://third.example.org"), "chat", {SLOW})],
    ids=["is at work itself", "has a job that another account is at work on"],
)
def test_an_account_is_not_started_while_it_or_one_of_its_jobs_has_a_worker(
    account: Account, name: str, begun: set[Account]
) -> None:
    world, memory = two_accounts(), PassMemory()
    runtime, told = controlled(world), list[PassEvent]()

    async def main() -> None:
        memory.workers.begin(account, {name}, _forever(), 0.0)
        start_workers(
            assign_work(desired_in(runtime), frozenset(), None, runtime),
            replace(runtime, notify=told.append),
            memory,
            0,
        )
        assert set(memory.workers.begun_at) == begun | {account}
        await asyncio.sleep(0)
        assert [each.account for each in told if isinstance(each, ObservationStarted)] == [SLOW]
        await memory.workers.abandon()

    asyncio.run(main())


def test_a_running_worker_gets_the_newest_rate_limit() -> None:
    world, memory = two_accounts(), PassMemory()
    runtime = controlled(world)

    async def main() -> None:
        memory.workers.begin(ACCOUNT, {"chat"}, _forever(), 0.0)
        work = assign_work(desired_in(runtime), frozenset(), None, runtime)
        raised = replace(work[ACCOUNT].target.rate, requests_per_second=77.0)
        work[ACCOUNT] = replace(work[ACCOUNT], target=replace(work[ACCOUNT].target, rate=raised))
        start_workers(work, runtime, memory, 0)
        await memory.workers.abandon()

        assert world.accounts.rates[ACCOUNT] == raised

    asyncio.run(main())


async def _forever() -> AccountOutcome:
    await asyncio.Event().wait()
    raise AssertionError
