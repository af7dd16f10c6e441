"""The Vertex AI server of the contract tests, checked by Google's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.model.job import Phase
from reconciler.sandbox.app import create_app
from reconciler.testing.harness_server import NOW
from tests.contract.dialects.services import VERTEX_AI
from tests.contract.dialects.vertex import LOCATION, PARENT, PROJECT, STATES, Vertex
from tests.contract.harnesses import PHASES, sandbox_world
from tests.support.sandbox_server import serve

pytest.importorskip("google.genai", reason="pip install google-genai")

from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

TOKEN = "canary-token-of-the-client"  # noqa: S105 - a canary


@pytest.fixture
def jobs() -> Iterator[Any]:
    api = create_app(sandbox_world(VERTEX_AI), lambda: NOW, api_key=TOKEN)
    with serve(Vertex(api, TOKEN)) as url:
        client = genai.Client(
            vertexai=True,
            project=PROJECT,
            location=LOCATION,
            credentials=Credentials(token=TOKEN),
            http_options=types.HttpOptions(base_url=url.removesuffix("/v1")),
        )
        yield client.tunings
        client.close()


def name_of(phase: Phase) -> str:
    return f"{PARENT}/tuningJobs/ftjob-{phase}"


def test_google_genai_lists_all_pages_of_the_dialect(jobs: Any) -> None:
    found = {job.name: job.state.value for job in jobs.list(config={"page_size": 2})}

    assert found == {name_of(phase): STATES[phase] for phase in PHASES if phase not in VERTEX_AI.lacks}


def test_google_genai_reads_every_field_of_the_dialect(jobs: Any) -> None:
    succeeded, failed = jobs.get(name=name_of(Phase.SUCCEEDED)), jobs.get(name=name_of(Phase.FAILED))

    assert succeeded.tuned_model.model == f"{PARENT}/models/7@1"
    assert succeeded.create_time < succeeded.end_time
    assert failed.error.code == 3
    assert failed.has_ended


def test_google_genai_cancels_a_job_and_then_observes_it_cancelling(jobs: Any) -> None:
    jobs.cancel(name=name_of(Phase.RUNNING))

    assert jobs.get(name=name_of(Phase.RUNNING)).state.value == "JOB_STATE_CANCELLING"


def test_google_genai_recognizes_the_errors_of_the_dialect(jobs: Any) -> None:
    with pytest.raises(errors.ClientError) as missing:
        jobs.get(name=name_of(Phase.ABSENT))
    with pytest.raises(errors.ClientError) as late:
        jobs.cancel(name=name_of(Phase.SUCCEEDED))

    assert (missing.value.code, missing.value.status) == (404, "NOT_FOUND")
    assert (late.value.code, late.value.status) == (400, "FAILED_PRECONDITION")
