"""`reconcile explain`: explains a field, a reason or another word."""

from __future__ import annotations

import sys

import click

from reconciler.cli.console import ConsoleOutput
from reconciler.cli.options import CONSOLE, examples, options
from reconciler.cli.schema_command import provider_options
from reconciler.model.reason import Reason
from reconciler.views.explain_text import explain_text, overview_text, topics
from reconciler.views.explain_words import WORDS
from reconciler.views.json_schema import FieldNote, field_notes
from reconciler.views.status_notes import status_notes
from reconciler.views.text import did_you_mean


def _complete_topic(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    words = [*map(str, Reason), *(word for meanings in WORDS.values() for word in meanings)]
    words += [note.path for note in _notes()]
    return [word for word in words if word.startswith(incomplete)]


def _notes() -> tuple[FieldNote, ...]:
    return (*field_notes(provider_options()), *status_notes())


@click.command(
    epilog=examples(
        "reconcile explain",
        "reconcile explain FineTuningJob.spec.limits",
        "reconcile explain maxAge",
        "reconcile explain CancelNotHonoured",
        "reconcile explain FineTuningJob.status --recursive",
    )
)
@click.argument("topic", required=False, metavar="[TOPIC]", shell_complete=_complete_topic)
@click.option("--recursive", is_flag=True, help="Show all fields below a field, not only the next level.")
@options(CONSOLE)
def explain(*, topic: str | None, recursive: bool, **values: object) -> int:
    """Explain a field of a document or status, a reason, a condition or a phase.

    Name a field by its path or by the end of its path; case is ignored. The name of a kind or of a provider type shows
    its fields. Without an argument, all kinds, provider types, reasons and other words are listed.
    """
    console = ConsoleOutput.of(values)
    canvas = console.canvas(sys.stdout)
    notes = _notes()
    if topic is None:
        console.page_result(overview_text(notes, canvas))
        return 0
    text = explain_text(topic, notes, canvas, is_recursive=recursive)
    if text is None:
        hint = did_you_mean(topic, topics(notes, topic.count(".") + 1)) or "`reconcile explain` lists all topics."
        msg = f"There is no field, kind, provider type, reason or other topic {topic!r}. {hint}"
        raise click.UsageError(msg)
    console.page_result(text)
    return 0
