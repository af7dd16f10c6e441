"""What must become of trouble: one of two errors, which say whether it was delivered, and never the key."""

# ruff: noqa: S101 - these are tests, though they ship

from __future__ import annotations

import pytest

from reconciler.plugin import Delivered, Kind, PermanentError, Phase, TransientError
from reconciler.testing.calls import (
    EVERYTHING,
    STOPPED,
    Ask,
    NeedsStage,
    asked,
    disturb,
    each_look,
    each_request,
    error_of,
    permanent_of,
    seen,
    transient_of,
)
from reconciler.testing.harness import HARMLESS, REFUSALS, RETRY_AFTER_S, TAKEN, Fault, Stage


class FailureContract(NeedsStage):
    """What must become of trouble: one of two errors, which say whether it was delivered, and never the key."""

    @each_request
    def test_a_404_of_something_in_between_is_an_error_and_not_an_absence(self, stage: Stage, request_: Ask) -> None:
        """A wrong URL must not look like jobs that have gone."""
        stage.break_with(Fault.FOREIGN_NOT_FOUND)

        assert permanent_of(stage, request_).kind is Kind.INVALID

    @each_request
    def test_a_key_that_is_not_accepted_is_denied(self, stage: Stage, request_: Ask) -> None:
        """Asking again does not help, and neither does asking for another job."""
        stage.break_with(Fault.UNAUTHORISED)

        assert permanent_of(stage, request_).kind is Kind.DENIED

    @each_request
    def test_what_a_key_may_not_do_is_forbidden(self, stage: Stage, request_: Ask) -> None:
        """It may be about this one job, so that it says nothing of the others."""
        stage.break_with(Fault.FORBIDDEN)

        assert permanent_of(stage, request_).kind is Kind.FORBIDDEN

    @each_request
    def test_too_many_requests_means_not_delivered_and_says_when_to_come_back(
        self, stage: Stage, request_: Ask
    ) -> None:
        """So the attempt does not count."""
        stage.break_with(Fault.RATE_LIMITED)
        error = transient_of(stage, request_)

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

        assert transient_of(stage, request_).delivered is Delivered.UNKNOWN

    @pytest.mark.parametrize("fault", [Fault.RESET_BEFORE_ACTING, Fault.RESET_AFTER_ACTING])
    def test_a_later_look_tells_whether_a_broken_cancel_was_delivered(self, stage: Stage, fault: Fault) -> None:
        """So that it need not be guessed."""
        ref = stage.job_in(Phase.RUNNING)
        stage.break_with(fault)
        with pytest.raises(TransientError):
            asked(stage, lambda controller: controller.cancel_job(ref))
        stage.heal()

        assert (seen(stage, ref).phase in STOPPED) is (fault is Fault.RESET_AFTER_ACTING)

    @each_look
    @pytest.mark.parametrize("fault", [Fault.PAGE_OF_A_PROXY, Fault.CUT_SHORT, *sorted(TAKEN - HARMLESS)])
    def test_a_200_that_is_not_the_providers_is_an_error(self, stage: Stage, fault: Fault, request_: Ask) -> None:
        """It is neither an empty list nor a job that has gone."""
        disturb(stage, fault)

        assert permanent_of(stage, request_).kind is Kind.INVALID

    @each_request
    @pytest.mark.parametrize("fault", sorted(REFUSALS))
    def test_a_refusal_in_a_shape_of_its_own_is_a_refusal(self, stage: Stage, fault: Fault, request_: Ask) -> None:
        """A gateway answers in its own way, and it is no absence, no success and no reason to ask again."""
        disturb(stage, fault)

        assert permanent_of(stage, request_).kind in {Kind.REFUSED, Kind.INVALID}

    @each_request
    def test_a_redirect_is_refused_and_not_followed(self, stage: Stage, request_: Ask) -> None:
        """The key would go along; had it been followed, nobody would have been there."""
        disturb(stage, Fault.REDIRECTED)

        assert permanent_of(stage, request_).kind in {Kind.REFUSED, Kind.INVALID}

    @each_look
    def test_an_answer_that_is_too_long_is_not_read_to_its_end(self, stage: Stage, request_: Ask) -> None:
        """Also where it is small until it is unpacked; the deadline may come first."""
        disturb(stage, Fault.HUGE)
        error = error_of(stage, request_)

        assert isinstance(error, TransientError) or (isinstance(error, PermanentError) and error.kind is Kind.INVALID)

    @each_request
    @pytest.mark.parametrize("fault", sorted(set(Fault) - HARMLESS - REFUSALS))
    def test_no_error_tells_the_key(self, stage: Stage, fault: Fault, request_: Ask) -> None:
        """Nor does what stands behind the error."""
        if not stage.secret:
            pytest.skip("this adapter needs no key")
        if fault in TAKEN and request_ is EVERYTHING["cancel"]:
            pytest.skip("a cancel is taken by an answer of 2xx, whatever it shows")
        disturb(stage, fault)
        error: BaseException | None = error_of(stage, request_)

        while error is not None:
            assert stage.secret not in f"{error!s} {error!r} {error.args!r}"
            error = error.__cause__ or error.__context__
