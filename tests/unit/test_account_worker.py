"""What each account is given to do in a pass, and which accounts are started."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.account_worker import Work, assign_work, start_workers
from reconciler.controller.desired_specs import DesiredSpecs, load_desired_specs
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.run_options import RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.controller.spec_resolver import ResolutionCache
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
    """Return what was written of a spec an hour ago."""
    subject = subject_of(spec, account=account)
    past = a_past(subject, phase, *receipts, age=HOUR, account=str(account), id=spec.spec.job_id)
    return replace(past, name=spec.metadata.name)


def ended(spec: FineTuningJob) -> JobStatus:
    """Return what was written of a spec whose job has ended for good."""
    return replace(past_of(spec, Phase.SUCCEEDED), final=True)


def with_statuses(world: World, *statuses: JobStatus) -> World:
    world.statuses = Statuses.of(*statuses)
    return world


def two_accounts() -> World:
    """Return a world with the job `chat` in one account and `code` in another."""
    chat, code = named_specs("chat")[0], named_specs("code", provider="slow")[0]
    world = a_world(an_account("ftjob-chat"), chat, code, providers=(SLOWLY,))
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


def test_each_account_is_given_its_own_specs() -> None:
    work = assigned(two_accounts())

    assert {account: subjects(each) for account, each in work.items()} == {ACCOUNT: ["chat"], SLOW: ["code"]}
    assert [each.is_part for each in work.values()] == [False, False]


def test_a_spec_that_cannot_be_acted_on_is_given_to_nobody() -> None:
    assert assigned(a_world(an_account(), a_spec(provider="nobody"))) == {}


def test_an_account_is_asked_for_what_is_due_and_knows_that_there_is_more() -> None:
    specs = named_specs("chat", "code")
    world = with_statuses(a_world(an_account(), *specs), *map(past_of, specs))
    work = assigned(world, due=frozenset({JobRef(ACCOUNT, "ftjob-code")}))

    assert subjects(work[ACCOUNT]) == ["code"]
    assert work[ACCOUNT].is_part


def test_an_account_of_which_nothing_is_due_has_nothing_to_do() -> None:
    (chat,) = named_specs("chat")

    assert assigned(with_statuses(a_world(an_account(), chat), past_of(chat)), due=frozenset()) == {}


def test_a_spec_that_changed_is_looked_at_though_its_job_is_not_due() -> None:
    (observed,), (cancelled,) = named_specs("chat", desiredState="observed"), named_specs("chat")
    world = with_statuses(a_world(an_account(), cancelled), past_of(observed))

    assert subjects(assigned(world, due=frozenset())[ACCOUNT]) == ["chat"]


def test_a_job_that_ended_for_good_rests_beside_those_that_are_looked_at() -> None:
    chat, code = named_specs("chat", "code", desiredState="observed")
    world = with_statuses(a_world(an_account(), chat, code), past_of(chat), ended(code))
    work = assigned(world, due=frozenset({JobRef(ACCOUNT, "ftjob-chat")}))[ACCOUNT]

    assert subjects(work) == ["chat"]
    assert [subject.name for subject, _ in work.resting] == ["code"]
    assert not work.is_part


def test_under_a_filter_an_account_knows_that_it_has_other_jobs() -> None:
    world = a_world(an_account(), *named_specs("chat", "code"))
    work = assigned(world, is_selected=lambda spec: spec.name == "chat")

    assert subjects(work[ACCOUNT]) == ["chat"]
    assert work[ACCOUNT].is_part


def test_the_next_attempt_of_a_spec_that_a_person_named_is_due_now() -> None:
    work = assigned(a_world(an_account(), *named_specs("chat", "code")), retry=frozenset({"code"}))

    assert [(subject.name, subject.is_retry) for subject, _ in work[ACCOUNT].pairs] == [("chat", False), ("code", True)]


def with_an_orphan(*receipts: Any) -> World:
    """Return a world with the spec `chat`, and the status of a deleted spec `code`."""
    chat, code = named_specs("chat", "code")
    return with_statuses(a_world(an_account("ftjob-chat", "ftjob-code"), chat), past_of(code, Phase.RUNNING, *receipts))


def test_the_job_of_a_deleted_spec_is_looked_at_while_a_request_is_open() -> None:
    work = assigned(with_an_orphan(a_receipt(age=MINUTE)))[ACCOUNT]

    assert [each.name for each in work.orphans] == ["code"]
    assert work.names == {"chat", "code"}


@pytest.mark.parametrize("receipts", [(), (a_receipt(age=25 * HOUR),)], ids=["nothing asked", "a day ago"])
def test_the_job_of_a_deleted_spec_is_left_alone_otherwise(receipts: tuple[Any, ...]) -> None:
    assert assigned(with_an_orphan(*receipts))[ACCOUNT].orphans == []


def test_the_jobs_of_deleted_specs_are_left_alone_under_a_filter_and_in_a_dry_run() -> None:
    world = with_an_orphan(a_receipt(age=MINUTE))
    dry = world.runtime()

    assert assigned(world, is_selected=lambda _: True)[ACCOUNT].orphans == []
    assert assign_work(desired_in(dry), frozenset(), None, dry)[ACCOUNT].orphans == []


def test_the_job_of_a_deleted_spec_is_left_alone_where_its_account_is_not_known_any_more() -> None:
    world = with_an_orphan()
    (code,) = named_specs("code")
    with_statuses(world, past_of(code, Phase.RUNNING, a_receipt(age=MINUTE), account=SLOW))

    assert assigned(world)[ACCOUNT].orphans == []


def started(world: World, memory: PassMemory, **rest: Any) -> set[Account]:
    """Start what there is to do, and return who is at work."""
    runtime = controlled(world, **rest)

    async def main() -> set[Account]:
        start_workers(assign_work(desired_in(runtime), frozenset(), None, runtime), runtime, memory, 0)
        begun = set(memory.workers.begun_at)
        await memory.workers.abandon()
        return begun

    return asyncio.run(main())


def test_every_account_that_has_something_to_do_is_started() -> None:
    assert started(two_accounts(), PassMemory()) == {ACCOUNT, SLOW}


def test_no_account_is_started_once_somebody_wants_to_stop() -> None:
    assert started(two_accounts(), PassMemory(), is_stopping=lambda: True) == set()


@pytest.mark.parametrize(
    ("account", "name", "begun"),
    [(ACCOUNT, "other", {ACCOUNT, SLOW}), (Account("openai", "https://third.example.org"), "chat", {SLOW})],
    ids=["is at work itself", "has a job that another account is at work on"],
)
def test_an_account_is_not_started_that(account: Account, name: str, begun: set[Account]) -> None:
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


def test_an_account_at_work_gets_the_rate_limit_of_the_newest_documents() -> None:
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
