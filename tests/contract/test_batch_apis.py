from __future__ import annotations

import pytest

from reconciler.testing import ProviderContract
from tests.contract.batch_harness import ANTHROPIC, BatchHarness
from tests.contract.harnesses import Served


class TestAnthropic(ProviderContract):
    """`anthropic` keeps the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, ANTHROPIC)
