"""`reconcile unsuspend`: the end of a suspension."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.job_names import NAMES
from reconciler.cli.options import DRY_RUN, PLACE, SCREEN, examples, options
from reconciler.cli.spec_edits import edit_specs
from reconciler.formats.yaml_edit import Edit


@click.command(
    epilog=examples(
        "reconcile unsuspend support-triage",
    )
)
@NAMES
@options(DRY_RUN, PLACE, SCREEN)
def unsuspend(*, names: tuple[str, ...], **given: Any) -> int:
    """End the suspension of jobs in their specs.

    What they want is asked for from the next pass on; the guard counts it like any other change.
    """
    return edit_specs(given, names, lambda spec: [Edit(spec.metadata.name, ("suspend",), None)])
