from __future__ import annotations

import pytest

from reconciler.testing import ProviderContract
from tests.contract.batch_harness import AZURE_CLASSIC, AZURE_V1, NEBIUS, OPENAI, PASS_THROUGH, BatchHarness
from tests.contract.harnesses import Served


class TestOpenAIBatches(ProviderContract):
    """The batches of `openai` fulfil the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, OPENAI)


class TestNebiusBatches(ProviderContract):
    """The batches of `nebius` fulfil the contract with a service that is compatible with OpenAI."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, NEBIUS)


class TestAzureBatches(ProviderContract):
    """The batches of `azure-openai` fulfil the contract on the v1 path."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, AZURE_V1)


class TestAzureClassicBatches(ProviderContract):
    """The batches of `azure-openai` fulfil the contract on the classic path."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, AZURE_CLASSIC)


class TestPassThroughBatches(ProviderContract):
    """The batches of `litellm-passthrough` fulfil the contract."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, PASS_THROUGH)
