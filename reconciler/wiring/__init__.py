"""Puts the parts together: the only package that knows every concrete class.

Rules: whatever is opened here is closed here, by one exit stack a run; a plan is given accounts that it can only read;
heavy parts are imported where they are needed, so that `--help` is quick.
"""

from reconciler.wiring.command_errors import BusyError, ConfigurationError, UsageError
from reconciler.wiring.commands import (
    ask_watch_to_retry,
    make_plan,
    provider_types,
    read_specs,
    read_statuses,
    reading,
    run_once,
    run_options_of,
    validate,
    watch,
)
from reconciler.wiring.sandbox_service import serve_sandbox
from reconciler.wiring.selection import check_selected, why_nothing

__all__ = [
    "BusyError",
    "ConfigurationError",
    "UsageError",
    "ask_watch_to_retry",
    "check_selected",
    "make_plan",
    "provider_types",
    "read_specs",
    "read_statuses",
    "reading",
    "run_once",
    "run_options_of",
    "serve_sandbox",
    "validate",
    "watch",
    "why_nothing",
]
