"""The exit codes of commands, and their precedence."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a command. Codes of 64 and above are taken from `sysexits.h`."""

    OK = 0
    STALLED = 1
    CHANGES_PENDING = 2
    REFUSED = 3
    USAGE = 64
    INVALID_DOCUMENT = 65
    PROVIDER_UNOBSERVED = 69
    SOFTWARE = 70
    TIMED_OUT = 75
    CONFIGURATION = 78


PRECEDENCE = (
    ExitCode.SOFTWARE,
    ExitCode.REFUSED,
    ExitCode.CONFIGURATION,
    ExitCode.INVALID_DOCUMENT,
    ExitCode.STALLED,
    ExitCode.PROVIDER_UNOBSERVED,
    ExitCode.TIMED_OUT,
    ExitCode.CHANGES_PENDING,
)


def worst(codes: frozenset[ExitCode]) -> ExitCode:
    """Return the code with the highest precedence, or `OK` if there is none."""
    return next((code for code in PRECEDENCE if code in codes), ExitCode.OK)
