"""`reconcile explain`: explains a field or a reason."""

from __future__ import annotations

import sys

import click

from reconciler.cli.console import ConsoleOutput
from reconciler.cli.options import CONSOLE, examples, options
from reconciler.cli.schema_command import provider_options
from reconciler.model.reason import Reason
from reconciler.views.explain_text import explain_text, overview_text, topics
from reconciler.views.json_schema import field_notes
from reconciler.views.text import did_you_mean


def _complete_topic(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    words = [*map(str, Reason), *(note.path for note in field_notes(provider_options()))]
    return [word for word in words if word.startswith(incomplete)]


@click.command(
    epilog=examples(
        "reconcile explain",
        "reconcile explain FineTuningJob.spec.limits",
        "reconcile explain maxAge",
        "reconcile explain CancelNotHonoured",
    )
)
@click.argument("topic", required=False, metavar="[FIELD|REASON]", shell_complete=_complete_topic)
@options(CONSOLE)
def explain(*, topic: str | None, **values: object) -> int:
    """Explain a field of a document, or a reason in a status.

    Name a field by its path or by the end of its path; case is ignored. The name of a kind or of a provider type shows
    its fields. Without an argument, all kinds, provider types and reasons are listed.
    """
    console = ConsoleOutput.of(values)
    canvas = console.canvas(sys.stdout)
    notes = field_notes(provider_options())
    if topic is None:
        console.page_result(overview_text(notes, canvas))
        return 0
    text = explain_text(topic, notes, canvas)
    if text is None:
        hint = did_you_mean(topic, topics(notes, topic.count(".") + 1)) or "`reconcile explain` lists all topics."
        msg = f"There is no field, kind, provider type or reason {topic!r}. {hint}"
        raise click.UsageError(msg)
    console.page_result(text)
    return 0
