from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.errors import Kind, PermanentError
from reconciler.model.job import Phase
from reconciler.ports import Response
from reconciler.providers import load
from reconciler.testing import ProviderContract
from reconciler.testing.calls import REQUESTS, RequestFunction, permanent_of, retrieved
from tests.contract.dialects.litellm import OverNewClient, Unlicensed
from tests.contract.dialects.services import LITELLM, PASS_THROUGH
from tests.contract.harnesses import Served, ServedHarness
from tests.support.canned_transport import complaint
from tests.support.single_retrieve import retrieve_once


class TestNative(ProviderContract):
    """`litellm` fulfils the contract on the proxy's own routes, with an upstream that is not the default."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, LITELLM)


class TestNativeOverNewClient(ProviderContract):
    """`litellm` fulfils the contract if the proxy uses openai 3.x."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, replace(LITELLM, front=OverNewClient))


class TestPassThrough(ProviderContract):
    """`litellm-passthrough` fulfils the contract."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, PASS_THROUGH)


# --- behaviour outside the contract ---


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_without_a_licence_the_error_is_permanent_and_recommends_the_pass_through(
    served: Served, request_: RequestFunction
) -> None:
    stage = ServedHarness(served, replace(LITELLM, front=Unlicensed))
    error = permanent_of(stage, request_)

    assert error.kind is Kind.REFUSED
    assert "Enterprise licence" in str(error)
    assert "litellm-passthrough" in str(error)


def test_the_error_says_that_the_proxy_cannot_show_a_paused_job(served: Served) -> None:
    stage = ServedHarness(served, replace(LITELLM, lacks=frozenset()))
    with pytest.raises(PermanentError, match="LiteLLM cannot show this job") as caught:
        retrieved(stage, stage.job_in(Phase.PAUSED))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize("type_name", ["litellm", "litellm-passthrough"])
def test_a_400_response_for_a_wrong_key_is_reported_as_denied(type_name: str) -> None:
    answer = complaint(400, message="No connected db.", type="no_db_connection", param=None, code="400")
    with pytest.raises(PermanentError, match="does not accept this key") as caught:
        retrieve_once(type_name, answer)

    assert caught.value.kind is Kind.DENIED


def test_a_configuration_error_of_the_proxy_is_permanent() -> None:
    answer = complaint(500, message="fine_tuning_config is not set, set it on your config.yaml file.", code="500")
    with pytest.raises(PermanentError, match="does not contain finetune_settings"):
        retrieve_once("litellm", answer)


@pytest.mark.parametrize(
    "upstream",
    [
        "{'error': {'message': 'no ftjob-1', 'code': 'fine_tune_not_found'}}",
        "{'error': {'code': 'notFound', 'message': 'no such job'}}",
    ],
)
def test_a_job_is_absent_if_the_proxy_repeats_its_upstreams_not_found_error(upstream: str) -> None:
    assert retrieve_once("litellm", _not_found(f"Error code: 404 - {upstream}")) is None


@pytest.mark.parametrize(
    "message",
    [
        "Error code: 404 - {'error': {'code': '404', 'message': 'Resource not found'}}",
        "Error code: 404 - {'error': {'message': 'Invalid URL (GET /v1/x)', 'code': None}}",
        "Error code: 404 - {'error': {'message': 'no ftjob-1', 'code': 'model_not_found'}}",
        "ftjob-1",
    ],
)
def test_any_other_404_from_the_proxy_is_an_error(message: str) -> None:
    with pytest.raises(PermanentError) as caught:
        retrieve_once("litellm", _not_found(message))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    "message", ["Error code: 404 - Could not find fine tune: ftjob-1", "Error code: 404 - No job ftjob-1 was found"]
)
def test_a_job_is_absent_only_by_the_upstreams_own_message(message: str) -> None:
    told = complaint(404, message=message, type="invalid_request_error", param="fine_tune_id", code="404")

    assert retrieve_once("litellm", told) is None


@pytest.mark.parametrize(
    "message",
    [
        "Error code: 404 - Could not find fine tune",
        "Error code: 404 - Invalid URL (GET /v1/ftjob-1)",
        "Error code: 404 - The model of ftjob-1 was not found",
        "ftjob-1",
    ],
)
def test_an_upstream_message_without_the_job_id_or_about_a_url_is_not_an_absence(message: str) -> None:
    with pytest.raises(PermanentError) as caught:
        retrieve_once("litellm", complaint(404, message=message, type="invalid_request_error", param=None, code="404"))

    assert caught.value.kind is Kind.INVALID


def test_only_the_pass_through_type_confirms_a_cancel() -> None:
    assert load("litellm").capabilities.confirms is False
    assert load("litellm-passthrough").capabilities.confirms is True


def test_each_upstream_is_a_separate_account() -> None:
    type_ = load("litellm")

    assert type_.scope(type_.options()) == (("custom_llm_provider", "openai"),)
    assert type_.scope(type_.options.model_validate({"customLlmProvider": "azure"})) == (
        ("custom_llm_provider", "azure"),
    )


def _not_found(message: str) -> Response:
    return complaint(404, message=message, type="internal_server_error", param="None", code="404")
