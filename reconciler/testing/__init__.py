"""The contract that every provider adapter must pass, for third parties too.

Subclass `ProviderContract` in a test module, and give it a `stage` fixture: see `Stage`. The only package that needs
pytest.
"""

import pytest

# Before they are imported, so that a failing assert shows its values.
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in ("asking", "looking", "acting", "failing")))

from reconciler.testing.disturbed import Disturbed  # noqa: E402 - as above
from reconciler.testing.stage import Fault, Stage  # noqa: E402 - as above
from reconciler.testing.suite import ProviderContract  # noqa: E402 - as above

__all__ = ["Disturbed", "Fault", "ProviderContract", "Stage"]
