"""The contract of a provider adapter, as tests: an adapter reports and obeys, and raises only two errors.

A test looks at the world that it leaves behind, through the adapter itself. Where an adapter cannot do something, its
capabilities say so and the test is skipped.
"""

# ruff: noqa: S101 - these are tests, though they ship

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from reconciler.plugin import (
    TERMINAL,
    Delivered,
    JobController,
    JobRef,
    Kind,
    ListQuery,
    ObservedJob,
    Permanent,
    Phase,
    ProviderError,
    SupportsEvents,
    SupportsPause,
    Transient,
)
from reconciler.testing.stage import RETRY_AFTER_S, Fault, Stage

T = TypeVar("T")
Ask = Callable[[JobController, JobRef], Awaitable[object]]

PAGES_MAX = 50
PAGE = ListQuery(page_size=2)
STOPPED = frozenset({Phase.CANCELLING, Phase.CANCELLED})
EVERY_REQUEST: dict[str, Ask] = {
    "list": lambda controller, _: controller.list_page(PAGE, None),
    "retrieve": lambda controller, ref: controller.get_job(ref),
    "cancel": lambda controller, ref: controller.cancel_job(ref),
}

each_request = pytest.mark.parametrize("request_", EVERY_REQUEST.values(), ids=EVERY_REQUEST)


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


