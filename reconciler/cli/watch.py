"""`reconcile`: passes for ever, until SIGTERM or Ctrl-C; a second signal ends it at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

from reconciler import wiring
from reconciler.cli.given import Given, brakes, place, publishing, selection, trust
from reconciler.cli.progress import teller
from reconciler.cli.screen import Screen

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def watch(given: Given) -> int:
    """Watch, tell what changes, and return the exit code."""
    screen = Screen.of(given)
    screen.log(f"Watching {given['specs']}; Ctrl-C stops it.")
    asyncio.run(_watch(given, screen.log))
    screen.log("Stopped.")
    return os.EX_OK


async def _watch(given: Given, say: Callable[[str], None]) -> None:
    tell = teller(say)
    await wiring.watch(
        place(given),
        selection(given),
        brakes(given),
        trust(given),
        stop=_stop_at_signals(say),
        publishing=publishing(given),
        tell=lambda heard: tell(heard.result.report),
    )


def _stop_at_signals(say: Callable[[str], None]) -> asyncio.Event:
    """Return an event that the first signal sets; the second one ends the process as if nobody caught it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        say("Stopping: what is under way is finished first. Once more ends it at once.")
        stop.set()
        for each in SIGNALS:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)

    for each in SIGNALS:
        loop.add_signal_handler(each, on_signal)
    return stop
