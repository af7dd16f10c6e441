"""The complete contract of a provider adapter.

A test checks the effect of a request by reading the job through the same adapter. If an adapter does not declare a
capability, the tests for that capability are skipped.
"""

from __future__ import annotations

from reconciler.testing.failure_contract import FailureContract
from reconciler.testing.read_contract import ReadContract
from reconciler.testing.write_contract import WriteContract


class ProviderContract(ReadContract, WriteContract, FailureContract):
    """All contract tests. Subclass this as `class TestMine(ProviderContract)`, and override the fixture `stage`."""
