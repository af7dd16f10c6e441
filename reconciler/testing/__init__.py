"""The contract that every provider adapter must pass."""
