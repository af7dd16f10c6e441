from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.testing import ProviderContract
from tests.contract.batch_harness import SandboxBatchHarness
from tests.contract.harnesses import SandboxHarness


class TestSandbox(ProviderContract):
    """`sandbox` fulfils the contract within the process."""

    @pytest.fixture
    def stage(self, tmp_path: Path) -> SandboxHarness:
        """Return a fresh world in a directory of its own."""
        return SandboxHarness(tmp_path)


class TestSandboxBatches(ProviderContract):
    """The batches of `sandbox` fulfil the contract within the process."""

    @pytest.fixture
    def stage(self, tmp_path: Path) -> SandboxBatchHarness:
        """Return fresh batches in a directory of their own."""
        return SandboxBatchHarness(tmp_path)
