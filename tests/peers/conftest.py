from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.harnesses import Served
from tests.support.sandbox_server import serve


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Yield a server for the module's tests. Each test gives it an application."""
    served = Served()
    with serve(served) as served.base_url:
        yield served
