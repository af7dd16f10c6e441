"""The report of an exception that ended a command: an error message on stderr, and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable

from reconciler.ci import without_any_commands
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.source_lines import find_source
from reconciler.errors import error_location
from reconciler.local.installed_version import DISTRIBUTION, version_text
from reconciler.model.exit_code import ExitCode
from reconciler.views.layout import styled
from reconciler.views.problems import Problem, document_problems, problems_text
from reconciler.views.text import clean
from reconciler.wiring import BusyError, ConfigurationError, UsageError

CODES: dict[type[Exception], ExitCode] = {
    UsageError: ExitCode.USAGE,
    BusyError: ExitCode.TIMED_OUT,
    ConfigurationError: ExitCode.CONFIGURATION,
}


def report_failure(error: Exception, *, is_verbose: bool) -> ExitCode:
    """Print an error message on stderr, and return the exit code.

    An error that is neither in `CODES` nor an `OSError` is reported as a bug, with its traceback if `is_verbose`.
    """
    code = next((code for kind, code in CODES.items() if isinstance(error, kind)), None)
    if code is not None:
        found = document_problems(error.diagnostics) if isinstance(error, ConfigurationError) else ()
        return _print_error(str(error), code, found)
    if isinstance(error, OSError):
        place = f"cannot read or write {error.filename}: " if error.filename is not None else ""
        return _print_error(f"{place}{error.strerror or error}", ExitCode.SOFTWARE)
    if is_verbose:
        sys.stderr.write("".join(f"{clean(line)}\n" for line in _traceback(error)))
    # Only the type and the location of the error are shown, because its message may contain a secret.
    location = error_location(error)
    attachment = "the lines above" if is_verbose else "the output of the same command with -v"
    message = f"a bug in {DISTRIBUTION} {version_text()}: {location}; please report it with {attachment}"
    return _print_error(message, ExitCode.SOFTWARE)


def _print_error(message: str, code: ExitCode, found: Iterable[Problem] = ()) -> ExitCode:
    canvas = ConsoleOutput().canvas(sys.stderr)
    lines = [styled(clean(line)) for line in f"reconcile: {message}".split("\n")]
    sys.stderr.write(without_any_commands(canvas.render(lines) + problems_text(found, canvas, find_source)))
    return code


def _traceback(error: Exception) -> list[str]:
    return "".join(traceback.format_exception(error)).splitlines()
