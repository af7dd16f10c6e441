"""The contract that every provider adapter must pass, for third parties too.

Subclass `ProviderContract` in a test module, and give it a `stage` fixture: see `Stage`. `served` puts the other end on
a socket, `FaultInjector` spoils the way to it, `opened` opens the adapter on it. The only package that needs pytest.
Its names are API, as those of `reconciler.plugin`.
"""

import pytest

# Before they are imported, so that a failing assert shows its values.
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in ("asking", "looking", "acting", "failing")))

from reconciler.testing.harness import RETRY_AFTER_S, Fault, Stage  # noqa: E402 - as above
from reconciler.testing.harness_server import account_at, opened, served  # noqa: E402 - as above
from reconciler.testing.suite import ProviderContract  # noqa: E402 - as above
from reconciler.testing.transport_faults import FaultInjector  # noqa: E402 - as above

__all__ = ["RETRY_AFTER_S", "Fault", "FaultInjector", "ProviderContract", "Stage", "account_at", "opened", "served"]
