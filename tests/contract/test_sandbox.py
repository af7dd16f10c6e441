from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.testing import ProviderContract
from tests.contract.stages import SandboxStage


class TestSandbox(ProviderContract):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> SandboxStage:
        return SandboxStage(tmp_path)
