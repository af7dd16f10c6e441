"""The contract of an adapter for reads: what listing and retrieving jobs return, and when a job counts as absent."""

# ruff: noqa: S101 - these are tests, although they are part of the package

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from reconciler.plugin import (
    UNSET,
    JobController,
    ObservedJob,
    PermanentError,
    Phase,
    ProviderError,
    SupportsCheckpoints,
    SupportsEvents,
    SupportsModelEnds,
)
from reconciler.testing.calls import (
    PAGE,
    ContractPart,
    break_or_skip,
    call,
    ended_job,
    job_or_skip,
    retrieved,
    skip_unless,
    walk,
)
from reconciler.testing.harness import Fault, Stage


class ReadContract(ContractPart):
    """A list contains every job once, a retrieve shows a job's phase, and only the provider reports a job absent."""

    def test_the_pages_of_a_list_show_every_job_once(self, stage: Stage) -> None:
        """A page never contains more rows than requested."""
        rows = call(stage, walk)

        assert sorted(row.id for row in rows) == sorted(stage.job_ids)

    def test_a_list_row_matches_the_retrieved_job(self, stage: Stage) -> None:
        """With `has_whole_rows`, all fields match; otherwise at least the phase does."""
        ref = ended_job(stage)
        row = next(each for each in call(stage, walk) if each.id == ref.id)
        job = retrieved(stage, ref)

        assert row.phase == job.phase
        if stage.capabilities.has_whole_rows:
            assert _without_clock(row) == _without_clock(job)

    @pytest.mark.parametrize(
        "phase", [Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.PAUSED]
    )
    def test_a_retrieved_job_has_the_expected_phase(self, stage: Stage, phase: Phase) -> None:
        """The job also has the requested id and the provider's status word."""
        if phase is Phase.PAUSED:
            skip_unless(can=stage.capabilities.can_pause)
        ref = job_or_skip(stage, phase)
        job = retrieved(stage, ref)

        assert (job.id, job.phase) == (ref.id, phase)
        assert job.provider_status

    def test_a_job_can_be_retrieved_by_each_of_its_ids(self, stage: Stage) -> None:
        """A job with `aliases` has several ids."""
        ref = stage.job_in(Phase.RUNNING)
        job = retrieved(stage, ref)
        others = [retrieved(stage, replace(ref, id=job_id)) for job_id in sorted(job.ids)]

        assert [each.id for each in others] == sorted(job.ids)
        assert all((each.ids, each.phase) == (job.ids, job.phase) for each in others)

    def test_a_job_that_does_not_exist_is_none(self, stage: Stage) -> None:
        """Only the provider's own not-found error means that the job is absent."""
        job = call(stage, lambda controller: controller.get_job(stage.job_in(Phase.ABSENT)))

        assert job is None

    def test_an_unknown_status_word_is_kept_and_has_the_phase_unknown(self, stage: Stage) -> None:
        """The core decides what the word means."""
        ref = stage.job_in(Phase.RUNNING)
        word = retrieved(stage, ref).provider_status
        break_or_skip(stage, Fault.UNKNOWN_WORD)
        job = retrieved(stage, ref)

        assert job.phase is Phase.UNKNOWN
        assert job.provider_status not in {"", word}

    def test_an_adapter_does_not_end_a_list_whose_pages_repeat(self, stage: Stage) -> None:
        """The controller detects the repeated cursor, and treats the list as incomplete."""
        break_or_skip(stage, Fault.ENDLESS_LIST)

        async def two_pages(controller: JobController) -> list[str | None]:
            first = await controller.list_page(PAGE, None)
            second = await controller.list_page(PAGE, first.next_cursor)
            return [first.next_cursor, second.next_cursor]

        first, second = call(stage, two_pages)

        assert first is not None
        assert first == second

    def test_an_empty_page_with_a_next_page_does_not_end_the_list(self, stage: Stage) -> None:
        """Some providers filter the rows after paging. An adapter for another provider may raise an error instead."""
        break_or_skip(stage, Fault.EMPTY_PAGE)
        try:
            page = call(stage, lambda controller: controller.list_page(PAGE, None))
        except ProviderError:
            return

        assert (page.jobs, page.next_cursor is None) == ((), False)

    def test_a_garbled_row_hides_no_other_row(self, stage: Stage) -> None:
        """The controller then retrieves the missing jobs by their ids."""
        break_or_skip(stage, Fault.GARBLED_ROW)
        page = call(stage, lambda controller: controller.list_page(PAGE, None))

        assert (len(page.jobs), page.garbled) == (PAGE.page_size - 1, 1)
        assert page.jobs[0].id in stage.job_ids
        assert page.next_cursor is not None

    def test_a_list_never_follows_a_next_page_on_another_host(self, stage: Stage) -> None:
        """The key must not be sent to that host. The adapter must ignore the address, or raise an error."""
        break_or_skip(stage, Fault.POINTS_ELSEWHERE)
        try:
            rows = call(stage, walk)
        except PermanentError:
            return

        assert sorted(row.id for row in rows) == sorted(stage.job_ids)

    def test_a_compressed_response_is_read(self, stage: Stage) -> None:
        """A gateway may compress a response even if the request did not ask for compression."""
        break_or_skip(stage, Fault.GZIPPED)
        rows = call(stage, walk)

        assert sorted(row.id for row in rows) == sorted(stage.job_ids)

    def test_a_time_with_a_fraction_of_a_second_is_read(self, stage: Stage) -> None:
        """Some providers return fractions with up to nine digits."""
        ref = ended_job(stage)
        before = retrieved(stage, ref).created_at
        break_or_skip(stage, Fault.FRACTIONAL_TIMES)
        after = retrieved(stage, ref).created_at

        assert isinstance(before, datetime)
        assert isinstance(after, datetime)
        assert abs(after - before) < timedelta(seconds=1)

    def test_a_missing_time_is_none_or_unset(self, stage: Stage) -> None:
        """The phase of the job is still read."""
        ref = ended_job(stage)
        phase = retrieved(stage, ref).phase
        break_or_skip(stage, Fault.NO_TIMES)
        job = retrieved(stage, ref)

        assert job.phase is phase
        assert {job.created_at, job.started_at, job.finished_at} <= {None, UNSET}

    @pytest.mark.parametrize("tail", ["?limit=1", "#", "/", "/cancel", "/..", "%2F", " ", "é", "\n", "x" * 300])
    def test_a_malformed_id_finds_no_job(self, stage: Stage, tail: str) -> None:
        """The id must lead neither to another job nor to another operation."""
        ref = stage.job_in(Phase.RUNNING)
        odd = replace(ref, id=ref.id + tail)
        try:
            job = call(stage, lambda controller: controller.get_job(odd))
        except PermanentError:
            return

        assert job is None

    def test_the_newest_events_come_first(self, stage: Stage) -> None:
        """The test is skipped for adapters without `can_list_events`."""
        skip_unless(can=stage.capabilities.can_list_events)
        events = call(stage, lambda controller: _with_events(controller).list_events(ended_job(stage), 2))
        moments = [event.at for event in events if event.at is not None]

        assert 0 < len(events) <= 2  # noqa: PLR2004 - the limit above
        assert all(event.message for event in events)
        assert moments == sorted(moments, reverse=True)

    def test_the_newest_checkpoints_come_first(self, stage: Stage) -> None:
        """The test is skipped for adapters without `can_list_checkpoints`."""
        skip_unless(can=stage.capabilities.can_list_checkpoints)
        ref = ended_job(stage)
        found = call(stage, lambda controller: _with_checkpoints(controller).list_checkpoints(ref, 2))
        steps = [each.step for each in found if each.step is not None]

        assert 0 < len(found) <= 2  # noqa: PLR2004 - the limit above
        assert all(each.model for each in found)
        assert steps == sorted(steps, reverse=True)

    def test_the_end_of_a_model_is_a_day(self, stage: Stage) -> None:
        """The test is skipped for adapters without `can_list_model_ends`. The provider must report an end."""
        skip_unless(can=stage.capabilities.can_list_model_ends)
        ends = call(stage, lambda controller: _with_model_ends(controller).list_model_ends())

        assert ends
        assert all(each.model and type(each.on) is date for each in ends)


def _without_clock(job: ObservedJob) -> dict[str, object]:
    return {name: getattr(job, name) for name in ObservedJob.__dataclass_fields__ if name != "as_of"}


def _with_checkpoints(controller: JobController) -> SupportsCheckpoints:
    assert isinstance(controller, SupportsCheckpoints)
    return controller


def _with_events(controller: JobController) -> SupportsEvents:
    assert isinstance(controller, SupportsEvents)
    return controller


def _with_model_ends(controller: JobController) -> SupportsModelEnds:
    assert isinstance(controller, SupportsModelEnds)
    return controller
