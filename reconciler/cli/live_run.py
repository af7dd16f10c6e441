"""What `--once` and `retry` share: a run that changes something, told while it goes on, and where it is broken off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import click

from reconciler.cli.console import ConsoleOutput
from reconciler.cli.progress_output import progress
from reconciler.model.action_record import Notify
from reconciler.model.report import Report
from reconciler.views.activity import ActivityLine

HAS_BEEN_TOLD = "has been told"
Run = Callable[[Notify], Coroutine[Any, Any, Report]]


def act(screen: ConsoleOutput, doing: str, run: Run) -> tuple[Report, Collection[str]]:
    """Return what a run did, and the jobs whose changes the reader of the result was told on the way.

    An interrupt tells what was done and what is open, and raises `click.Abort` with an argument: it has been told.
    """
    with progress(screen, doing, has_events=True) as told:
        try:
            report = asyncio.run(run(told.happened))
        except KeyboardInterrupt:
            told.say(ActivityLine(told.activity.interrupted_text(told.elapsed_s), {}))
            told.say(ActivityLine("What was sent is on record; the next pass goes on from there.", {}))
            raise click.Abort(HAS_BEEN_TOLD) from None
    if told.has_said and screen.is_one_stream and not screen.is_json_log:
        screen.log("")
    return report, told.activity.reported if screen.is_one_stream else ()
