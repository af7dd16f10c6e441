from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.testing import ProviderContract
from tests.contract.stages import OpenAIStage, Served
from tests.support.sandbox_server import serve


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    served = Served()
    with serve(served) as served.base_url:
        yield served


class TestOpenAI(ProviderContract):
    """`openai` keeps the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> OpenAIStage:
        """Return a fresh world behind the server."""
        return OpenAIStage(served)
