"""`reconcile` without a verb: watches until SIGTERM or SIGINT. A second signal ends the process at once.

One signal must be enough, even if a stream, the event loop or a library hangs. SIGHUP reopens the log and the audit
log, as in other daemons, so a lost terminal does not end the watch.
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

import click
from click.core import ParameterSource

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.leader_elect import election_options
from reconciler.cli.live_footer import live_footer
from reconciler.cli.option_values import (
    OptionValues,
    monitoring_options,
    paths,
    publishing,
    safety_options,
    selection,
    trust_sources,
)
from reconciler.cli.streams import SHUTDOWN_TIMEOUT_S, detach_from_terminal
from reconciler.model.exit_code import ExitCode
from reconciler.telemetry.log import LogFile, PassLog, make_logger
from reconciler.telemetry.start_log import StartLog
from reconciler.views.layout import UNLIMITED_WIDTH
from reconciler.views.log_text import log_line
from reconciler.views.problems import document_problems
from reconciler.wiring.monitoring import MonitoringError, open_observers

STOP_TIMEOUT_S = 24.0
"""How long after the first signal the process exits, in seconds, even if it hangs. The documentation promises 25 s."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def watch(values: OptionValues) -> int:
    """Watch, log what changes, and return the exit code.

    If the specs directory is missing at the start, that is an error. If it disappears later, the watch waits for it.
    Raises `ConfigurationError` if the log file or a monitoring option cannot be used, and the errors of `wiring.watch`.
    """
    where = paths(values)
    if where.remote is None and not where.specs.exists():
        ConsoleOutput.of(values).show_problems(document_problems(wiring.read_specs(where).diagnostics))
        return ExitCode.INVALID_DOCUMENT
    detach_from_terminal(SHUTDOWN_TIMEOUT_S)
    try:
        asyncio.run(_watch(values))
    except MonitoringError as error:
        raise wiring.ConfigurationError(str(error)) from None
    return os.EX_OK


async def _watch(values: OptionValues) -> None:
    console = ConsoleOutput.of(values)
    is_live = console.is_terminal(sys.stderr) and not console.is_json_log
    stop = asyncio.Event()
    with ExitStack() as stack:
        file = _log_file(values, stack)
        is_text_wanted = click.get_current_context().get_parameter_source("log_format") is not ParameterSource.DEFAULT
        is_json = file is not None or console.is_json_log or not (sys.stderr.isatty() or is_text_wanted)
        logger = make_logger(
            cast("TextIO", file or _Stderr()),
            as_text=None if is_json else partial(_as_text, console, is_verbose=bool(values["verbose"])),
        )
        log, start = PassLog(logger), StartLog(logger)
        async with open_observers(monitoring_options(values), log.log_pass, logger.warning) as observers:
            observers.on_event += [log.log_event, start.log_event]
            observers.on_change.append(start.log_change)
            observers.on_election.append(log.log_leadership)
            if file is not None:
                observers.on_reopen.append(file.reopen)
            where = paths(values)
            address = {"listen": observers.address} if observers.address is not None else {}
            logger.info("watching", specs=where.shown, **address)
            if observers.page_note is not None:
                logger.info(observers.page_note)
            _stop_at_signals(stop, lambda: logger.info("stopping after the requests in progress"))
            _reopen_at_hangup(
                observers.reopen, lambda: logger.info("reopened the files of --log-file and --audit, if set")
            )
            with live_footer(observers.health, console) if is_live else nullcontext():
                await wiring.watch(
                    where,
                    selection(values),
                    safety_options(values),
                    trust_sources(values),
                    stop=stop,
                    observers=observers,
                    publishing=publishing(values),
                    election=election_options(values),
                )
        logger.info("stopped")


def _as_text(console: ConsoleOutput, event: Mapping[str, Any], *, is_verbose: bool) -> str:
    canvas = console.canvas(sys.stderr)
    return replace(canvas, width=UNLIMITED_WIDTH).render([log_line(event, is_verbose=is_verbose)]).rstrip("\n")


def _log_file(values: OptionValues, stack: ExitStack) -> LogFile | None:
    path = values["log_file"]
    if path is None:
        return None
    try:
        return stack.enter_context(LogFile(path))
    except OSError as error:
        msg = f"the log file {path} cannot be written: {error.strerror or error}; pass another file to --log-file"
        raise wiring.ConfigurationError(msg) from None


class _Stderr:
    """A stream that writes to the current `sys.stderr`: the footer replaces it, so that log lines scroll above it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _stop_at_signals(stop: asyncio.Event, log_stop: Callable[[], None]) -> None:
    """Set the event at the first signal. The second signal ends the process at once.

    This function uses `signal.signal`, because the event loop's own handlers do not run while the loop is blocked.
    """
    loop = asyncio.get_running_loop()

    def request_stop() -> None:
        stop.set()
        log_stop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            # For process 1, as in a container, the kernel ignores the default action of a signal.
            signal.signal(each, _exit_at_once if os.getpid() == 1 else signal.SIG_DFL)
        # A thread that hangs, for example in a vendor's library, would keep the interpreter from exiting.
        signal.signal(signal.SIGALRM, _exit_after_timeout)
        signal.setitimer(signal.ITIMER_REAL, STOP_TIMEOUT_S)
        loop.call_soon_threadsafe(request_stop)

    for each in SIGNALS:
        signal.signal(each, on_signal)


def _reopen_at_hangup(reopen: Callable[[], None], log_reopen: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def on_hangup() -> None:
        reopen()
        log_reopen()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(on_hangup)

    signal.signal(signal.SIGHUP, on_signal)


def _exit_at_once(number: int, _frame: FrameType | None) -> None:
    """Exit with the code that a shell reports for a process that was ended by this signal."""
    os._exit(128 + number)


def _exit_after_timeout(_number: int, _frame: FrameType | None) -> None:
    """Exit even if requests are in progress. The next run continues from their receipts, which are on the disk."""
    os._exit(os.EX_OK)
