"""How a command ends that could not do its work: one sentence, and the exit code that goes with it."""

from __future__ import annotations

import sys
import traceback

from reconciler.ci.github_text import harmless
from reconciler.cli.options import DISTRIBUTION
from reconciler.cli.version_command import version_text
from reconciler.model.report import ExitCode
from reconciler.views.text import clean
from reconciler.wiring import Busy, ConfigurationError, UsageError

CODES: dict[type[Exception], ExitCode] = {
    UsageError: ExitCode.USAGE,
    Busy: ExitCode.TIMED_OUT,
    ConfigurationError: ExitCode.CONFIGURATION,
}


def tell_failure(error: Exception, *, is_verbose: bool) -> ExitCode:
    """Say on stderr what happened and how to go on, and return the exit code."""
    code = next((code for kind, code in CODES.items() if isinstance(error, kind)), None)
    if code is not None:
        return _said(str(error), code)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename is not None else ""
        return _said(f"{place}{error.strerror or error}", ExitCode.SOFTWARE)
    if is_verbose:
        sys.stderr.write("".join(f"{clean(line)}\n" for line in _traceback(error)))
    what = f"{type(error).__name__}: {error}"
    how = "the lines above" if is_verbose else "what the same command prints with -v"
    return _said(f"a bug in {DISTRIBUTION} {version_text()}: {what}; please report it with {how}", ExitCode.SOFTWARE)


def _said(sentence: str, code: ExitCode) -> ExitCode:
    sys.stderr.write(f"reconcile: {harmless(clean(sentence))}\n")
    return code


def _traceback(error: Exception) -> list[str]:
    return "".join(traceback.format_exception(error)).splitlines()