class ProviderContract:
    """Subclass it as `class TestMine(ProviderContract)` and override the fixture `stage`."""

    @pytest.fixture
    def stage(self) -> Stage:
        """Return a fresh stage for one test."""
        msg = "a subclass of ProviderContract must have a fixture `stage` that returns a fresh reconciler.testing.Stage"
        raise NotImplementedError(msg)

    # --- looking ---

    def test_the_pages_of_a_list_show_every_job_once(self, stage: Stage) -> None:
        """A page also never has more rows than were asked for."""
        rows = asked(stage, walk)

        assert sorted(row.id for row in rows) == sorted(stage.job_ids)

    def test_a_list_row_says_what_a_retrieve_says(self, stage: Stage) -> None:
        """All of it where `has_whole_rows`, else at least the phase."""
        ref = stage.job_in(Phase.SUCCEEDED)
        row = next(each for each in asked(stage, walk) if each.id == ref.id)
        job = seen(stage, ref)

        assert row.phase == job.phase
        if stage.capabilities.has_whole_rows:
            assert _without_clock(row) == _without_clock(job)

    @pytest.mark.parametrize(
        "phase", [Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.PAUSED]
    )
    def test_a_job_is_shown_in_its_phase(self, stage: Stage, phase: Phase) -> None:
        """And with the provider's own word, and its own id."""
        if phase is Phase.PAUSED:
            _skip_unless(can=stage.capabilities.can_pause)
        ref = stage.job_in(phase)
        job = seen(stage, ref)

        assert (job.id, job.phase) == (ref.id, phase)
        assert job.provider_status

    def test_an_id_that_was_never_given_out_is_none(self, stage: Stage) -> None:
        """The provider's own not-found answer is the only one that means absence."""
        job = asked(stage, lambda controller: controller.get_job(stage.job_in(Phase.ABSENT)))

        assert job is None

    @each_request
    def test_a_404_of_something_in_between_is_an_error_and_not_an_absence(self, stage: Stage, request_: Ask) -> None:
        """A wrong URL must not look like jobs that have gone."""
        stage.break_with(Fault.FOREIGN_NOT_FOUND)

        assert _permanent(stage, request_).kind is Kind.INVALID

    def test_an_unknown_word_passes_through_and_is_no_phase(self, stage: Stage) -> None:
        """What it means is for the core to say."""
        ref = stage.job_in(Phase.RUNNING)
        word = seen(stage, ref).provider_status
        stage.break_with(Fault.UNKNOWN_WORD)
        job = seen(stage, ref)

        assert job.phase is Phase.UNKNOWN
        assert job.provider_status not in {"", word}

    def test_a_list_that_goes_round_is_never_ended_by_the_adapter(self, stage: Stage) -> None:
        """The walk sees the cursor a second time, and knows that it saw not everything."""
        stage.break_with(Fault.ENDLESS_LIST)

        async def two_pages(controller: JobController) -> list[str | None]:
            first = await controller.list_page(PAGE, None)
            second = await controller.list_page(PAGE, first.next_cursor)
            return [first.next_cursor, second.next_cursor]

        first, second = asked(stage, two_pages)

        assert first is not None
        assert first == second

    # --- cancelling ---

    @pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING, Phase.PAUSED])
    def test_a_cancel_stops_an_unfinished_job_and_no_other(self, stage: Stage, phase: Phase) -> None:
        """Every other job is in the phase in which it was."""
        if phase is Phase.PAUSED:
            _skip_unless(can=stage.capabilities.can_pause)
        ref = stage.job_in(phase)
        before = {row.id: row.phase for row in asked(stage, walk)}
        asked(stage, lambda controller: controller.cancel_job(ref))
        after = {row.id: row.phase for row in asked(stage, walk)}

        assert after.pop(ref.id) in STOPPED
        assert after == {job_id: each for job_id, each in before.items() if job_id != ref.id}

    @pytest.mark.parametrize("phase", sorted(TERMINAL))
    def test_a_cancel_of_a_finished_job_is_quiet_and_changes_nothing(self, stage: Stage, phase: Phase) -> None:
        """That it was too late is for the core to say."""
        ref = stage.job_in(phase)
        answer = asked(stage, lambda controller: controller.cancel_job(ref))

        assert answer is None or answer.phase is phase
        assert seen(stage, ref).phase is phase

    def test_cancelling_twice_is_as_good_as_once(self, stage: Stage) -> None:
        """The second one is quiet, whatever the provider says to it."""
        ref = stage.job_in(Phase.RUNNING)
        for _ in range(2):
            asked(stage, lambda controller: controller.cancel_job(ref))

        assert seen(stage, ref).phase in STOPPED

    def test_a_cancel_of_a_job_that_is_not_there_is_refused(self, stage: Stage) -> None:
        """It must not look like a cancel that worked."""
        ref = stage.job_in(Phase.ABSENT)
        with pytest.raises(Permanent) as caught:
            asked(stage, lambda controller: controller.cancel_job(ref))

        assert caught.value.kind is Kind.REFUSED

    # --- pausing, and the job's log ---

    def test_a_running_job_pauses_and_goes_on(self, stage: Stage) -> None:
        """Where `can_pause`."""
        _skip_unless(can=stage.capabilities.can_pause)
        ref = stage.job_in(Phase.RUNNING)

        asked(stage, lambda controller: _pausing(controller).pause_job(ref))
        paused = seen(stage, ref).phase
        asked(stage, lambda controller: _pausing(controller).resume_job(ref))
        resumed = seen(stage, ref).phase

        assert paused in {Phase.PAUSING, Phase.PAUSED}
        assert resumed in {Phase.QUEUED, Phase.RUNNING}

    def test_the_newest_events_come_first(self, stage: Stage) -> None:
        """Where `can_list_events`."""
        _skip_unless(can=stage.capabilities.can_list_events)
        events = asked(stage, lambda controller: _logging(controller).list_events(stage.job_in(Phase.SUCCEEDED), 2))
        moments = [event.at for event in events if event.at is not None]

        assert 0 < len(events) <= 2  # noqa: PLR2004 - the limit above
        assert all(event.message for event in events)
        assert moments == sorted(moments, reverse=True)

    # --- failing ---

    @each_request
    @pytest.mark.parametrize("fault", [Fault.UNAUTHORISED, Fault.FORBIDDEN])
    def test_a_key_that_is_not_accepted_is_denied(self, stage: Stage, fault: Fault, request_: Ask) -> None:
        """Asking again does not help."""
        stage.break_with(fault)

        assert _permanent(stage, request_).kind is Kind.DENIED

    @each_request
    def test_too_many_requests_means_not_delivered_and_says_when_to_come_back(
        self, stage: Stage, request_: Ask
    ) -> None:
        """So the attempt does not count."""
        stage.break_with(Fault.RATE_LIMITED)
        error = _transient(stage, request_)

        assert error.delivered is Delivered.NO
        assert error.retry_after_s == pytest.approx(RETRY_AFTER_S)

    @each_request
    @pytest.mark.parametrize(
        "fault", [Fault.SERVER_ERROR, Fault.RESET_BEFORE_ACTING, Fault.RESET_AFTER_ACTING, Fault.SILENCE]
    )
    def test_without_an_answer_it_may_or_may_not_have_been_delivered(
        self, stage: Stage, fault: Fault, request_: Ask
    ) -> None:
        """A silent provider is given up at the deadline."""
        stage.break_with(fault)

        assert _transient(stage, request_).delivered is Delivered.UNKNOWN

    @pytest.mark.parametrize("fault", [Fault.RESET_BEFORE_ACTING, Fault.RESET_AFTER_ACTING])
    def test_a_later_look_tells_whether_a_broken_cancel_was_delivered(self, stage: Stage, fault: Fault) -> None:
        """So that it need not be guessed."""
        ref = stage.job_in(Phase.RUNNING)
        stage.break_with(fault)
        with pytest.raises(Transient):
            asked(stage, lambda controller: controller.cancel_job(ref))
        stage.heal()

        assert (seen(stage, ref).phase in STOPPED) is (fault is Fault.RESET_AFTER_ACTING)

    @pytest.mark.parametrize("request_", [EVERY_REQUEST["list"], EVERY_REQUEST["retrieve"]], ids=["list", "retrieve"])
    @pytest.mark.parametrize("fault", [Fault.PAGE_OF_A_PROXY, Fault.CUT_SHORT, Fault.EMPTY])
    def test_a_200_that_is_not_the_providers_is_an_error(self, stage: Stage, fault: Fault, request_: Ask) -> None:
        """It is neither an empty list nor a job that has gone."""
        stage.break_with(fault)

        assert _permanent(stage, request_).kind is Kind.INVALID

    @each_request
    @pytest.mark.parametrize("fault", sorted(set(Fault) - {Fault.UNKNOWN_WORD, Fault.ENDLESS_LIST}))
    def test_no_error_tells_the_key(self, stage: Stage, fault: Fault, request_: Ask) -> None:
        """Nor does what stands behind the error."""
        if not stage.secret:
            pytest.skip("this adapter needs no key")
        stage.break_with(fault)
        error: BaseException | None = _error(stage, request_)

        while error is not None:
            assert stage.secret not in f"{error!s} {error!r} {error.args!r}"
            error = error.__cause__ or error.__context__


def _without_clock(job: ObservedJob) -> dict[str, object]:
    return {name: getattr(job, name) for name in ObservedJob.__dataclass_fields__ if name != "as_of"}


def _skip_unless(*, can: bool) -> None:
    if not can:
        pytest.skip("the adapter's capabilities say that it cannot")


def _pausing(controller: JobController) -> SupportsPause:
    assert isinstance(controller, SupportsPause)
    return controller


def _logging(controller: JobController) -> SupportsEvents:
    assert isinstance(controller, SupportsEvents)
    return controller


def _error(stage: Stage, request_: Ask) -> ProviderError:
    """Put the request for a running job, and return the error that it must raise."""
    with pytest.raises(ProviderError) as caught:
        asked(stage, lambda controller: request_(controller, stage.job_in(Phase.RUNNING)))
    return caught.value


def _permanent(stage: Stage, request_: Ask) -> Permanent:
    error = _error(stage, request_)
    assert isinstance(error, Permanent), repr(error)
    return error


def _transient(stage: Stage, request_: Ask) -> Transient:
    error = _error(stage, request_)
    assert isinstance(error, Transient), repr(error)
    return error
