"""The name and the version of this program as it is installed."""

from __future__ import annotations

DISTRIBUTION = "llm-job-reconciler"
"""The name of the package."""


def version_text() -> str:
    """Return the installed version, or `unknown` if the package is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  slow to import

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
