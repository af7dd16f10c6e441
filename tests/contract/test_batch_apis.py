from __future__ import annotations

import pytest

from reconciler.model.job import JobCounts, JobError, ObservedJob, Phase
from reconciler.providers._vertex_batches import BATCHES
from reconciler.testing import ProviderContract
from tests.contract.batch_harness import ANTHROPIC, COHERE, GEMINI, MISTRAL, TOGETHER, VERTEX_AI, XAI, BatchHarness
from tests.contract.harnesses import Served


class TestAnthropic(ProviderContract):
    """`anthropic` fulfils the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, ANTHROPIC)


class TestVertexBatches(ProviderContract):
    """The batches of `vertex-ai` fulfil the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, VERTEX_AI)


class TestGemini(ProviderContract):
    """`gemini` fulfils the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, GEMINI)


class TestMistral(ProviderContract):
    """`mistral` fulfils the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, MISTRAL)


class TestTogether(ProviderContract):
    """`together` fulfils the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, TOGETHER)


class TestCohere(ProviderContract):
    """`cohere` fulfils the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, COHERE)


class TestXAI(ProviderContract):
    """`xai` fulfils the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, XAI)


def a_prediction(**fields: object) -> ObservedJob:
    name = "projects/p/locations/us-central1/batchPredictionJobs/5000000000000000"
    return BATCHES.read({"name": name, **fields}, "5000000000000000", None)


def test_an_expired_prediction_job_has_failed_and_says_how_much_is_done() -> None:
    stats = {"successfulCount": "9120", "incompleteCount": "880"}
    found = a_prediction(state="JOB_STATE_EXPIRED", completionStats=stats)

    assert (found.phase, found.counts) == (Phase.FAILED, JobCounts(10_000, 9120, 0))
    assert found.error == JobError(code="expired", message="expired: 9,120 of 10,000 done")


def test_the_results_of_a_prediction_job_may_be_in_a_table() -> None:
    assert a_prediction(outputInfo={"bigqueryOutputTable": "bq://p.d.t"}).output_file == "bq://p.d.t"
    assert a_prediction(outputInfo={"gcsOutputDirectory": "gs://b/o"}).output_file == "gs://b/o"


@pytest.mark.parametrize("odd", [None, [], {"successfulCount": 5}, {"failedCount": "many"}])
def test_counts_of_a_prediction_job_that_cannot_be_read_are_unknown(odd: object) -> None:
    found = a_prediction(state="JOB_STATE_RUNNING", completionStats=odd).counts

    assert found is None or (isinstance(found, JobCounts) and found.total is None)
