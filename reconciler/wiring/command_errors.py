"""The errors of a command that cannot run. `cli.error_exit` maps each to an exit code."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.diagnostic import Diagnostic


class UsageError(Exception):
    """The command line is invalid: exit code 64."""


class BusyError(Exception):
    """Another reconcile process holds the lock: exit code 75.

    `command` is the command line of that process according to the lock file, or None if it is unknown.
    """

    def __init__(self, message: str, command: str | None = None) -> None:
        super().__init__(message)
        # The command line of a watch contains only options, and not `--once`.
        words = (command or "").split()
        self.is_watch = (
            words[:1] == ["reconcile"] and "--once" not in words and all(word.startswith("--") for word in words[1:])
        )
        """Whether the process that holds the lock is a watch, according to the command line in the lock file."""


class ConfigurationError(Exception):
    """A setting that the operator must provide is missing or invalid: exit code 78.

    `diagnostics` are the mistakes in a file, which are reported below the message.
    """

    def __init__(self, message: str, diagnostics: Sequence[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.diagnostics = tuple(diagnostics)
