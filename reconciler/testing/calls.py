"""Helpers for the contract tests: they call an adapter, and return the result or the error that it must raise."""

# ruff: noqa: S101 - these are tests, although they are part of the package

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
RequestFunction = Callable[[JobController, JobRef], Awaitable[object]]

PAGES_MAX = 50
"""The number of pages of two jobs within which every list of a stage must end."""
PAGE = ListQuery(page_size=2)
STOPPED = frozenset({Phase.CANCELLING, Phase.CANCELLED})
"""The phases that show that a cancel took effect."""
READS: dict[str, RequestFunction] = {
    "list": lambda controller, _: controller.list_page(PAGE, None),
    "retrieve": lambda controller, ref: controller.get_job(ref),
}
REQUESTS: dict[str, RequestFunction] = READS | {"cancel": lambda controller, ref: controller.cancel_job(ref)}

for_each_read = pytest.mark.parametrize("request_", READS.values(), ids=READS)
for_each_request = pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)


class ContractPart:
    """The base class of the parts of the contract."""

    @pytest.fixture
    def stage(self) -> Stage:
        """Raise `NotImplementedError`. A subclass must override this fixture, and return a new stage for one test."""
        msg = "a subclass of ProviderContract must have a fixture `stage` that returns a fresh reconciler.testing.Stage"
        raise NotImplementedError(msg)


def call(stage: Stage, function: Callable[[JobController], Awaitable[T]]) -> T:
    """Open the adapter, call a function with it, close it, and return the result."""

    async def main() -> T:
        async with stage.open() as controller:
            return await function(controller)

    return asyncio.run(main())


def retrieved(stage: Stage, ref: JobRef) -> ObservedJob:
    """Retrieve and return a job, which must exist."""
    job = call(stage, lambda controller: controller.get_job(ref))
    assert job is not None, f"{ref.id} was not found"
    return job


async def walk(controller: JobController) -> list[ObservedJob]:
    """Return the rows of all pages of the list.

    The test fails if the list has more than `PAGES_MAX` pages, or if a page has more rows than requested.
    """
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
    """Skip the test if `can` is False, which means that the adapter lacks a capability that the test needs."""
    if not can:
        pytest.skip("the adapter does not have this capability")


def job_or_skip(stage: Stage, phase: Phase) -> JobRef:
    """Return a job in a phase. Skip the test if the provider has no such phase."""
    try:
        return stage.job_in(phase)
    except NotImplementedError:
        pytest.skip(f"the provider has no phase {phase}")


def ended_job(stage: Stage) -> JobRef:
    """Return a job that has succeeded, or a cancelled one if the provider has no phase `succeeded`."""
    try:
        return stage.job_in(Phase.SUCCEEDED)
    except NotImplementedError:
        return stage.job_in(Phase.CANCELLED)


def break_or_skip(stage: Stage, fault: Fault) -> None:
    """Apply a fault from now on. Skip the test if the stage does not support the fault."""
    try:
        stage.break_with(fault)
    except NotImplementedError:
        pytest.skip(f"this stage does not support the fault {fault.name}")


def error_of(stage: Stage, request_: RequestFunction) -> ProviderError:
    """Send the request for a running job, and return the error that it must raise."""
    with pytest.raises(ProviderError) as caught:
        call(stage, lambda controller: request_(controller, stage.job_in(Phase.RUNNING)))
    return caught.value


def permanent_of(stage: Stage, request_: RequestFunction) -> PermanentError:
    """Send the request for a running job, and return the `PermanentError` that it must raise."""
    error = error_of(stage, request_)
    assert isinstance(error, PermanentError), repr(error)
    return error


def transient_of(stage: Stage, request_: RequestFunction) -> TransientError:
    """Send the request for a running job, and return the `TransientError` that it must raise."""
    error = error_of(stage, request_)
    assert isinstance(error, TransientError), repr(error)
    return error
