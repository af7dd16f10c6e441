"""The errors of a command that cannot run. `cli.error_exit` maps each to an exit code."""

from __future__ import annotations


class UsageError(Exception):
    """The command line is invalid: exit code 64."""


class BusyError(Exception):
    """Another reconcile holds the lock: exit code 75."""

    def __init__(self, message: str, command: str | None = None) -> None:
        super().__init__(message)
        # A watch has no verb: its command line has options only, and not --once.
        words = (command or "").split()
        self.is_watch = (
            words[:1] == ["reconcile"] and "--once" not in words and all(word.startswith("--") for word in words[1:])
        )
        """Whether the holder of the lock is a watch, judged by the command line that it wrote into the lock."""


class ConfigurationError(Exception):
    """A setting of the operator is missing or invalid: exit code 78."""
