"""The behaviour that only Azure's v1 path has, checked by OpenAI's own client."""

from __future__ import annotations

import pytest
from openai import ConflictError, OpenAI

from reconciler.model.job import Phase
from reconciler.testing.calls import retrieved
from tests.contract.dialects.azure import TOKEN
from tests.contract.dialects.services import AZURE_V1
from tests.contract.harnesses import Served, ServedHarness


def connected(stage: ServedHarness) -> OpenAI:
    return OpenAI(base_url=f"{stage.account.base_url}/openai/v1/", api_key=TOKEN, max_retries=0)


def test_the_openai_client_gets_a_conflict_for_a_rejected_cancel_of_azure(served: Served) -> None:
    stage = ServedHarness(served, AZURE_V1)
    ref = stage.job_in(Phase.SUCCEEDED)
    with connected(stage) as client, pytest.raises(ConflictError) as caught:
        client.fine_tuning.jobs.cancel(ref.id)

    assert caught.value.code == "unexpectedEntityState"


@pytest.mark.parametrize(
    ("verb", "before", "after"), [("pause", Phase.RUNNING, Phase.PAUSED), ("resume", Phase.PAUSED, Phase.QUEUED)]
)
def test_the_openai_client_pauses_and_resumes_through_azures_v1_path(
    served: Served, verb: str, before: Phase, after: Phase
) -> None:
    stage = ServedHarness(served, AZURE_V1)
    ref = stage.job_in(before)
    with connected(stage) as client:
        getattr(client.fine_tuning.jobs, verb)(ref.id)

    assert retrieved(stage, ref).phase is after
