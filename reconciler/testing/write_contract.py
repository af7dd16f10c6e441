"""What a request that changes something must do: just that, once, and say whether the provider took it."""

# ruff: noqa: S101 - these are tests, though they ship

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.plugin import (
    TERMINAL,
    Accepted,
    AlreadyOver,
    JobController,
    JobRef,
    Kind,
    PermanentError,
    Phase,
    SupportsPause,
)
from reconciler.testing.calls import STOPPED, NeedsStage, asked, disturb, seen, skip_unless, walk
from reconciler.testing.harness import TAKEN, Fault, Stage


class WriteContract(NeedsStage):
    """What a request that changes something must do: just that, once, and say whether the provider took it."""

    @pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING, Phase.PAUSED])
    def test_a_cancel_stops_an_unfinished_job_and_no_other(self, stage: Stage, phase: Phase) -> None:
        """Every other job is in the phase in which it was."""
        if phase is Phase.PAUSED:
            skip_unless(can=stage.capabilities.can_pause)
        ref = stage.job_in(phase)
        before = {row.id: row.phase for row in asked(stage, walk)}
        answer = _cancel(stage, ref)
        after = {row.id: row.phase for row in asked(stage, walk)}

        assert answer == Accepted()
        assert after.pop(ref.id) in STOPPED
        assert after == {job_id: each for job_id, each in before.items() if job_id != ref.id}

    @pytest.mark.parametrize("phase", sorted(TERMINAL))
    def test_a_cancel_of_a_finished_job_is_already_over_and_changes_nothing(self, stage: Stage, phase: Phase) -> None:
        """It shows how the job ended. Where the provider takes such a cancel quietly, the adapter looks."""
        ref = stage.job_in(phase)
        answer = _cancel(stage, ref)

        assert isinstance(answer, AlreadyOver), f"a cancel of a job that is {phase} is told as accepted"
        assert (answer.job.id, answer.job.phase) == (ref.id, phase)
        assert seen(stage, ref).phase is phase

    def test_cancelling_twice_is_as_good_as_once(self, stage: Stage) -> None:
        """The second one is no error, whatever the provider says to it."""
        ref = stage.job_in(Phase.RUNNING)
        answers = [_cancel(stage, ref) for _ in range(2)]

        assert all(each == Accepted() or isinstance(each, AlreadyOver) for each in answers)
        assert seen(stage, ref).phase in STOPPED

    @pytest.mark.parametrize("fault", sorted(TAKEN))
    def test_a_cancel_is_accepted_by_any_answer_of_2xx(self, stage: Stage, fault: Fault) -> None:
        """It need not show the job: a later look does that, and nothing is asked for again meanwhile."""
        ref = stage.job_in(Phase.RUNNING)
        disturb(stage, fault)
        answer = _cancel(stage, ref)
        stage.heal()

        assert answer == Accepted()
        assert seen(stage, ref).phase in STOPPED

    def test_a_refused_cancel_of_an_unfinished_job_is_a_refusal(self, stage: Stage) -> None:
        """Only a job that is over, or on its way there, makes a refusal moot."""
        ref = stage.job_in(Phase.RUNNING)
        disturb(stage, Fault.REFUSED_ONCE)
        with pytest.raises(PermanentError) as caught:
            _cancel(stage, ref)

        assert caught.value.kind in {Kind.REFUSED, Kind.INVALID}
        assert seen(stage, ref).phase is Phase.RUNNING

    def test_a_cancel_of_a_job_that_is_not_there_is_refused(self, stage: Stage) -> None:
        """It must not look like a cancel that worked."""
        ref = stage.job_in(Phase.ABSENT)
        with pytest.raises(PermanentError) as caught:
            _cancel(stage, ref)

        assert caught.value.kind is Kind.REFUSED

    @pytest.mark.parametrize("tail", ["?", "#", "/", "/../", "%2F..", " "])
    def test_a_cancel_by_an_odd_id_stops_nothing(self, stage: Stage, tail: str) -> None:
        """Also where the odd id holds a good one."""
        ref = stage.job_in(Phase.RUNNING)
        odd = replace(ref, id=ref.id + tail)
        with pytest.raises(PermanentError):
            _cancel(stage, odd)

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


def _cancel(stage: Stage, ref: JobRef) -> Accepted | AlreadyOver:
    return asked(stage, lambda controller: controller.cancel_job(ref))


def _pausing(controller: JobController) -> SupportsPause:
    assert isinstance(controller, SupportsPause)
    return controller
