"""`reconcile describe`: one job, whole."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.given import Given, place, trust
from reconciler.cli.names import read_named
from reconciler.cli.options import PLACE, SCREEN, TRUST, examples, options
from reconciler.cli.screen import Screen
from reconciler.errors import ProviderError
from reconciler.loop.reach import Reach, reaches_by_name
from reconciler.model.job import JobEvent
from reconciler.model.plan import Row
from reconciler.ports import SupportsEvents
from reconciler.views.describe_text import describe_text
from reconciler.views.problems import problems

EVENTS_MAX = 20


@click.command(
    epilog=examples(
        "reconcile describe support-triage",
        "reconcile describe support-triage --events",
    )
)
@click.argument("name")
@click.option(
    "--events", is_flag=True, help=f"Ask the provider for the newest {EVENTS_MAX} lines of the job's own log."
)
@options(PLACE, TRUST, SCREEN)
def describe(*, name: str, events: bool, **given: Any) -> int:
    """Show one job: its spec, its status, and what happened when.

    From the files alone, but for --events, which needs the provider and its credential.
    """
    screen = Screen.of(given)
    report = read_named(given, (name,))
    specs = {each.document.metadata.name: each.document for each in wiring.read_specs(place(given)).jobs}
    for row in report.rows:
        log = asyncio.run(_log(given, row)) if events else ()
        text = describe_text(row, specs.get(name), log, screen.canvas(sys.stdout), screen.now())
        screen.result(text)
    screen.say(problems(report))
    return report.exit_code


async def _log(given: Given, row: Row) -> tuple[JobEvent, ...]:
    """Return the provider's log of a job. Raises `UsageError` where it keeps none, or does not give it."""
    async with wiring.reading(place(given), trust(given)) as tools:
        reaches = reaches_by_name(wiring.read_specs(place(given)), tools.environment)
        reach = reaches.get(row.provider or "")
        if not isinstance(reach, Reach) or row.ref is None:
            msg = f"{row.name} cannot be asked about: {row.status.ready.message}"
            raise wiring.UsageError(msg)
        try:
            reader = await tools.accounts.open(reach)
            if not isinstance(reader, SupportsEvents):
                msg = f"{reach.account.type} keeps no log of a job that can be read: leave --events out"
                raise wiring.UsageError(msg)
            return await reader.list_events(row.ref, EVENTS_MAX)
        except ProviderError as error:
            msg = f"the log of {row.name} could not be read: {error}"
            raise wiring.ConfigurationError(msg) from None
