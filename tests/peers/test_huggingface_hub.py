"""The Hugging Face server of the contract tests, checked by Hugging Face's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.model.job import Phase
from reconciler.sandbox.app import create_app
from reconciler.testing.harness_server import NOW
from tests.contract.dialects.hf_jobs import NAMESPACE, HuggingFace, job_id
from tests.contract.dialects.services import HF_JOBS
from tests.contract.harnesses import sandbox_world
from tests.support.sandbox_server import serve

pytest.importorskip("huggingface_hub", reason="pip install huggingface_hub")

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, JobNotFoundError

TOKEN = "canary-token-of-the-client"  # noqa: S105 - a canary


def id_of(phase: Phase) -> str:
    return job_id(f"ftjob-{phase}")


@pytest.fixture
def hub() -> Iterator[Any]:
    api = create_app(sandbox_world(HF_JOBS), lambda: NOW, api_key=TOKEN)
    with serve(HuggingFace(api, TOKEN)) as url:
        yield HfApi(endpoint=url.removesuffix("/v1"), token=TOKEN)


def test_huggingface_hub_reads_every_field_of_the_dialect(hub: Any) -> None:
    failed = hub.inspect_job(job_id=id_of(Phase.FAILED), namespace=NAMESPACE)

    assert (failed.status.stage, bool(failed.status.message)) == ("ERROR", True)
    assert failed.created_at < failed.finished_at
    assert failed.owner.name == NAMESPACE


def test_huggingface_hub_recognizes_the_errors_of_the_dialect(hub: Any) -> None:
    with pytest.raises(JobNotFoundError):
        hub.inspect_job(job_id=id_of(Phase.ABSENT), namespace=NAMESPACE)
    with pytest.raises(HfHubHTTPError):
        hub.cancel_job(job_id=id_of(Phase.SUCCEEDED), namespace=NAMESPACE)
