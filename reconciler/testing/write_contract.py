"""The contract of an adapter for changes: the effect of a request, and what the adapter returns for the response."""

# ruff: noqa: S101 - these are tests, although they are part of the package

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
from reconciler.testing.calls import (
    STOPPED,
    ContractPart,
    break_or_skip,
    call,
    job_or_skip,
    retrieved,
    skip_unless,
    walk,
)
from reconciler.testing.harness import ACCEPTED, Fault, Stage


class WriteContract(ContractPart):
    """A change request has only the requested effect, and its result shows whether the provider accepted it."""

    @pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING, Phase.PAUSED])
    def test_a_cancel_stops_an_unfinished_job_and_no_other(self, stage: Stage, phase: Phase) -> None:
        """Every other job stays in its phase."""
        if phase is Phase.PAUSED:
            skip_unless(can=stage.capabilities.can_pause)
        ref = job_or_skip(stage, phase)
        before = {row.id: row.phase for row in call(stage, walk)}
        answer = _cancel(stage, ref)
        after = {row.id: row.phase for row in call(stage, walk)}

        assert answer == Accepted()
        assert after.pop(ref.id) in STOPPED
        assert after == {job_id: each for job_id, each in before.items() if job_id != ref.id}

    @pytest.mark.parametrize("phase", sorted(TERMINAL))
    def test_a_cancel_of_a_finished_job_returns_already_over_and_changes_nothing(
        self, stage: Stage, phase: Phase
    ) -> None:
        """The result contains the job. If the provider accepts such a cancel, the adapter must retrieve the job."""
        ref = job_or_skip(stage, phase)
        answer = _cancel(stage, ref)

        assert isinstance(answer, AlreadyOver), f"a cancel of a job that is {phase} was reported as accepted"
        assert (answer.job.id, answer.job.phase) == (ref.id, phase)
        assert retrieved(stage, ref).phase is phase

    def test_a_second_cancel_is_not_an_error(self, stage: Stage) -> None:
        """The second cancel returns `Accepted` or `AlreadyOver`, whatever the provider responds."""
        ref = stage.job_in(Phase.RUNNING)
        answers = [_cancel(stage, ref) for _ in range(2)]

        assert all(each == Accepted() or isinstance(each, AlreadyOver) for each in answers)
        assert retrieved(stage, ref).phase in STOPPED

    @pytest.mark.parametrize("fault", sorted(ACCEPTED))
    def test_any_2xx_response_to_a_cancel_counts_as_accepted(self, stage: Stage, fault: Fault) -> None:
        """The response need not contain the job, because the job is observed later."""
        ref = stage.job_in(Phase.RUNNING)
        break_or_skip(stage, fault)
        answer = _cancel(stage, ref)
        stage.heal()

        assert answer == Accepted()
        assert retrieved(stage, ref).phase in STOPPED

    def test_a_refused_cancel_of_an_unfinished_job_is_an_error(self, stage: Stage) -> None:
        """A refusal is reported as `AlreadyOver` only if the job has ended or is being cancelled."""
        ref = stage.job_in(Phase.RUNNING)
        break_or_skip(stage, Fault.REFUSED_ONCE)
        with pytest.raises(PermanentError) as caught:
            _cancel(stage, ref)

        assert caught.value.kind in {Kind.REFUSED, Kind.INVALID}
        assert retrieved(stage, ref).phase is Phase.RUNNING

    def test_a_cancel_of_a_job_that_does_not_exist_raises_refused(self, stage: Stage) -> None:
        """The error must not be mistaken for a cancel that took effect."""
        ref = stage.job_in(Phase.ABSENT)
        with pytest.raises(PermanentError) as caught:
            _cancel(stage, ref)

        assert caught.value.kind is Kind.REFUSED

    @pytest.mark.parametrize("tail", ["?", "#", "/", "/../", "%2F..", " "])
    def test_a_cancel_with_a_malformed_id_stops_no_job(self, stage: Stage, tail: str) -> None:
        """The malformed id begins with the id of a running job."""
        ref = stage.job_in(Phase.RUNNING)
        odd = replace(ref, id=ref.id + tail)
        with pytest.raises(PermanentError):
            _cancel(stage, odd)

        assert retrieved(stage, ref).phase is Phase.RUNNING

    def test_a_running_job_can_be_paused_and_resumed(self, stage: Stage) -> None:
        """The test is skipped for adapters without `can_pause`."""
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
