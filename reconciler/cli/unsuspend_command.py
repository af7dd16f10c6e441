"""`reconcile unsuspend`: ends a suspension."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.job_names import ANY_NAMES
from reconciler.cli.options import CONSOLE, DRY_RUN, PATHS, SELECTION, examples, options
from reconciler.cli.spec_edits import edit_specs
from reconciler.formats.yaml_edit import Edit


@click.command(
    epilog=examples(
        "reconcile unsuspend support-triage",
        "reconcile unsuspend --selector team=support",
    )
)
@ANY_NAMES
@options(SELECTION, DRY_RUN, PATHS, CONSOLE)
def unsuspend(*, names: tuple[str, ...], **values: Any) -> int:
    """End the suspension of jobs in their specs.

    The next pass requests the changes that are then due. The guard counts them like any other change.
    """
    return edit_specs(values, names, lambda spec: [Edit(spec.metadata.name, ("suspend",), None)])
