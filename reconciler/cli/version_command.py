"""`reconcile version`: prints the version."""

from __future__ import annotations

import click

from reconciler.cli.options import DISTRIBUTION, examples


def version_text() -> str:
    """Return the installed version, or `unknown` if the package is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  slow to import

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"


@click.command(
    epilog=examples(
        "reconcile version",
    )
)
def version() -> None:
    """Print the version."""
    click.echo(f"{DISTRIBUTION} {version_text()}")
