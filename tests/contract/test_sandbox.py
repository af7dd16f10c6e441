from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.testing import ProviderContract
from tests.contract.harnesses import SandboxHarness


class TestSandbox(ProviderContract):
    """`sandbox` fulfils the contract within the process."""

    @pytest.fixture
    def stage(self, tmp_path: Path) -> SandboxHarness:
        """Return a fresh world in a directory of its own."""
        return SandboxHarness(tmp_path)
