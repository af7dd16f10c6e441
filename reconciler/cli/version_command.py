"""`reconcile version`: prints the version."""

from __future__ import annotations

import click

from reconciler.cli.options import examples
from reconciler.local.installed_version import DISTRIBUTION, version_text


@click.command(
    epilog=examples(
        "reconcile version",
    )
)
def version() -> None:
    """Print the version."""
    click.echo(f"{DISTRIBUTION} {version_text()}")
