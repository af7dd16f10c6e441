"""The monitoring of a watch: its status, metrics, heartbeat and HTTP port.

A failure of the monitoring while the watch runs is only logged. At the start of the watch, a monitoring option that
cannot be applied is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from reconciler.controller.build_report import PassResult
from reconciler.controller.health import HealthTracker
from reconciler.controller.requeue import RequeueReason
from reconciler.core.subject import INTERVAL
from reconciler.errors import PermanentError, error_location
from reconciler.local.clock import SystemClock
from reconciler.model.action_record import Notify, PassEvent, Sent
from reconciler.model.election import ElectionStatus
from reconciler.model.job import Account
from reconciler.model.report import Report
from reconciler.model.watch_status import Result, WatchStatus
from reconciler.ports import NO_TRACER, PeerNames, Rate, Tracer
from reconciler.redaction import KNOWN_SECRETS
from reconciler.telemetry.service_manager import ServiceManager
from reconciler.wiring.monitoring_options import LISTEN_TOKEN, MonitoringOptions
from reconciler.wiring.open_tracer import open_tracer

PAGE_IS_OFF = (
    "the page is off, because other machines may reach {address} and no token is set: set --listen-token-file, or "
    "listen on 127.0.0.1"
)
HEARTBEAT = PeerNames("the receiver", "the URL of --heartbeat-url", "the heartbeat")
TOKEN_MIN = 16
"""The minimum length of a token, so that it cannot be guessed."""
_TOKEN = re.compile(rf"[!-~]{{{TOKEN_MIN},}}")


class MonitoringError(Exception):
    """A monitoring option cannot be applied, for example because its port is in use. The message gives the reason."""


@dataclass(slots=True)
class Observers:
    """The functions that are called for requests, passes and events of a watch.

    A function that raises is reported once. The other functions are still called, and the watch continues.
    """

    health: HealthTracker
    warn: Callable[[str], None]
    """A function that logs a warning about the monitoring itself."""
    on_sent: list[Callable[[Account, Sent], None]] = field(default_factory=list)
    on_pass: list[Callable[[PassResult, float], None]] = field(default_factory=list)
    on_event: list[Notify] = field(default_factory=list)
    on_change: list[Callable[[WatchStatus], None]] = field(default_factory=list)
    on_election: list[Callable[[ElectionStatus | None, ElectionStatus], None]] = field(default_factory=list)
    """Functions that receive what the watch knew of its election before, and what it knows now."""
    on_reopen: list[Callable[[], None]] = field(default_factory=list)
    """Functions that reopen log files by name, after a log rotation."""
    address: str | None = None
    """The address of the HTTP port; None without `--listen`."""
    service_manager: ServiceManager | None = None
    """The service manager that started the watch, such as systemd, or None."""
    tracer: Tracer = NO_TRACER
    """The recorder of spans."""
    page_note: str | None = None
    """Why the port does not serve the page, or None if it does."""
    _failed: set[int] = field(default_factory=set)

    def notify_sent(self, account: Account, sent: Sent) -> None:
        """Report a sent request to each function in `on_sent`."""
        for each in self.on_sent:
            self._call(each, account, sent)

    def notify_pass(self, result: PassResult, took_s: float) -> None:
        """Report a pass, which took `took_s` seconds, to each function in `on_pass`."""
        for each in self.on_pass:
            self._call(each, result, took_s)

    def notify_event(self, event: PassEvent) -> None:
        """Report an event within a pass to each function in `on_event`."""
        for each in self.on_event:
            self._call(each, event)

    def notify_election(self, leadership: ElectionStatus, now: float) -> None:
        """Report what the watch knows of its election to its health, and to each function in `on_election`.

        `now` is in monotonic seconds.
        """
        before = self.health.overview.leadership
        self.health.elected(leadership, now)
        for each in self.on_election:
            self._call(each, before, leadership)

    def notify_change(self, watch: WatchStatus) -> None:
        """Report a new state of the watch to each function in `on_change`."""
        for each in self.on_change:
            self._call(each, watch)

    def reopen(self) -> None:
        """Call each function in `on_reopen`, because the log files may have been rotated."""
        if self.service_manager is not None:
            self.service_manager.reloading()
        for each in self.on_reopen:
            self._call(each)
        if self.service_manager is not None:
            self.service_manager.reloaded()

    def _call(self, observer: Callable[..., None], *arguments: object) -> None:
        try:
            observer(*arguments)
        except Exception as error:  # noqa: BLE001  an error in one observer must not affect the others
            if id(observer) not in self._failed:
                self._failed.add(id(observer))
                with suppress(Exception):
                    self.warn(f"a part of the monitoring failed, but the watch continues: {error_location(error)}")


@asynccontextmanager
async def open_observers(
    options: MonitoringOptions,
    log_pass: Callable[[Report, Collection[str]], None],
    warn: Callable[[str], None],
) -> AsyncIterator[Observers]:
    """Open the monitoring, and close it when the body ends.

    Raises `MonitoringError` if an option cannot be applied, for example because the proxy or certificate settings of
    this machine cannot be used for heartbeats.

    Args:
        options: the monitoring options.
        log_pass: logs a pass, from its report and the names of the specs that it handled.
        warn: logs a failure of the monitoring itself.
    """
    clock = SystemClock()
    health = HealthTracker.beginning(clock.monotonic(), INTERVAL.total_seconds())
    observers = Observers(health, warn)
    health.on_change = observers.notify_change
    observers.on_sent.append(lambda account, _: health.moved(account, clock.monotonic()))
    observers.on_pass.append(lambda result, _: log_pass(result.report, result.looked))
    async with AsyncExitStack() as stack:
        observers.tracer = await stack.enter_async_context(open_tracer(os.environ, warn))
        if options.listen is not None:
            observers.address = _serve(options.listen, options, observers, clock, stack)
        if options.heartbeat_url is not None:
            await _send_heartbeats(options.heartbeat_url, observers, warn, stack)
        _report_to_service_manager(observers, clock)
        yield observers


def _report_to_service_manager(observers: Observers, clock: SystemClock) -> None:
    manager = ServiceManager.of(os.environ, os.getpid(), clock.monotonic)
    if manager is None:
        return
    if problem := manager.problem():
        observers.warn(problem)
    observers.service_manager = manager
    observers.on_change.append(manager.update)


def _serve(
    listen: tuple[str, int], options: MonitoringOptions, observers: Observers, clock: SystemClock, stack: AsyncExitStack
) -> str:
    from reconciler.telemetry.metrics import Metrics  # noqa: PLC0415  slow to import, and needed only with --listen
    from reconciler.web.events import events_route  # noqa: PLC0415
    from reconciler.web.health_server import create_app, serving  # noqa: PLC0415
    from reconciler.web.hosts import is_loopback  # noqa: PLC0415
    from reconciler.web.page import PageServer  # noqa: PLC0415
    from reconciler.web.token import TokenFilter  # noqa: PLC0415

    def watch_status() -> WatchStatus:
        return observers.health.overview

    metrics = Metrics(watch_status, clock.now, options.metrics)

    observers.on_sent.append(lambda account, sent: metrics.count_request(str(account), sent))
    observers.on_pass.append(lambda result, took_s: metrics.count_pass(result.report, took_s, job_results(result)))
    (host, port), token = listen, _listen_token(options)
    page = PageServer(watch_status, clock.monotonic, clock.now, f"{clock.now().timestamp():.0f}")
    if token is None and not is_loopback(host):
        observers.page_note = PAGE_IS_OFF.format(address=f"{host}:{port}")
    routes = [*page.routes(), events_route(page)] if observers.page_note is None else []
    app = create_app(watch_status, clock.monotonic, metrics.text, routes)
    guarded = app if token is None else TokenFilter(app, token)
    try:
        return stack.enter_context(serving(guarded, host, port, options.listen_names))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        msg = f"cannot listen on {host}:{port}: {reason}; pass another address to --listen"
        raise MonitoringError(msg) from None


def _listen_token(options: MonitoringOptions) -> str | None:
    """Return the token of the port, or None if no token is set. Raises `MonitoringError` if it cannot be used."""
    file, token = options.listen_token_file, os.environ.get(LISTEN_TOKEN)
    source = LISTEN_TOKEN if file is None else "the file of --listen-token-file"
    if file is not None:
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            msg = f"{source} cannot be read as text: check its path, its mode and its encoding (UTF-8)"
            raise MonitoringError(msg) from None
    if token is None:
        return None
    if not _TOKEN.fullmatch(token):
        msg = f"{source} does not contain a token: use at least {TOKEN_MIN} visible ASCII characters, without spaces"
        raise MonitoringError(msg)
    KNOWN_SECRETS.add(("listen", 0), token)
    return token


def job_results(result: PassResult) -> Iterator[tuple[str, Result]]:
    """Yield the account and the result of each job that a pass handled."""
    requeues = {each.ref: each for each in result.due}
    for row in result.report.rows:
        if row.ref is None or row.name not in result.looked:
            continue
        requeue = requeues.get(row.ref)
        if row.unobserved is not None:
            outcome = Result.ERROR
        elif requeue is None:
            outcome = Result.SUCCESS
        elif requeue.pace in {RequeueReason.AGAIN, RequeueReason.RETRY}:
            outcome = Result.REQUEUE
        else:
            outcome = Result.REQUEUE_AFTER
        yield str(row.ref.account), outcome


async def _send_heartbeats(url: str, observers: Observers, warn: Callable[[str], None], stack: AsyncExitStack) -> None:
    from reconciler.telemetry.heartbeat import Heartbeat, check_url, secrets_of  # noqa: PLC0415  not always needed
    from reconciler.transport import HttpTransport, Throttle  # noqa: PLC0415  httpx takes 0.2 s to import

    try:
        check_url(url)
    except ValueError as error:
        msg = f"the URL of --heartbeat-url cannot be used: {error}"
        raise MonitoringError(msg) from None
    for number, secret in enumerate(secrets_of(url)):
        KNOWN_SECRETS.add(("heartbeat", number), secret)
    try:
        transport = HttpTransport(url, Throttle(Rate(requests_per_second=1, burst=5), names=HEARTBEAT))
    except PermanentError as error:
        msg = f"the heartbeat of --heartbeat-url cannot be sent: {error}"
        raise MonitoringError(msg) from None
    await stack.enter_async_context(transport)
    heartbeat = Heartbeat(transport, warn)
    stack.push_async_callback(heartbeat.stop)
    observers.on_pass.append(lambda *_: heartbeat.send())
