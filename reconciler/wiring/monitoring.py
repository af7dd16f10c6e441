"""Puts together what watches the watch: its overview, metrics, heartbeat and the port that tells them.

Rules: the watch runs the same without any of it; what fails here is a log line and no more, but for what an operator
asked for and cannot have, which is said at once.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from reconciler.controller.build_report import Pace, PassResult
from reconciler.controller.health import Lookout
from reconciler.core.subject import INTERVAL
from reconciler.local.clock import SystemClock
from reconciler.model.action_record import Sent
from reconciler.model.job import Account
from reconciler.model.report import Report
from reconciler.model.watch_status import Overview, Result
from reconciler.ports import Rate


class NotPossible(Exception):
    """What the operator asked for cannot be had; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Observing:
    """How an operator wants to follow a watch."""

    listen: tuple[str, int] | None = None
    heartbeat_url: str | None = None


@dataclass(slots=True)
class Observers:
    """Everybody who is told something; whoever tells knows none of them."""

    lookout: Lookout
    secrets: set[str]
    """What no log may show."""
    on_sent: list[Callable[[Account, Sent], None]] = field(default_factory=list)
    on_pass: list[Callable[[PassResult, float], None]] = field(default_factory=list)
    address: str | None = None
    """Where health and metrics are served, if they are."""

    def sent(self, account: Account, sent: Sent) -> None:
        """Tell of a request."""
        for each in self.on_sent:
            each(account, sent)

    def passed(self, result: PassResult, took_s: float) -> None:
        """Tell of a pass."""
        for each in self.on_pass:
            each(result, took_s)


@asynccontextmanager
async def open_observers(
    wanted: Observing, secrets: set[str], tell: Callable[[Report], None], complain: Callable[[str], None]
) -> AsyncIterator[Observers]:
    """Open what is wanted, for as long as the body runs. Raises `NotPossible`.

    Args:
        wanted: what to open.
        secrets: gets what no log may show.
        tell: is given each report.
        complain: is given what goes wrong with the observing itself.
    """
    clock = SystemClock()
    lookout = Lookout.beginning(clock.monotonic(), INTERVAL.total_seconds())
    observers = Observers(lookout, secrets)
    observers.on_sent.append(lambda account, _: lookout.moved(account, clock.monotonic()))
    observers.on_pass.append(lambda result, _: tell(result.report))
    async with AsyncExitStack() as stack:
        if wanted.listen is not None:
            observers.address = _serve(wanted.listen, observers, clock, stack)
        if wanted.heartbeat_url is not None:
            await _send_heartbeats(wanted.heartbeat_url, observers, complain, stack)
        yield observers


def _serve(listen: tuple[str, int], observers: Observers, clock: SystemClock, stack: AsyncExitStack) -> str:
    from reconciler.telemetry.metrics import Metrics  # noqa: PLC0415  the web framework, for who wants it only
    from reconciler.web.health_server import create_app, serving  # noqa: PLC0415

    def overview() -> Overview:
        return observers.lookout.overview

    metrics = Metrics(overview, clock.now)

    observers.on_sent.append(lambda account, sent: metrics.sent(str(account), sent))
    observers.on_pass.append(lambda result, took_s: metrics.passed(result.report, took_s, outcomes(result)))
    host, port = listen
    try:
        return stack.enter_context(serving(create_app(overview, clock.monotonic, metrics.text), host, port))
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        msg = f"cannot listen on {host}:{port}: {why}"
        raise NotPossible(msg) from None


def outcomes(result: PassResult) -> Iterator[tuple[str, Result]]:
    """Yield how each job of a pass came out, by account."""
    due = {each.ref: each for each in result.due}
    for row in result.report.rows:
        if row.ref is None or row.name not in result.looked:
            continue
        one = due.get(row.ref)
        if row.unseen is not None:
            how = Result.ERROR
        elif one is None:
            how = Result.SUCCESS
        else:
            how = Result.REQUEUE if one.pace in {Pace.AGAIN, Pace.RETRY} else Result.REQUEUE_AFTER
        yield str(row.ref.account), how


async def _send_heartbeats(
    url: str, observers: Observers, complain: Callable[[str], None], stack: AsyncExitStack
) -> None:
    from reconciler.telemetry.heartbeat import Heartbeat, origin_of  # noqa: PLC0415  httpx takes a fifth of a second
    from reconciler.transport import Gate, HttpTransport  # noqa: PLC0415

    try:
        origin = origin_of(url)
    except ValueError as error:
        msg = f"the heartbeat's URL cannot be used: {error}"
        raise NotPossible(msg) from None
    transport = await stack.enter_async_context(HttpTransport(origin, Gate(Rate(requests_per_second=1, burst=5))))
    heartbeat = Heartbeat(url, transport, complain)
    stack.push_async_callback(heartbeat.stop)
    observers.on_pass.append(lambda *_: heartbeat.beat())
