"""The contract tests that every provider adapter must pass, including those of third parties.

Subclass `ProviderContract` in a test module, and define a fixture `stage` that returns a `Stage`. `served` serves a
simulated provider on a socket, `FaultInjector` adds faults in front of it, and `opened` opens the adapter at its
address.

This is the only package that needs pytest. The names that it exports are API, like those of `reconciler.plugin`.
"""

import pytest

# Registered before the imports, so that a failing assert in these modules shows its values.
_MODULES = ("calls", "read_contract", "write_contract", "failure_contract")
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _MODULES))

from reconciler.testing.harness import RETRY_AFTER_S, Fault, Stage  # noqa: E402 - as above
from reconciler.testing.harness_server import account_at, opened, served  # noqa: E402 - as above
from reconciler.testing.suite import ProviderContract  # noqa: E402 - as above
from reconciler.testing.transport_faults import FaultInjector  # noqa: E402 - as above

__all__ = ["RETRY_AFTER_S", "Fault", "FaultInjector", "ProviderContract", "Stage", "account_at", "opened", "served"]
