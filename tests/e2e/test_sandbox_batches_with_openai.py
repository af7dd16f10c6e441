"""The official client and the sandbox's batches: what it lists, retrieves and cancels, as our adapter sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import openai
import pytest
from openai import OpenAI

from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import BatchWorld, World
from tests.support.sandbox_server import serve

KEY = "sk-sandbox-batches"
OPTIONS = {
    "jobs": [{"id": "ftjob-a", "age": "1h"}],
    "batches": [
        {"id": "batch_runs", "age": "1h", "cancelTakes": "10m"},
        {"id": "batch_done", "age": "1d", "requests": 50, "failedRequests": 2},
        {"id": "batch_late", "age": "2d", "life": [{"phase": "failed"}], "error": {"code": "expired"}},
    ],
}


@pytest.fixture
def client() -> Iterator[OpenAI]:
    """Yield a client of a sandbox with fine-tuning jobs and batches. It checks responses, and does not retry."""
    options, now = SandboxOptions.model_validate(OPTIONS), datetime.now(UTC)
    worlds = World(options, now), BatchWorld(options, now)
    app = create_app(worlds[0], lambda: datetime.now(UTC), api_key=KEY, batches=worlds[1])
    with (
        serve(app) as url,
        OpenAI(base_url=url, api_key=KEY, max_retries=0, _strict_response_validation=True) as client,
    ):
        yield client


def test_the_client_reads_the_batches_page_by_page_and_no_fine_tuning_job(client: OpenAI) -> None:
    found = {each.id: each for each in client.batches.list(limit=1)}

    assert list(found) == ["batch_runs", "batch_done", "batch_late"]
    assert [each.status for each in found.values()] == ["in_progress", "completed", "expired"]
    assert [each.id for each in client.fine_tuning.jobs.list()] == ["ftjob-a"]


def test_the_client_reads_the_counts_and_times_of_a_batch(client: OpenAI) -> None:
    done = client.batches.retrieve("batch_done")

    assert done.request_counts is not None
    assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (50, 48, 2)
    assert done.completed_at is not None
    assert done.expires_at == done.created_at + 86_400
    assert done.output_file_id is not None


def test_the_client_creates_a_batch_and_cancels_it(client: OpenAI) -> None:
    created = client.batches.create(
        input_file_id="file-abc", endpoint="/v1/embeddings", completion_window="24h", metadata={"team": "search"}
    )
    listed = next(iter(client.batches.list(limit=1)))
    cancelled = client.batches.cancel(created.id)

    assert created == listed
    assert (created.id, created.status) == ("batch_created-000001", "validating")
    assert (created.input_file_id, created.endpoint, created.metadata) == (
        "file-abc",
        "/v1/embeddings",
        {"team": "search"},
    )
    assert cancelled.status == "cancelled"


def test_a_batch_cannot_be_created_without_an_input_file(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/batches", body={"endpoint": "/v1/embeddings", "completion_window": "24h"}, cast_to=object)

    assert refused.value.param == "input_file_id"


def test_a_cancel_by_the_client_takes_its_time(client: OpenAI) -> None:
    asked = client.batches.cancel("batch_runs")

    assert asked.status == "cancelling"
    assert client.batches.retrieve("batch_runs").cancelling_at is not None


def test_a_cancel_of_a_batch_that_has_ended_is_a_conflict(client: OpenAI) -> None:
    with pytest.raises(openai.ConflictError):
        client.batches.cancel("batch_done")


def test_the_id_of_a_fine_tuning_job_leads_to_no_batch(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="No batch found with id 'ftjob-a'"):
        client.batches.retrieve("ftjob-a")
    with pytest.raises(openai.NotFoundError):
        client.fine_tuning.jobs.cancel("batch_runs")

    assert client.batches.retrieve("batch_runs").status == "in_progress"
