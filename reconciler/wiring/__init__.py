"""The assembly of each command from its parts. Only this package imports the implementations of all ports.

Rules:

- Everything that a run opens is closed when the run ends, by one exit stack.
- The accounts of a plan can only be read.
- A command imports only the modules that it needs, because imports take most of the time of a short command. Therefore
  this package imports the module of a name when the name is first used (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.wiring.command_errors import BusyError, ConfigurationError, UsageError
    from reconciler.wiring.documents import provider_types, read_specs, validate
    from reconciler.wiring.recorded_statuses import archived_jobs, archived_specs, read_statuses
    from reconciler.wiring.runs import make_plan, open_read_only, request_retry_by_watch, run_once, run_options_of
    from reconciler.wiring.sandbox_service import serve_sandbox
    from reconciler.wiring.selection import check_selection, why_no_match
    from reconciler.wiring.watching_run import watch

__all__ = [
    "BusyError",
    "ConfigurationError",
    "UsageError",
    "archived_jobs",
    "archived_specs",
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

_MODULES = {
    "command_errors": ("BusyError", "ConfigurationError", "UsageError"),
    "documents": ("provider_types", "read_specs", "validate"),
    "recorded_statuses": ("archived_jobs", "archived_specs", "read_statuses"),
    "runs": ("make_plan", "open_read_only", "request_retry_by_watch", "run_once", "run_options_of"),
    "sandbox_service": ("serve_sandbox",),
    "selection": ("check_selection", "why_no_match"),
    "watching_run": ("watch",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Return an exported name from its module. Raises `AttributeError` if this package does not export the name."""
    if name not in _MODULE_OF:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
