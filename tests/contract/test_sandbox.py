from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.plugin import Phase, TransientError
from reconciler.testing import ProviderContract
from reconciler.testing.calls import retrieved
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


def test_the_sandbox_counts_the_calls_before_a_fault_across_restarts(tmp_path: Path) -> None:
    rule = {"fault": "status", "status": "500", "on": "retrieve", "after": "2"}
    stage = SandboxHarness(tmp_path, rules=[rule])
    job = stage.job_in(Phase.RUNNING)
    retrieved(stage, job)
    retrieved(stage, job)

    with pytest.raises(TransientError):
        retrieved(stage, job)
