"""`reconcile suspend`: suspends jobs in their specs, until a time or until `unsuspend`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click

from reconciler.cli.job_names import ANY_NAMES
from reconciler.cli.options import CONSOLE, DRY_RUN, PATHS, SELECTION, examples, options
from reconciler.cli.spec_edits import edit_specs
from reconciler.formats.yaml_edit import Edit
from reconciler.local.clock import SystemClock
from reconciler.model.kind import JobDocument
from reconciler.model.spec import parse_duration, parse_instant, render_instant


@click.command(
    epilog=examples(
        "reconcile suspend support-triage --reason 'incident 7' --until 4h",
        "reconcile suspend --selector team=support --until 4h",
    )
)
@ANY_NAMES
@click.option("--reason", metavar="TEXT", help="Reason, shown in the plan and the status.")
@click.option(
    "--until",
    metavar="TIME",
    help="When the suspension ends, such as 4h or 2026-12-01T08:00:00Z. By default, it does not end by itself.",
)
@options(SELECTION, DRY_RUN, PATHS, CONSOLE)
def suspend(*, names: tuple[str, ...], reason: str | None, until: str | None, **values: Any) -> int:
    """Suspend jobs: edit their specs so that no change is requested.

    The jobs are still observed, and earlier requests are still confirmed. Without --until, the suspension lasts until
    `reconcile unsuspend`, even if an earlier suspension of the job had an end.
    """
    options_ = {"reason": reason, "until": None if until is None else _time(until)}
    wanted = {key: value for key, value in options_.items() if value is not None}

    def edits(spec: JobDocument) -> Iterator[Edit]:
        earlier = spec.spec.suspend
        if until is None and earlier is not None and earlier.until is not None:
            # Removing `suspend` first also removes the earlier `until`, which a single edit would keep.
            kept = {} if earlier.reason is None else {"reason": earlier.reason}
            yield Edit(spec.metadata.name, ("suspend",), None)
            yield Edit(spec.metadata.name, ("suspend",), {**kept, **wanted} or True)
        elif wanted or earlier is None:
            yield Edit(spec.metadata.name, ("suspend",), wanted or True)

    return edit_specs(values, names, edits)


def _time(text: str) -> str:
    with suppress(ValueError):
        return render_instant(SystemClock().now() + parse_duration(text))
    try:
        until = parse_instant(text)
    except ValueError:
        msg = f"{text!r} is neither a duration such as 4h nor a time with a time zone such as 2026-12-01T08:00:00Z"
        raise click.BadParameter(msg, param_hint="--until") from None
    if until <= SystemClock().now():
        msg = f"{text} has passed: name a later time, or end a suspension with `reconcile unsuspend`"
        raise click.BadParameter(msg, param_hint="--until")
    return render_instant(until)
