"""The OpenAI and Azure OpenAI servers of the contract tests, checked by OpenAI's own clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import AzureOpenAI, ConflictError, NotFoundError, OpenAI

from reconciler.model.job import Phase
from reconciler.testing.calls import retrieved
from tests.contract.dialects.azure import API_VERSION, TOKEN
from tests.contract.dialects.litellm import UPSTREAM
from tests.contract.dialects.services import (
    AZURE_CLASSIC,
    AZURE_V1,
    LITELLM,
    NEBIUS,
    OPENAI,
    PASS_THROUGH,
    Service,
)
from tests.contract.harnesses import Served, ServedHarness

Connect = Callable[[ServedHarness], OpenAI]

CLIENTS: dict[str, tuple[Service, Connect]] = {
    "openai": (OPENAI, lambda stage: OpenAI(base_url=stage.account.base_url, api_key=stage.secret, max_retries=0)),
    "nebius": (NEBIUS, lambda stage: OpenAI(base_url=stage.account.base_url, api_key=stage.secret, max_retries=0)),
    "azure, classic, key": (
        AZURE_CLASSIC,
        lambda stage: AzureOpenAI(
            azure_endpoint=stage.account.base_url, api_version=API_VERSION, api_key=stage.secret, max_retries=0
        ),
    ),
    "azure, classic, token": (
        AZURE_CLASSIC,
        lambda stage: AzureOpenAI(
            azure_endpoint=stage.account.base_url, api_version=API_VERSION, azure_ad_token=TOKEN, max_retries=0
        ),
    ),
    "azure, v1": (
        AZURE_V1,
        lambda stage: OpenAI(base_url=f"{stage.account.base_url}/openai/v1/", api_key=TOKEN, max_retries=0),
    ),
    "litellm": (
        LITELLM,
        lambda stage: OpenAI(
            base_url=f"{stage.account.base_url}/v1",
            api_key=stage.secret,
            default_query={"custom_llm_provider": UPSTREAM},
            max_retries=0,
        ),
    ),
    "litellm, pass-through": (
        PASS_THROUGH,
        lambda stage: OpenAI(base_url=f"{stage.account.base_url}/openai/v1", api_key=stage.secret, max_retries=0),
    ),
}
ASK = {"custom_llm_provider": UPSTREAM}
"""Parameters that only LiteLLM's own routes read."""


@pytest.fixture(params=list(CLIENTS))
def met(request: pytest.FixtureRequest, served: Served) -> Iterator[tuple[ServedHarness, Any]]:
    service, connect = CLIENTS[request.param]
    stage = ServedHarness(served, service)
    with connect(stage) as client:
        yield stage, client.fine_tuning.jobs


def test_the_openai_client_lists_all_pages_of_the_dialect(met: tuple[ServedHarness, Any]) -> None:
    stage, jobs = met
    found = [job.id for job in jobs.list(limit=2)]

    assert sorted(found) == sorted(stage.job_ids)


def test_the_adapter_observes_a_job_that_the_openai_client_cancelled(met: tuple[ServedHarness, Any]) -> None:
    stage, jobs = met
    ref = stage.job_in(Phase.RUNNING)
    before = jobs.retrieve(ref.id)
    answer = jobs.cancel(ref.id, extra_body=ASK)

    assert (before.id, before.status) == (ref.id, "running")
    assert (answer.id, answer.status) == (ref.id, "cancelled")
    assert retrieved(stage, ref).phase is Phase.CANCELLED


def test_the_openai_client_recognizes_a_missing_job(met: tuple[ServedHarness, Any]) -> None:
    stage, jobs = met
    with pytest.raises(NotFoundError) as caught:
        jobs.retrieve(stage.job_in(Phase.ABSENT).id)

    assert caught.value.code in {"fine_tune_not_found", "notFound", "404"}


def test_the_openai_client_gets_a_conflict_for_a_rejected_cancel_of_azure(served: Served) -> None:
    service, connect = CLIENTS["azure, v1"]
    stage = ServedHarness(served, service)
    ref = stage.job_in(Phase.SUCCEEDED)
    with connect(stage) as client, pytest.raises(ConflictError) as caught:
        client.fine_tuning.jobs.cancel(ref.id)

    assert caught.value.code == "unexpectedEntityState"


@pytest.mark.parametrize(
    ("verb", "before", "after"), [("pause", Phase.RUNNING, Phase.PAUSED), ("resume", Phase.PAUSED, Phase.QUEUED)]
)
def test_the_openai_client_pauses_and_resumes_through_azures_v1_path(
    served: Served, verb: str, before: Phase, after: Phase
) -> None:
    service, connect = CLIENTS["azure, v1"]
    stage = ServedHarness(served, service)
    ref = stage.job_in(before)
    with connect(stage) as client:
        getattr(client.fine_tuning.jobs, verb)(ref.id)

    assert retrieved(stage, ref).phase is after
