"""What a look must show: every job once, in its phase, and absence only where the provider says so."""

# ruff: noqa: S101 - these are tests, though they ship

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

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
)
from reconciler.testing.calls import PAGE, NeedsStage, asked, disturb, seen, skip_unless, walk
from reconciler.testing.harness import Fault, Stage


class ReadContract(NeedsStage):
    """What a look must show: every job once, in its phase, and absence only where the provider says so."""

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
            skip_unless(can=stage.capabilities.can_pause)
        ref = stage.job_in(phase)
        job = seen(stage, ref)

        assert (job.id, job.phase) == (ref.id, phase)
        assert job.provider_status

    def test_a_job_is_the_same_by_each_of_its_ids(self, stage: Stage) -> None:
        """Where it has `aliases`, else by the one that it has."""
        ref = stage.job_in(Phase.RUNNING)
        job = seen(stage, ref)
        others = [seen(stage, replace(ref, id=job_id)) for job_id in sorted(job.ids)]

        assert [each.id for each in others] == sorted(job.ids)
        assert all((each.ids, each.phase) == (job.ids, job.phase) for each in others)

    def test_an_id_that_was_never_given_out_is_none(self, stage: Stage) -> None:
        """The provider's own not-found answer is the only one that means absence."""
        job = asked(stage, lambda controller: controller.get_job(stage.job_in(Phase.ABSENT)))

        assert job is None

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

    def test_an_empty_page_that_says_that_there_is_more_is_not_the_end(self, stage: Stage) -> None:
        """Some providers filter after paging; where that is not so, the list is not whole."""
        disturb(stage, Fault.EMPTY_PAGE)
        try:
            page = asked(stage, lambda controller: controller.list_page(PAGE, None))
        except ProviderError:
            return

        assert (page.jobs, page.next_cursor is None) == ((), False)

    def test_a_garbled_row_hides_no_other(self, stage: Stage) -> None:
        """The jobs that a list does not show are asked for by their ids."""
        disturb(stage, Fault.GARBLED_ROW)
        page = asked(stage, lambda controller: controller.list_page(PAGE, None))

        assert (len(page.jobs), page.garbled) == (PAGE.page_size - 1, 1)
        assert page.jobs[0].id in stage.job_ids
        assert page.next_cursor is not None

    def test_a_list_never_leads_to_another_host(self, stage: Stage) -> None:
        """There the key would go along: it is another page of this host, or an error."""
        disturb(stage, Fault.POINTS_ELSEWHERE)
        try:
            rows = asked(stage, walk)
        except PermanentError:
            return

        assert sorted(row.id for row in rows) == sorted(stage.job_ids)

    def test_a_compressed_answer_is_read(self, stage: Stage) -> None:
        """Whether or not it was asked for."""
        disturb(stage, Fault.GZIPPED)
        rows = asked(stage, walk)

        assert sorted(row.id for row in rows) == sorted(stage.job_ids)

    def test_a_fraction_of_a_second_does_not_spoil_a_time(self, stage: Stage) -> None:
        """Some clocks have one, and some have nine digits of it."""
        ref = stage.job_in(Phase.SUCCEEDED)
        before = seen(stage, ref).created_at
        disturb(stage, Fault.FRACTIONAL_TIMES)
        after = seen(stage, ref).created_at

        assert isinstance(before, datetime)
        assert isinstance(after, datetime)
        assert abs(after - before) < timedelta(seconds=1)

    def test_a_time_that_is_left_out_is_not_made_up(self, stage: Stage) -> None:
        """The job is in its phase all the same."""
        ref = stage.job_in(Phase.SUCCEEDED)
        disturb(stage, Fault.NO_TIMES)
        job = seen(stage, ref)

        assert job.phase is Phase.SUCCEEDED
        assert {job.created_at, job.started_at, job.finished_at} <= {None, UNSET}

    @pytest.mark.parametrize("tail", ["?limit=1", "#", "/", "/cancel", "/..", "%2F", " ", "é", "\n", "x" * 300])
    def test_an_odd_id_finds_no_job(self, stage: Stage, tail: str) -> None:
        """It names no other job, and no other question."""
        ref = stage.job_in(Phase.RUNNING)
        odd = replace(ref, id=ref.id + tail)
        try:
            job = asked(stage, lambda controller: controller.get_job(odd))
        except PermanentError:
            return

        assert job is None

    def test_the_newest_events_come_first(self, stage: Stage) -> None:
        """Where `can_list_events`."""
        skip_unless(can=stage.capabilities.can_list_events)
        events = asked(stage, lambda controller: _logging(controller).list_events(stage.job_in(Phase.SUCCEEDED), 2))
        moments = [event.at for event in events if event.at is not None]

        assert 0 < len(events) <= 2  # noqa: PLR2004 - the limit above
        assert all(event.message for event in events)
        assert moments == sorted(moments, reverse=True)

    def test_the_newest_checkpoints_come_first(self, stage: Stage) -> None:
        """Where `can_list_checkpoints`."""
        skip_unless(can=stage.capabilities.can_list_checkpoints)
        ref = stage.job_in(Phase.SUCCEEDED)
        found = asked(stage, lambda controller: _leaving(controller).list_checkpoints(ref, 2))
        steps = [each.step for each in found if each.step is not None]

        assert 0 < len(found) <= 2  # noqa: PLR2004 - the limit above
        assert all(each.model for each in found)
        assert steps == sorted(steps, reverse=True)


def _without_clock(job: ObservedJob) -> dict[str, object]:
    return {name: getattr(job, name) for name in ObservedJob.__dataclass_fields__ if name != "as_of"}


def _leaving(controller: JobController) -> SupportsCheckpoints:
    assert isinstance(controller, SupportsCheckpoints)
    return controller


def _logging(controller: JobController) -> SupportsEvents:
    assert isinstance(controller, SupportsEvents)
    return controller
