"""Puts together what watches the watch: its overview, metrics, heartbeat and the port that tells them.

Rules: the watch runs the same without any of it; what fails here is a log line and no more, but for what an operator
asked for and cannot have, which is said at once.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from reconciler.controller.build_report import PassResult
from reconciler.controller.health import HealthTracker
from reconciler.controller.requeue import RequeueReason
from reconciler.core.subject import INTERVAL
from reconciler.errors import error_location
from reconciler.local.clock import SystemClock
from reconciler.model.action_record import Notify, PassEvent, Sent
from reconciler.model.job import Account
from reconciler.model.report import Report
from reconciler.model.watch_status import Result, WatchStatus
from reconciler.ports import Rate
from reconciler.redaction import KNOWN_SECRETS


class MonitoringError(Exception):
    """What the operator asked for cannot be had; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Observing:
    """How an operator wants to follow a watch."""

    listen: tuple[str, int] | None = None
    listen_names: tuple[str, ...] = ()
    """The names that are answered to there, besides addresses and names without a dot."""
    heartbeat_url: str | None = None


@dataclass(slots=True)
class Observers:
    """Everybody who is told something; whoever tells knows none of them.

    An observer that raises is reported once, and disturbs neither the others nor the watch.
    """

    health: HealthTracker
    complain: Callable[[str], None]
    """Is given what goes wrong with the observing itself."""
    on_sent: list[Callable[[Account, Sent], None]] = field(default_factory=list)
    on_pass: list[Callable[[PassResult, float], None]] = field(default_factory=list)
    on_event: list[Notify] = field(default_factory=list)
    on_reopen: list[Callable[[], None]] = field(default_factory=list)
    """Open files by their names again, because somebody has moved them."""
    address: str | None = None
    """Where health and metrics are served, if they are."""
    _failed: set[int] = field(default_factory=set)

    def sent(self, account: Account, sent: Sent) -> None:
        """Tell of a request."""
        for each in self.on_sent:
            self._call(each, account, sent)

    def passed(self, result: PassResult, took_s: float) -> None:
        """Tell of a pass."""
        for each in self.on_pass:
            self._call(each, result, took_s)

    def happened(self, event: PassEvent) -> None:
        """Tell of what happens within a pass."""
        for each in self.on_event:
            self._call(each, event)

    def reopen(self) -> None:
        """Open the files of logs anew."""
        for each in self.on_reopen:
            self._call(each)

    def _call(self, observer: Callable[..., None], *arguments: object) -> None:
        try:
            observer(*arguments)
        except Exception as error:  # noqa: BLE001  whatever it is, it is a defect of the observer alone
            if id(observer) not in self._failed:
                self._failed.add(id(observer))
                with suppress(Exception):
                    self.complain(f"an observer of the watch failed, and goes on being called: {error_location(error)}")


@asynccontextmanager
async def open_observers(
    wanted: Observing,
    tell: Callable[[Report, Collection[str]], None],
    complain: Callable[[str], None],
) -> AsyncIterator[Observers]:
    """Open what is wanted, for as long as the body runs. Raises `MonitoringError`.

    Args:
        wanted: what to open.
        tell: is given each report, and the names of the jobs that its pass was about.
        complain: is given what goes wrong with the observing itself.
    """
    clock = SystemClock()
    health = HealthTracker.beginning(clock.monotonic(), INTERVAL.total_seconds())
    observers = Observers(health, complain)
    observers.on_sent.append(lambda account, _: health.moved(account, clock.monotonic()))
    observers.on_pass.append(lambda result, _: tell(result.report, result.looked))
    async with AsyncExitStack() as stack:
        if wanted.listen is not None:
            observers.address = _serve(wanted.listen, wanted.listen_names, observers, clock, stack)
        if wanted.heartbeat_url is not None:
            await _send_heartbeats(wanted.heartbeat_url, observers, complain, stack)
        yield observers


def _serve(
    listen: tuple[str, int], names: tuple[str, ...], observers: Observers, clock: SystemClock, stack: AsyncExitStack
) -> str:
    from reconciler.telemetry.metrics import Metrics  # noqa: PLC0415  the web framework, for who wants it only
    from reconciler.web.health_server import create_app, serving  # noqa: PLC0415

    def overview() -> WatchStatus:
        return observers.health.overview

    metrics = Metrics(overview, clock.now)

    observers.on_sent.append(lambda account, sent: metrics.sent(str(account), sent))
    observers.on_pass.append(lambda result, took_s: metrics.passed(result.report, took_s, outcomes(result)))
    host, port = listen
    try:
        return stack.enter_context(serving(create_app(overview, clock.monotonic, metrics.text), host, port, names))
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        msg = f"cannot listen on {host}:{port}: {why}"
        raise MonitoringError(msg) from None


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
            how = Result.REQUEUE if one.pace in {RequeueReason.AGAIN, RequeueReason.RETRY} else Result.REQUEUE_AFTER
        yield str(row.ref.account), how


async def _send_heartbeats(
    url: str, observers: Observers, complain: Callable[[str], None], stack: AsyncExitStack
) -> None:
    from reconciler.telemetry.heartbeat import Heartbeat, check_url, secrets_of  # noqa: PLC0415  as below
    from reconciler.transport import HttpTransport, Throttle  # noqa: PLC0415  httpx takes a fifth of a second

    try:
        check_url(url)
    except ValueError as error:
        msg = f"the heartbeat's URL cannot be used: {error}"
        raise MonitoringError(msg) from None
    for number, secret in enumerate(secrets_of(url)):
        KNOWN_SECRETS.add(("heartbeat", number), secret)
    transport = await stack.enter_async_context(HttpTransport(url, Throttle(Rate(requests_per_second=1, burst=5))))
    heartbeat = Heartbeat(transport, complain)
    stack.push_async_callback(heartbeat.stop)
    observers.on_pass.append(lambda *_: heartbeat.beat())
