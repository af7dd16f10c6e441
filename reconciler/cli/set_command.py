"""`reconcile set`: writes the desired state of a job into its spec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from reconciler.cli.choices import OneOf
from reconciler.cli.job_names import NAME
from reconciler.cli.options import CONSOLE, DRY_RUN, KIND, PATHS, examples, options
from reconciler.cli.spec_edits import edit_specs
from reconciler.formats.yaml_edit import Edit
from reconciler.model.kind import JobDocument
from reconciler.model.spec import DesiredState


@click.command(
    epilog=examples(
        "reconcile set support-triage cancelled --reason 'learning rate 10x too high'",
        "reconcile set support-triage running --dry-run",
    )
)
@NAME
@click.argument("state", type=OneOf([str(each) for each in DesiredState]), metavar="STATE")
@click.option("--reason", metavar="TEXT", help="Reason, shown in the plan and the status.")
@options(KIND, DRY_RUN, PATHS, CONSOLE)
def set(*, name: str, state: str, reason: str | None, **values: Any) -> int:  # noqa: A001  the verb's name
    """Set the desired state of a job in its spec.

    STATE is running, paused, cancelled or observed. No provider can pause a batch. In the file, only this value
    changes, and with --reason also the reason. Comments and layout are kept. No request is sent to a provider.
    """

    def edits(spec: JobDocument) -> Iterator[Edit]:
        yield Edit(spec.metadata.name, ("desiredState",), state)
        if reason is not None:
            yield Edit(spec.metadata.name, ("reason",), reason)

    return edit_specs(values, (name,), edits)
