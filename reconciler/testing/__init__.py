"""The contract that every provider adapter must pass, for third parties too.

Subclass `ProviderContract` in a test module, and give it a `stage` fixture: see `Stage`. The only package that needs
pytest.
"""

from reconciler.testing.stage import Fault, Stage
from reconciler.testing.suite import ProviderContract

__all__ = ["Fault", "ProviderContract", "Stage"]
