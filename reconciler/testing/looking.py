"""What a look must show: every job once, in its phase, and absence only where the provider says so."""

# ruff: noqa: S101 - these are tests, though they ship

from __future__ import annotations

import pytest

from reconciler.plugin import JobController, ObservedJob, Phase, SupportsEvents
from reconciler.testing.asking import PAGE, NeedsStage, asked, seen, skip_unless, walk
from reconciler.testing.stage import Fault, Stage


class LookingContract(NeedsStage):
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

    def test_the_newest_events_come_first(self, stage: Stage) -> None:
        """Where `can_list_events`."""
        skip_unless(can=stage.capabilities.can_list_events)
        events = asked(stage, lambda controller: _logging(controller).list_events(stage.job_in(Phase.SUCCEEDED), 2))
        moments = [event.at for event in events if event.at is not None]

        assert 0 < len(events) <= 2  # noqa: PLR2004 - the limit above
        assert all(event.message for event in events)
        assert moments == sorted(moments, reverse=True)


def _without_clock(job: ObservedJob) -> dict[str, object]:
    return {name: getattr(job, name) for name in ObservedJob.__dataclass_fields__ if name != "as_of"}


def _logging(controller: JobController) -> SupportsEvents:
    assert isinstance(controller, SupportsEvents)
    return controller
