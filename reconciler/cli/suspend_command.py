"""`reconcile suspend`: look at jobs, and ask for nothing, until somebody ends it or a moment comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click

from reconciler.cli.job_names import NAMES
from reconciler.cli.options import DRY_RUN, PLACE, SCREEN, examples, options
from reconciler.cli.spec_edits import edit_specs
from reconciler.formats.yaml_edit import Edit
from reconciler.local.clock import SystemClock
from reconciler.model.kind import JobDocument
from reconciler.model.spec import parse_duration, parse_instant, render_instant


@click.command(
    epilog=examples(
        "reconcile suspend support-triage --reason 'incident 7' --until 4h",
        "reconcile suspend support-triage nightly-ranker",
    )
)
@NAMES
@click.option("--reason", metavar="TEXT", help="Reason, shown in the plan and the status.")
@click.option(
    "--until",
    metavar="TIME",
    help="When the suspension ends: 4h, or 2026-12-01T08:00:00Z. Without it, it does not end by itself.",
)
@options(DRY_RUN, PLACE, SCREEN)
def suspend(*, names: tuple[str, ...], reason: str | None, until: str | None, **given: Any) -> int:
    """Suspend jobs in their specs: observe them, and change nothing.

    They are still looked at, and what was asked for before is still confirmed. Without --until it lasts until somebody
    ends it, and the end that an earlier suspension had is taken out.
    """
    given_now = {"reason": reason, "until": None if until is None else _moment(until)}
    wanted = {key: value for key, value in given_now.items() if value is not None}

    def edits(spec: JobDocument) -> Iterator[Edit]:
        said = spec.spec.suspend
        if until is None and said is not None and said.until is not None:
            kept = {} if said.reason is None else {"reason": said.reason}
            yield Edit(spec.metadata.name, ("suspend",), None)
            yield Edit(spec.metadata.name, ("suspend",), {**kept, **wanted} or True)
        elif wanted or said is None:
            yield Edit(spec.metadata.name, ("suspend",), wanted or True)

    return edit_specs(given, names, edits)


def _moment(text: str) -> str:
    with suppress(ValueError):
        return render_instant(SystemClock().now() + parse_duration(text))
    try:
        return render_instant(parse_instant(text))
    except ValueError:
        msg = f"{text!r} is neither a duration such as 4h nor a time with a zone such as 2026-12-01T08:00:00Z"
        raise click.BadParameter(msg, param_hint="--until") from None
