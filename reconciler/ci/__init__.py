"""The CI hosts that the command runs in."""
