"""How a command that cannot be carried out ends."""

from __future__ import annotations


class UsageError(Exception):
    """What was asked for cannot be: exit 64."""


class BusyError(Exception):
    """Another reconciler is at work: exit 75."""

    def __init__(self, message: str, command: str | None = None) -> None:
        super().__init__(message)
        words = (command or "").split()
        self.is_watch = (
            words[:1] == ["reconcile"] and "--once" not in words and all(word.startswith("--") for word in words[1:])
        )
        """Whether it is a watch, by what it says of itself."""


class ConfigurationError(Exception):
    """Something that the operator sets is missing or wrong: exit 78."""
