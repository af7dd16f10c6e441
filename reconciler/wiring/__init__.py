"""Puts the parts together: the only package that knows every concrete class.

Rules: whatever is opened here is closed here, by one exit stack a run; a plan is given accounts that it can only read;
heavy parts are imported where they are needed, so that `--help` is quick.
"""

from reconciler.wiring.command_errors import Busy, ConfigurationError, UsageError
from reconciler.wiring.commands import (
    make_plan,
    provider_types,
    read_specs,
    read_statuses,
    reading,
    run_once,
    validate,
    watch,
)
from reconciler.wiring.sandbox_service import serve_sandbox

__all__ = [
    "Busy",
    "ConfigurationError",
    "UsageError",
    "make_plan",
    "provider_types",
    "read_specs",
    "read_statuses",
    "reading",
    "run_once",
    "serve_sandbox",
    "validate",
    "watch",
]
