from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from reconciler.model.job import Phase
from reconciler.testing import ProviderContract
from tests.contract.harnesses import Served
from tests.support.contract_table import STAGE
from tests.support.sandbox_server import serve


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Yield a server for the module's tests. Each test gives it an application."""
    served = Served()
    with serve(served) as served.base_url:
        yield served


@pytest.fixture(autouse=True)
def _named_stage(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Record the type and the kind that a test of the contract is about, for the table at the end of the run."""
    if request.cls is not None and issubclass(request.cls, ProviderContract):
        account = request.getfixturevalue("stage").job_in(Phase.RUNNING).account
        record_property(STAGE, (account.type, account.kind))
