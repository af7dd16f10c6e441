"""What a request that changes something must do: just that, once, and quietly where it is moot."""

# ruff: noqa: S101 - these are tests, though they ship

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.plugin import TERMINAL, JobController, Kind, Permanent, Phase, SupportsPause
from reconciler.testing.calls import STOPPED, NeedsStage, asked, seen, skip_unless, walk
from reconciler.testing.harness import Stage


class ActingContract(NeedsStage):
    """What a request that changes something must do: just that, once, and quietly where it is moot."""

    @pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING, Phase.PAUSED])
    def test_a_cancel_stops_an_unfinished_job_and_no_other(self, stage: Stage, phase: Phase) -> None:
        """Every other job is in the phase in which it was."""
        if phase is Phase.PAUSED:
            skip_unless(can=stage.capabilities.can_pause)
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

    @pytest.mark.parametrize("tail", ["?", "#", "/", "/../", "%2F..", " "])
    def test_a_cancel_by_an_odd_id_stops_nothing(self, stage: Stage, tail: str) -> None:
        """Also where the odd id holds a good one."""
        ref = stage.job_in(Phase.RUNNING)
        odd = replace(ref, id=ref.id + tail)
        with pytest.raises(Permanent):
            asked(stage, lambda controller: controller.cancel_job(odd))

        assert seen(stage, ref).phase is Phase.RUNNING

    def test_a_running_job_pauses_and_goes_on(self, stage: Stage) -> None:
        """Where `can_pause`."""
        skip_unless(can=stage.capabilities.can_pause)
        ref = stage.job_in(Phase.RUNNING)

        asked(stage, lambda controller: _pausing(controller).pause_job(ref))
        paused = seen(stage, ref).phase
        asked(stage, lambda controller: _pausing(controller).resume_job(ref))
        resumed = seen(stage, ref).phase

        assert paused in {Phase.PAUSING, Phase.PAUSED}
        assert resumed in {Phase.QUEUED, Phase.RUNNING}


def _pausing(controller: JobController) -> SupportsPause:
    assert isinstance(controller, SupportsPause)
    return controller
