"""`reconcile`: passes for ever, until SIGTERM or Ctrl-C; a second signal ends it at once.

Rules: one signal is enough, whatever the streams, the loop or a library do; SIGHUP opens the log and the audit anew, as
daemons do, and so a lost terminal does not end it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any, TextIO, cast

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.live_footer import agenda
from reconciler.cli.option_values import OptionValues, brakes, observing, place, publishing, selection, trust
from reconciler.cli.streams import LAST_WORDS_PATIENCE_S, work_unattended
from reconciler.model.exit_code import ExitCode
from reconciler.telemetry.log import LogFile, PassLog, make_logger
from reconciler.views.layout import UNFOLDED
from reconciler.views.log_text import log_line
from reconciler.views.problems import document_problems
from reconciler.wiring.monitoring import MonitoringError, open_observers

STOPS_WITHIN_S = 24.0
"""When a process that was told to stop ends, though something still hangs: within 25 s, as is documented."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def watch(given: OptionValues) -> int:
    """Watch, tell what changes, and return the exit code.

    A directory that goes away later is waited for; one that is not there at the beginning is a mistake.
    """
    where = place(given)
    if where.remote is None and not where.specs.exists():
        ConsoleOutput.of(given).say(document_problems(wiring.read_specs(where).diagnostics))
        return ExitCode.INVALID_DOCUMENT
    work_unattended(LAST_WORDS_PATIENCE_S)
    try:
        asyncio.run(_watch(given))
    except MonitoringError as error:
        raise wiring.ConfigurationError(str(error)) from None
    return os.EX_OK


async def _watch(given: OptionValues) -> None:
    screen = ConsoleOutput.of(given)
    is_live = screen.is_live(sys.stderr) and not screen.is_json_log
    stop = asyncio.Event()
    with ExitStack() as stack:
        file = _log_file(given, stack)
        is_json = file is not None or screen.is_json_log or not sys.stderr.isatty()
        logger = make_logger(
            cast("TextIO", file or _Stderr()),
            as_text=None if is_json else partial(_as_text, screen, is_verbose=bool(given["verbose"])),
        )
        log = PassLog(logger)
        async with open_observers(observing(given), log.passed, logger.warning) as observers:
            observers.on_event.append(log.happened)
            if file is not None:
                observers.on_reopen.append(file.reopen)
            where = place(given)
            told = {"listen": observers.address} if observers.address is not None else {}
            logger.info("watching", specs=where.shown, **told)
            _stop_at_signals(stop, lambda: logger.info("stopping: what is under way is finished first"))
            _reopen_at_hangup(observers.reopen, lambda: logger.info("opened the log and the audit anew"))
            with agenda(observers.health, screen) if is_live else nullcontext():
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


def _as_text(screen: ConsoleOutput, event: Mapping[str, Any], *, is_verbose: bool) -> str:
    canvas = screen.canvas(sys.stderr)
    return replace(canvas, width=UNFOLDED).render([log_line(event, is_verbose=is_verbose)]).rstrip("\n")


def _log_file(given: OptionValues, stack: ExitStack) -> LogFile | None:
    path = given["log_file"]
    if path is None:
        return None
    try:
        return stack.enter_context(LogFile(path))
    except OSError as error:
        msg = f"the log file {path} cannot be written: {error.strerror or error}"
        raise wiring.ConfigurationError(msg) from None


class _Stderr:
    """Standard error as it is at each moment: the agenda puts itself in its place, so that lines scroll above it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _stop_at_signals(stop: asyncio.Event, say: Callable[[], None]) -> None:
    """Set the event at the first signal; the second one ends the process as if no handler were there.

    A handler of the interpreter's own, not the loop's, runs also while something blocks the loop.
    """
    loop = asyncio.get_running_loop()

    def wish() -> None:
        stop.set()
        say()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, _end_at_once if os.getpid() == 1 else signal.SIG_DFL)
        # A thread that hangs in a vendor's library, for one, would keep the interpreter from ending.
        signal.signal(signal.SIGALRM, _end_as_asked)
        signal.setitimer(signal.ITIMER_REAL, STOPS_WITHIN_S)
        loop.call_soon_threadsafe(wish)

    for each in SIGNALS:
        signal.signal(each, on_signal)


def _reopen_at_hangup(reopen: Callable[[], None], say: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def on_hangup() -> None:
        reopen()
        say()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(on_hangup)

    signal.signal(signal.SIGHUP, on_signal)


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    """End as by a signal: the first process of a container has to do it itself."""
    os._exit(128 + number)


def _end_as_asked(_number: int, _frame: FrameType | None) -> None:
    """End, with what is still under way: its receipts are on the disk."""
    os._exit(os.EX_OK)
