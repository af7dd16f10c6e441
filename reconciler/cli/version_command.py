"""`reconcile version`: which version this is."""

from __future__ import annotations

import importlib.metadata

import click

from reconciler.cli.options import DISTRIBUTION, examples


def version_text() -> str:
    """Return the installed version; `unknown` where the code runs without being installed."""
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
