"""Contract of an adapter for failures: one of two errors, with the delivery of the request and without the key."""

# ruff: noqa: S101 - these are tests, though they ship

from __future__ import annotations

import pytest

from reconciler.plugin import Delivered, Kind, PermanentError, Phase, TransientError
from reconciler.testing.calls import (
    REQUESTS,
    STOPPED,
    ContractPart,
    RequestFunction,
    break_or_skip,
    call,
    error_of,
    for_each_read,
    for_each_request,
    permanent_of,
    retrieved,
    transient_of,
)
from reconciler.testing.harness import ACCEPTED, HARMLESS, REFUSALS, RETRY_AFTER_S, Fault, Stage


class FailureContract(ContractPart):
    """Every failure is one of two errors, which has the delivery of the request and never the key."""

    @for_each_request
    def test_a_404_of_something_in_between_is_an_error_and_not_an_absence(
        self, stage: Stage, request_: RequestFunction
    ) -> None:
        """A wrong base URL must not look like deleted jobs."""
        stage.break_with(Fault.FOREIGN_NOT_FOUND)

        assert permanent_of(stage, request_).kind is Kind.INVALID

    @for_each_request
    def test_a_key_that_is_not_accepted_is_denied(self, stage: Stage, request_: RequestFunction) -> None:
        """A retry does not help, and neither does a request for another job."""
        stage.break_with(Fault.UNAUTHORISED)

        assert permanent_of(stage, request_).kind is Kind.DENIED

    @for_each_request
    def test_what_a_key_may_not_do_is_forbidden(self, stage: Stage, request_: RequestFunction) -> None:
        """It may concern only this job, so it does not affect other jobs."""
        stage.break_with(Fault.FORBIDDEN)

        assert permanent_of(stage, request_).kind is Kind.FORBIDDEN

    @for_each_request
    def test_too_many_requests_are_not_delivered_and_have_a_retry_time(
        self, stage: Stage, request_: RequestFunction
    ) -> None:
        """Therefore the attempt does not count."""
        stage.break_with(Fault.RATE_LIMITED)
        error = transient_of(stage, request_)

        assert error.delivered is Delivered.NO
        assert error.retry_after_s == pytest.approx(RETRY_AFTER_S)

    @for_each_request
    @pytest.mark.parametrize(
        "fault", [Fault.SERVER_ERROR, Fault.RESET_BEFORE_ACTING, Fault.RESET_AFTER_ACTING, Fault.SILENCE]
    )
    def test_without_an_answer_it_may_or_may_not_have_been_delivered(
        self, stage: Stage, fault: Fault, request_: RequestFunction
    ) -> None:
        """A request without a response fails at its deadline."""
        stage.break_with(fault)

        assert transient_of(stage, request_).delivered is Delivered.UNKNOWN

    @pytest.mark.parametrize("fault", [Fault.RESET_BEFORE_ACTING, Fault.RESET_AFTER_ACTING])
    def test_a_later_retrieve_shows_whether_a_broken_cancel_was_delivered(self, stage: Stage, fault: Fault) -> None:
        """The product relies on it, because the error itself does not show it."""
        ref = stage.job_in(Phase.RUNNING)
        stage.break_with(fault)
        with pytest.raises(TransientError):
            call(stage, lambda controller: controller.cancel_job(ref))
        stage.heal()

        assert (retrieved(stage, ref).phase in STOPPED) is (fault is Fault.RESET_AFTER_ACTING)

    @for_each_read
    @pytest.mark.parametrize("fault", [Fault.PAGE_OF_A_PROXY, Fault.CUT_SHORT, *sorted(ACCEPTED - HARMLESS)])
    def test_a_200_that_is_not_the_providers_is_an_error(
        self, stage: Stage, fault: Fault, request_: RequestFunction
    ) -> None:
        """It is neither an empty list nor a deleted job."""
        break_or_skip(stage, fault)

        assert permanent_of(stage, request_).kind is Kind.INVALID

    @for_each_request
    @pytest.mark.parametrize("fault", sorted(REFUSALS))
    def test_a_refusal_in_a_shape_of_its_own_is_a_refusal(
        self, stage: Stage, fault: Fault, request_: RequestFunction
    ) -> None:
        """A gateway has its own error format. Its error is not an absence, not a success, and not temporary."""
        break_or_skip(stage, fault)

        assert permanent_of(stage, request_).kind in {Kind.REFUSED, Kind.INVALID}

    @for_each_request
    def test_a_redirect_is_refused_and_not_followed(self, stage: Stage, request_: RequestFunction) -> None:
        """A redirect would send the key to another host. That host does not exist, so a followed redirect fails."""
        break_or_skip(stage, Fault.REDIRECTED)

        assert permanent_of(stage, request_).kind in {Kind.REFUSED, Kind.INVALID}

    @for_each_read
    def test_an_answer_that_is_too_long_is_not_read_to_its_end(self, stage: Stage, request_: RequestFunction) -> None:
        """This includes a compressed response that is small. The deadline may expire first."""
        break_or_skip(stage, Fault.HUGE)
        error = error_of(stage, request_)

        assert isinstance(error, TransientError) or (isinstance(error, PermanentError) and error.kind is Kind.INVALID)

    @for_each_request
    @pytest.mark.parametrize("fault", sorted(set(Fault) - HARMLESS - REFUSALS))
    def test_no_error_contains_the_key(self, stage: Stage, fault: Fault, request_: RequestFunction) -> None:
        """Neither do the exceptions that caused it."""
        if not stage.secret:
            pytest.skip("this adapter needs no key")
        if fault in ACCEPTED and request_ is REQUESTS["cancel"]:
            pytest.skip("a cancel is accepted by any 2xx response")
        break_or_skip(stage, fault)
        error: BaseException | None = error_of(stage, request_)

        while error is not None:
            assert stage.secret not in f"{error!s} {error!r} {error.args!r}"
            error = error.__cause__ or error.__context__
