"""How a command ends that could not do its work: one sentence, and the exit code that goes with it."""

from __future__ import annotations

import sys
import traceback

from reconciler.ci import harmless_everywhere
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.options import DISTRIBUTION
from reconciler.cli.version_command import version_text
from reconciler.errors import error_location
from reconciler.model.exit_code import ExitCode
from reconciler.views.layout import styled
from reconciler.views.text import clean
from reconciler.wiring import BusyError, ConfigurationError, UsageError

CODES: dict[type[Exception], ExitCode] = {
    UsageError: ExitCode.USAGE,
    BusyError: ExitCode.TIMED_OUT,
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
    what = error_location(error)
    how = "the lines above" if is_verbose else "what the same command prints with -v"
    return _said(f"a bug in {DISTRIBUTION} {version_text()}: {what}; please report it with {how}", ExitCode.SOFTWARE)


def _said(sentence: str, code: ExitCode) -> ExitCode:
    screen = ConsoleOutput()
    sys.stderr.write(screen.canvas(sys.stderr).render([styled(f"reconcile: {harmless_everywhere(clean(sentence))}")]))
    return code


def _traceback(error: Exception) -> list[str]:
    return "".join(traceback.format_exception(error)).splitlines()
