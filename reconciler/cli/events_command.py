"""`reconcile events`: shows what happened to jobs, from their recorded statuses."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import ANY_NAMES, read_statuses_of, reading_exit_code
from reconciler.cli.option_values import OptionValues, paths, seconds, selection
from reconciler.cli.options import CONSOLE, PATHS, SELECTION, examples, options
from reconciler.cli.options import output as output_option
from reconciler.model.exit_code import ExitCode
from reconciler.model.report import Row
from reconciler.views.events_text import EventList, JobHappening, events_of, saved_since
from reconciler.views.last_pass_text import last_pass_text
from reconciler.views.renderers import renderer

READ_EVERY_S = 1.0
"""The time between two reads of the status files with `--watch`, in seconds."""


@click.command(
    epilog=examples(
        "reconcile events --since 1h",
        "reconcile events support-triage --watch",
        "reconcile events --selector team=support -o json",
    )
)
@ANY_NAMES
@click.option("--since", metavar="DURATION", help="Only events of this last period, such as 90m or 7d.")
@click.option("--watch", "--follow", is_flag=True, help="Keep watching, and print each new event.")
@output_option("events")
@options(PATHS, SELECTION, CONSOLE)
def events(*, names: tuple[str, ...], watch: bool, output: str, **values: Any) -> int:
    """Show what happened to jobs, in chronological order.

    The events are requests, responses, confirmations and observed changes. They are read from the status files, and no
    provider is queried. A status keeps the newest 10 changes and 5 requests of a job. With -o json, each event is one
    JSON object on a line.
    """
    console = ConsoleOutput.of(values)
    since = _since(values, console.now())
    report = read_statuses_of(values, names)
    shown = events_of(report.rows, since)
    console.show("events", output, EventList(shown, _name_width(report.rows), saved=saved_since(report.rows, since)))
    console.show_problems(renderer("events", output).stderr_problems(report))
    if watch:
        asyncio.run(_print_new_events(console, values, names, output, events_of(report.rows)))
        return ExitCode.OK
    console.show_hint(last_pass_text(report, console.now()))
    return reading_exit_code(report)


def _since(values: OptionValues, now: datetime) -> datetime | None:
    return None if values["since"] is None else now - timedelta(seconds=seconds(values, "since"))


async def _print_new_events(
    console: ConsoleOutput, values: OptionValues, names: tuple[str, ...], output: str, shown: Sequence[JobHappening]
) -> None:
    """Print each event that is not among `shown`, until stdout has no reader."""
    by_name = _by_name(shown)
    while not console.is_closed(sys.stdout):
        await asyncio.sleep(READ_EVERY_S)
        rows = wiring.read_statuses(paths(values), selection(values, names)).rows
        # A job has no row while its spec cannot be read. Its known events are kept, so that they are not printed again.
        current = _by_name(events_of(rows))
        new = [event for name, found in current.items() for event in found if event not in by_name.get(name, ())]
        by_name |= current
        ordered = sorted(new, key=lambda event: event.at)
        console.show("events", output, EventList(ordered, _name_width(rows), is_continued=True))


def _by_name(events_: Iterable[JobHappening]) -> dict[tuple[str, str], list[JobHappening]]:
    found: dict[tuple[str, str], list[JobHappening]] = {}
    for event in events_:
        found.setdefault((event.name, event.kind), []).append(event)
    return found


def _name_width(rows: Iterable[Row]) -> int:
    return max((len(row.name) for row in rows), default=0)
