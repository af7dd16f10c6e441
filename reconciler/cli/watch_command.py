"""`reconcile`: passes for ever, until SIGTERM or Ctrl-C; a second signal ends it at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from types import FrameType
from typing import TextIO, cast

from reconciler import wiring
from reconciler.cli.console import Screen
from reconciler.cli.live_footer import agenda
from reconciler.cli.option_values import Given, brakes, observing, place, publishing, selection, trust
from reconciler.telemetry.log import PassLog, make_logger
from reconciler.wiring.monitoring import NotPossible, open_observers

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def watch(given: Given) -> int:
    """Watch, tell what changes, and return the exit code."""
    try:
        asyncio.run(_watch(given))
    except NotPossible as error:
        raise wiring.ConfigurationError(str(error)) from None
    return os.EX_OK


async def _watch(given: Given) -> None:
    screen = Screen.of(given)
    is_live = screen.is_live(sys.stderr) and not screen.is_json_log
    secrets: set[str] = set()
    logger = make_logger(
        cast("TextIO", _Stderr()),
        is_json=screen.is_json_log or not sys.stderr.isatty(),
        has_color=is_live and not screen.is_colorless,
        secrets=secrets,
    )
    stop = asyncio.Event()
    async with open_observers(observing(given), secrets, PassLog(logger).passed, logger.warning) as observers:
        where = place(given)
        logger.info("watching", specs=where.shown, listen=observers.address)
        _stop_at_signals(stop, lambda: logger.info("stopping: what is under way is finished first"))
        with agenda(observers.lookout, screen) if is_live else nullcontext():
            await wiring.watch(
                where,
                selection(given),
                brakes(given),
                trust(given),
                stop=stop,
                observers=observers,
                publishing=publishing(given),
            )
    logger.info("stopped")


class _Stderr:
    """Standard error as it is at each moment: the agenda puts itself in its place, so that lines scroll above it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _stop_at_signals(stop: asyncio.Event, say: Callable[[], None]) -> None:
    """Set the event at the first signal; the second one ends the process as if nobody caught it.

    A handler of the interpreter's own, not the loop's, runs also while something blocks the loop.
    """
    loop = asyncio.get_running_loop()

    def wish() -> None:
        say()
        stop.set()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, _end_at_once if os.getpid() == 1 else signal.SIG_DFL)
        loop.call_soon_threadsafe(wish)

    for each in SIGNALS:
        signal.signal(each, on_signal)


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    """End as by a signal: the first process of a container has to do it itself."""
    os._exit(128 + number)
