"""How a test of the contract puts its questions to an adapter."""

# ruff: noqa: S101 - these are tests, though they ship

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from reconciler.plugin import (
    JobController,
    JobRef,
    ListQuery,
    ObservedJob,
    PermanentError,
    Phase,
    ProviderError,
    TransientError,
)
from reconciler.testing.harness import Fault, Stage

T = TypeVar("T")
Ask = Callable[[JobController, JobRef], Awaitable[object]]

PAGES_MAX = 50
PAGE = ListQuery(page_size=2)
STOPPED = frozenset({Phase.CANCELLING, Phase.CANCELLED})
LOOKS: dict[str, Ask] = {
    "list": lambda controller, _: controller.list_page(PAGE, None),
    "retrieve": lambda controller, ref: controller.get_job(ref),
}
EVERYTHING: dict[str, Ask] = LOOKS | {"cancel": lambda controller, ref: controller.cancel_job(ref)}

each_look = pytest.mark.parametrize("request_", LOOKS.values(), ids=LOOKS)
each_request = pytest.mark.parametrize("request_", EVERYTHING.values(), ids=EVERYTHING)


class NeedsStage:
    """What each part of the contract is a subclass of."""

    @pytest.fixture
    def stage(self) -> Stage:
        """Return a fresh stage for one test."""
        msg = "a subclass of ProviderContract must have a fixture `stage` that returns a fresh reconciler.testing.Stage"
        raise NotImplementedError(msg)


def asked(stage: Stage, question: Callable[[JobController], Awaitable[T]]) -> T:
    """Open the adapter, put one question to it, close it, and return the answer."""

    async def main() -> T:
        async with stage.open() as controller:
            return await question(controller)

    return asyncio.run(main())


def seen(stage: Stage, ref: JobRef) -> ObservedJob:
    """Return the job as a retrieve shows it."""
    job = asked(stage, lambda controller: controller.get_job(ref))
    assert job is not None, f"{ref.id} is not there"
    return job


async def walk(controller: JobController) -> list[ObservedJob]:
    """Return every row of every page."""
    rows: list[ObservedJob] = []
    cursor = None
    for _ in range(PAGES_MAX):
        page = await controller.list_page(PAGE, cursor)
        assert len(page.jobs) <= PAGE.page_size
        rows += page.jobs
        cursor = page.next_cursor
        if cursor is None:
            return rows
    pytest.fail(f"the list did not end within {PAGES_MAX} pages")


def skip_unless(*, can: bool) -> None:
    """Skip the test of what the adapter's capabilities say that it cannot."""
    if not can:
        pytest.skip("the adapter's capabilities say that it cannot")


def disturb(stage: Stage, fault: Fault) -> None:
    """Let every request meet this fault; skip the test if the stage cannot."""
    try:
        stage.break_with(fault)
    except NotImplementedError:
        pytest.skip(f"this stage cannot have the fault {fault.name}")


def error_of(stage: Stage, request_: Ask) -> ProviderError:
    """Put the request for a running job, and return the error that it must raise."""
    with pytest.raises(ProviderError) as caught:
        asked(stage, lambda controller: request_(controller, stage.job_in(Phase.RUNNING)))
    return caught.value


def permanent_of(stage: Stage, request_: Ask) -> PermanentError:
    """Return the error, which must be of that kind."""
    error = error_of(stage, request_)
    assert isinstance(error, PermanentError), repr(error)
    return error


def transient_of(stage: Stage, request_: Ask) -> TransientError:
    """Return the error, which must be of that kind."""
    error = error_of(stage, request_)
    assert isinstance(error, TransientError), repr(error)
    return error
