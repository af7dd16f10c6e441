"""Which announced ends a plan reports: each once, for the accounts and the models that its jobs use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import looptime
import pytest

from reconciler.controller.announced_ends import (
    MODELS_SOURCE,
    WARN_AFTER,
    WARN_BEFORE,
    announced_ends,
    base_model,
    named_ends,
    service_ends,
)
from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.model.job import Account, Phase
from reconciler.model.report import Row
from reconciler.model.retirement import AnnouncedEnd
from reconciler.plugin import BATCH_JOB, Capabilities, ModelEnd, Retirement
from reconciler.ports import JobReader, Snapshot
from reconciler.providers._openai_service import OpenAIService
from tests.support.build import ACCOUNT, NOW, a_spec
from tests.support.documents import a_provider, located
from tests.support.in_memory import OpenAccounts, World
from tests.support.in_memory_accounts import a_target
from tests.support.read_only_account import ReadOnlyAccount
from tests.support.reports import a_row

TODAY = NOW.date()
BATCHES = ACCOUNT.of_kind(BATCH_JOB)
END = Retirement(what="the creation of jobs", on=TODAY, source="example.org")
SOON, LATER = TODAY + timedelta(days=10), TODAY + timedelta(days=400)


@dataclass
class WithModels(ReadOnlyAccount):
    """An account that reports the ends of its models. `broken` may have an error for `models`."""

    ends: Sequence[ModelEnd] = ()
    takes_s: float = 0.0

    async def list_model_ends(self) -> tuple[ModelEnd, ...]:
        """Return the ends."""
        await asyncio.sleep(self.takes_s)
        self.ask("models")
        return tuple(self.ends)


def using(model: str | None, name: str = "a", account: Account = ACCOUNT, phase: Phase = Phase.RUNNING) -> Row:
    """Return the row of a job that uses a model."""
    row = a_row(name, phase=phase, account=account)
    assert row.status.job is not None
    return replace(row, status=replace(row.status, job=replace(row.status.job, model=model)))


def ends_of(*rows: Row, reader: JobReader | Exception | None = None, today: date = TODAY) -> list[AnnouncedEnd]:
    """Return the ends of models that concern these rows."""
    readers = {each: reader or WithModels({}) for each in (ACCOUNT, BATCHES)}
    world = World(accounts=OpenAccounts(readers))
    world.clock.moment = datetime.combine(today, time(12), UTC)
    targets = {each.account: each for each in a_target().of_each_kind()}
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        found = runner.run(announced_ends(world.runtime(), targets, rows))
    return [each for each in found if each.source == MODELS_SOURCE]


# Services


@pytest.mark.parametrize(
    ("days", "is_reported"),
    [
        (WARN_BEFORE.days + 1, False),
        (WARN_BEFORE.days, True),
        (0, True),
        (-WARN_AFTER.days, True),
        (-WARN_AFTER.days - 1, False),
    ],
)
def test_the_end_of_a_service_is_reported_around_its_day(days: int, *, is_reported: bool) -> None:
    target = a_target()
    assert isinstance(target.type, OpenAIService)
    type_ = replace(target.type, capabilities=Capabilities(retirements=(END,)))
    found = list(service_ends("main", replace(target, type=type_), TODAY - timedelta(days=days)))

    expected = AnnouncedEnd(account="main", what=END.what, on=TODAY, days=days, source=END.source)
    assert found == ([expected] if is_reported else [])


def test_the_end_of_a_service_does_not_concern_a_compatible_service_at_another_address() -> None:
    elsewhere = a_target(Account("openai", "https://gateway.example/v1"))
    near = elsewhere.type.capabilities.retirements[0].on

    assert list(service_ends("main", a_target(), near))
    assert not list(service_ends("main", elsewhere, near))


def test_the_end_of_fine_tuning_does_not_concern_batches() -> None:
    batches = a_target().of_kind(BATCH_JOB)
    assert batches is not None
    near = a_target().jobs.capabilities.retirements[0].on

    assert not list(service_ends("main", batches, near))


def test_an_account_with_two_names_and_many_jobs_is_reported_once() -> None:
    near = a_target().jobs.capabilities.retirements[0].on
    world = World(accounts=OpenAccounts({}))
    world.clock.moment = datetime.combine(near, time(), UTC)
    alias = located(a_provider("alias"), "p.yaml")
    snapshot = Snapshot(jobs=tuple(located(a_spec(each, jobId=f"ftjob-{each}")) for each in "abc"), providers=(alias,))
    rows = [replace(a_row(each), provider=name) for each in "abc" for name in ("openai", "alias")]
    planned = asyncio.run(announced_ends(world.runtime(), {ACCOUNT: a_target()}, rows))
    named = named_ends(world.runtime(), snapshot)

    whats = [each.what for each in planned]
    assert whats
    assert len(set(whats)) == len(whats)
    assert [each.what for each in named] == whats
    assert {each.account for each in planned} == {"openai"}


# Models


def test_a_model_that_ends_is_reported_once_with_the_unfinished_jobs_that_use_it() -> None:
    reader = WithModels({}, ends=[ModelEnd("gpt-4o", SOON), ModelEnd("gpt-x", SOON), ModelEnd("late", LATER)])
    rows = [using("gpt-4o", "a"), using("ft:gpt-4o:acme::9a", "b"), using("late", "c"), using(None, "d")]
    rows += [using("gpt-4o", "done", phase=Phase.SUCCEEDED), using("gpt-4o", "batch", BATCHES)]

    assert ends_of(*rows, reader=reader) == [
        AnnouncedEnd(
            account="openai",
            what="the model gpt-4o",
            on=SOON,
            days=10,
            source=MODELS_SOURCE,
            jobs=("a", "b", "batch"),
        )
    ]
    assert reader.asked == ["models"]


def test_a_model_that_has_ended_is_reported_while_an_unfinished_job_uses_it() -> None:
    reader = WithModels({}, ends=[ModelEnd("gpt-4o", date(2020, 1, 1))])
    (found,) = ends_of(using("gpt-4o"), reader=reader)

    assert found.days < -WARN_AFTER.days


@pytest.mark.parametrize(
    "row",
    [
        using(None),
        using("gpt-4o", phase=Phase.FAILED),
        replace(using("gpt-4o"), unobserved=a_row(unobserved="x").unobserved),
    ],
    ids=["no model", "ended", "unobserved"],
)
def test_the_ends_of_models_are_not_requested_without_an_observed_unfinished_job(row: Row) -> None:
    reader = WithModels({}, ends=[ModelEnd("gpt-4o", SOON)])

    assert ends_of(row, reader=reader) == []
    assert reader.asked == []


@pytest.mark.parametrize(
    "error",
    [
        PermanentError("403", kind=Kind.FORBIDDEN),
        PermanentError("404", kind=Kind.INVALID),
        TransientError("503", delivered=Delivered.NO),
        KeyError("a bug of the type"),
    ],
)
def test_ends_of_models_that_cannot_be_read_are_left_out(error: Exception) -> None:
    assert ends_of(using("gpt-4o"), reader=WithModels({}, broken={"models": error})) == []
    assert ends_of(using("gpt-4o"), reader=error) == []


def test_a_plan_does_not_wait_long_for_the_ends_of_models() -> None:
    reader = WithModels({}, ends=[ModelEnd("gpt-4o", SOON)], takes_s=3600)

    assert ends_of(using("gpt-4o"), reader=reader) == []


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("ft:gpt-4o:acme::9a", "gpt-4o"),
        ("ft:", ""),
        ("ft", "ft"),
        ("accounts/a/models/b", "accounts/a/models/b"),
    ],
)
def test_the_base_of_a_fine_tuned_model_is_its_second_part(model: str, base: str) -> None:
    assert base_model(model) == base
