"""The whole contract of a provider adapter: it reports and obeys, and raises only two errors.

A test looks at the world that it leaves behind, through the adapter itself. Where an adapter cannot do something, its
capabilities say so and the test is skipped.
"""

from __future__ import annotations

from reconciler.testing.failure_contract import FailureContract
from reconciler.testing.read_contract import ReadContract
from reconciler.testing.write_contract import WriteContract


class ProviderContract(ReadContract, WriteContract, FailureContract):
    """Subclass it as `class TestMine(ProviderContract)` and override the fixture `stage`."""
