"""Contract of an adapter for changes: the request has its effect and no other, and reports whether it was accepted."""

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
from reconciler.testing.calls import STOPPED, ContractPart, break_or_skip, call, retrieved, skip_unless, walk
from reconciler.testing.harness import ACCEPTED, Fault, Stage


class WriteContract(ContractPart):
    """A change request has its effect and no other, and reports whether the provider accepted it."""

    @pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING, Phase.PAUSED])
    def test_a_cancel_stops_an_unfinished_job_and_no_other(self, stage: Stage, phase: Phase) -> None:
        """Every other job stays in its phase."""
        if phase is Phase.PAUSED:
            skip_unless(can=stage.capabilities.can_pause)
        ref = stage.job_in(phase)
        before = {row.id: row.phase for row in call(stage, walk)}
        answer = _cancel(stage, ref)
        after = {row.id: row.phase for row in call(stage, walk)}

        assert answer == Accepted()
        assert after.pop(ref.id) in STOPPED
        assert after == {job_id: each for job_id, each in before.items() if job_id != ref.id}

    @pytest.mark.parametrize("phase", sorted(TERMINAL))
    def test_a_cancel_of_a_finished_job_is_already_over_and_changes_nothing(self, stage: Stage, phase: Phase) -> None:
        """The result has the job. If the provider accepts such a cancel, the adapter retrieves the job first."""
        ref = stage.job_in(phase)
        answer = _cancel(stage, ref)

        assert isinstance(answer, AlreadyOver), f"a cancel of a job that is {phase} is reported as accepted"
        assert (answer.job.id, answer.job.phase) == (ref.id, phase)
        assert retrieved(stage, ref).phase is phase

    def test_cancelling_twice_is_as_good_as_once(self, stage: Stage) -> None:
        """The second one is not an error, whatever its response."""
        ref = stage.job_in(Phase.RUNNING)
        answers = [_cancel(stage, ref) for _ in range(2)]

        assert all(each == Accepted() or isinstance(each, AlreadyOver) for each in answers)
        assert retrieved(stage, ref).phase in STOPPED

    @pytest.mark.parametrize("fault", sorted(ACCEPTED))
    def test_a_cancel_is_accepted_by_any_answer_of_2xx(self, stage: Stage, fault: Fault) -> None:
        """The response need not have the job, because it is observed later."""
        ref = stage.job_in(Phase.RUNNING)
        break_or_skip(stage, fault)
        answer = _cancel(stage, ref)
        stage.heal()

        assert answer == Accepted()
        assert retrieved(stage, ref).phase in STOPPED

    def test_a_refused_cancel_of_an_unfinished_job_is_a_refusal(self, stage: Stage) -> None:
        """A refusal is moot only for a job that has ended or is being cancelled."""
        ref = stage.job_in(Phase.RUNNING)
        break_or_skip(stage, Fault.REFUSED_ONCE)
        with pytest.raises(PermanentError) as caught:
            _cancel(stage, ref)

        assert caught.value.kind in {Kind.REFUSED, Kind.INVALID}
        assert retrieved(stage, ref).phase is Phase.RUNNING

    def test_a_cancel_of_a_job_that_is_not_there_is_refused(self, stage: Stage) -> None:
        """It must not look like a cancel that worked."""
        ref = stage.job_in(Phase.ABSENT)
        with pytest.raises(PermanentError) as caught:
            _cancel(stage, ref)

        assert caught.value.kind is Kind.REFUSED

    @pytest.mark.parametrize("tail", ["?", "#", "/", "/../", "%2F..", " "])
    def test_a_cancel_by_an_odd_id_stops_nothing(self, stage: Stage, tail: str) -> None:
        """Even if the odd id contains a valid one."""
        ref = stage.job_in(Phase.RUNNING)
        odd = replace(ref, id=ref.id + tail)
        with pytest.raises(PermanentError):
            _cancel(stage, odd)

        assert retrieved(stage, ref).phase is Phase.RUNNING

    def test_a_running_job_pauses_and_resumes(self, stage: Stage) -> None:
        """For adapters with `can_pause`."""
        skip_unless(can=stage.capabilities.can_pause)
        ref = stage.job_in(Phase.RUNNING)

        call(stage, lambda controller: _with_pause(controller).pause_job(ref))
        paused = retrieved(stage, ref).phase
        call(stage, lambda controller: _with_pause(controller).resume_job(ref))
        resumed = retrieved(stage, ref).phase

        assert paused in {Phase.PAUSING, Phase.PAUSED}
        assert resumed in {Phase.QUEUED, Phase.RUNNING}


def _cancel(stage: Stage, ref: JobRef) -> Accepted | AlreadyOver:
    return call(stage, lambda controller: controller.cancel_job(ref))


def _with_pause(controller: JobController) -> SupportsPause:
    assert isinstance(controller, SupportsPause)
    return controller
