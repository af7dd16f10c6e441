"""The assembly of each command from its parts. Only this package imports every concrete class.

Rules:

- Everything that is opened here is also closed here, by one exit stack per run.
- A plan gets read-only accounts.
- Slow modules are imported only where they are needed, so that `--help` is fast.
"""

from reconciler.wiring.command_errors import BusyError, ConfigurationError, UsageError
from reconciler.wiring.commands import (
    make_plan,
    open_read_only,
    provider_types,
    read_specs,
    read_statuses,
    request_retry_by_watch,
    run_once,
    run_options_of,
    validate,
    watch,
)
from reconciler.wiring.sandbox_service import serve_sandbox
from reconciler.wiring.selection import check_selection, why_no_match

__all__ = [
    "BusyError",
    "ConfigurationError",
    "UsageError",
    "check_selection",
    "make_plan",
    "open_read_only",
    "provider_types",
    "read_specs",
    "read_statuses",
    "request_retry_by_watch",
    "run_once",
    "run_options_of",
    "serve_sandbox",
    "validate",
    "watch",
    "why_no_match",
]
