from __future__ import annotations

import pytest

from reconciler.testing import ProviderContract
from tests.contract.dialects.services import NEBIUS, OPENAI
from tests.contract.harnesses import Served, ServedHarness


class TestOpenAI(ProviderContract):
    """`openai` fulfils the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, OPENAI)


class TestNebius(ProviderContract):
    """`nebius` fulfils the contract with a service that is compatible with OpenAI."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, NEBIUS)
