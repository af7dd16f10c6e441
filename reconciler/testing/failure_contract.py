"""What an adapter must do when a request fails: raise `TransientError` or `PermanentError`, without the key in it."""

# ruff: noqa: S101 - these are tests, although they are part of the package

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
    """A failure raises `TransientError` or `PermanentError`, and neither contains the key.

    A `TransientError` states whether the provider may have acted on the request.
    """

    @for_each_request
    def test_a_404_from_a_proxy_is_an_error_and_not_an_absence(self, stage: Stage, request_: RequestFunction) -> None:
        """A wrong base URL must not look like deleted jobs."""
        stage.break_with(Fault.FOREIGN_NOT_FOUND)

        assert permanent_of(stage, request_).kind is Kind.INVALID

    @for_each_request
    def test_a_401_raises_denied(self, stage: Stage, request_: RequestFunction) -> None:
        """Neither a retry nor a request for another job can succeed with this key."""
        stage.break_with(Fault.UNAUTHORISED)

        assert permanent_of(stage, request_).kind is Kind.DENIED

    @for_each_request
    def test_a_403_raises_forbidden(self, stage: Stage, request_: RequestFunction) -> None:
        """The refusal may concern only this job, so other jobs are not affected."""
        stage.break_with(Fault.FORBIDDEN)

        assert permanent_of(stage, request_).kind is Kind.FORBIDDEN

    @for_each_request
    def test_a_429_is_not_delivered_and_has_the_retry_time(self, stage: Stage, request_: RequestFunction) -> None:
        """A request that was not delivered does not count as an attempt."""
        stage.break_with(Fault.RATE_LIMITED)
        error = transient_of(stage, request_)

        assert error.delivered is Delivered.NO
        assert error.retry_after_s == pytest.approx(RETRY_AFTER_S)

    @for_each_request
    @pytest.mark.parametrize(
        "fault", [Fault.SERVER_ERROR, Fault.RESET_BEFORE_ACTING, Fault.RESET_AFTER_ACTING, Fault.SILENCE]
    )
    def test_a_500_or_a_missing_response_leaves_the_delivery_unknown(
        self, stage: Stage, fault: Fault, request_: RequestFunction
    ) -> None:
        """If the provider never responds, the request fails at its deadline."""
        stage.break_with(fault)

        assert transient_of(stage, request_).delivered is Delivered.UNKNOWN

    @pytest.mark.parametrize("fault", [Fault.RESET_BEFORE_ACTING, Fault.RESET_AFTER_ACTING])
    def test_a_retrieve_shows_whether_an_interrupted_cancel_took_effect(self, stage: Stage, fault: Fault) -> None:
        """The controller relies on the retrieve, because the error does not show whether the cancel took effect."""
        ref = stage.job_in(Phase.RUNNING)
        stage.break_with(fault)
        with pytest.raises(TransientError):
            call(stage, lambda controller: controller.cancel_job(ref))
        stage.heal()

        assert (retrieved(stage, ref).phase in STOPPED) is (fault is Fault.RESET_AFTER_ACTING)

    @for_each_read
    @pytest.mark.parametrize("fault", [Fault.PAGE_OF_A_PROXY, Fault.CUT_SHORT, *sorted(ACCEPTED - HARMLESS)])
    def test_a_200_that_is_not_from_the_provider_is_an_error(
        self, stage: Stage, fault: Fault, request_: RequestFunction
    ) -> None:
        """Such a response must not look like an empty list or a deleted job."""
        break_or_skip(stage, fault)

        assert permanent_of(stage, request_).kind is Kind.INVALID

    @for_each_request
    @pytest.mark.parametrize("fault", sorted(REFUSALS))
    def test_a_400_in_the_format_of_a_gateway_is_a_refusal(
        self, stage: Stage, fault: Fault, request_: RequestFunction
    ) -> None:
        """A gateway has its own error format. The adapter must report neither a missing job nor a success."""
        break_or_skip(stage, fault)

        assert permanent_of(stage, request_).kind in {Kind.REFUSED, Kind.INVALID}

    @for_each_request
    def test_a_redirect_is_refused_and_not_followed(self, stage: Stage, request_: RequestFunction) -> None:
        """An adapter that followed the redirect would send the key to another host.

        The other host does not exist in this test.
        """
        break_or_skip(stage, Fault.REDIRECTED)

        assert permanent_of(stage, request_).kind in {Kind.REFUSED, Kind.INVALID}

    @for_each_read
    def test_a_response_that_is_too_large_is_an_error(self, stage: Stage, request_: RequestFunction) -> None:
        """The response is small until it is decompressed.

        It is also an error if the deadline expires while the response is read.
        """
        break_or_skip(stage, Fault.HUGE)
        error = error_of(stage, request_)

        assert isinstance(error, TransientError) or (isinstance(error, PermanentError) and error.kind is Kind.INVALID)

    @for_each_request
    @pytest.mark.parametrize("fault", sorted(set(Fault) - HARMLESS - REFUSALS))
    def test_no_error_contains_the_key(self, stage: Stage, fault: Fault, request_: RequestFunction) -> None:
        """The exceptions that caused the error do not contain the key either."""
        if not stage.secret:
            pytest.skip("this adapter needs no key")
        if fault in ACCEPTED and request_ is REQUESTS["cancel"]:
            pytest.skip("this 2xx response to a cancel counts as acceptance, so there is no error to check")
        break_or_skip(stage, fault)
        error: BaseException | None = error_of(stage, request_)

        while error is not None:
            assert stage.secret not in f"{error!s} {error!r} {error.args!r}"
            error = error.__cause__ or error.__context__
