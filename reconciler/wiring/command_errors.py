"""How a command that cannot be carried out ends."""

from __future__ import annotations


class UsageError(Exception):
    """What was asked for cannot be: exit 64."""


class Busy(Exception):
    """Another reconciler is at work: exit 75."""


class ConfigurationError(Exception):
    """Something that the operator sets is missing or wrong: exit 78."""
