"""`reconcile version`: prints the version."""

from __future__ import annotations

import importlib.metadata

import click

from reconciler.cli.options import DISTRIBUTION, examples


def version_text() -> str:
    """Return the installed version, or `unknown` if the package is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@click.command(
    epilog=examples(
        "reconcile version",
    )
)
def version() -> None:
    """Print the version."""
    click.echo(f"{DISTRIBUTION} {version_text()}")
