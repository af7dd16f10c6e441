"""Open the outbox and the sinks of notifications. If a URL or a secret cannot be used, the run does not start."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.controller.notifier import Notifier, told_before
from reconciler.controller.runtime import Runtime
from reconciler.core.watch_news import watch_started, watch_stopped
from reconciler.errors import PermanentError
from reconciler.local.credential_policy import parse_endpoint
from reconciler.local.credentials import current_secret
from reconciler.local.disk import LocalDisk
from reconciler.local.outbox import StateOutbox
from reconciler.model.notification import News, SinkDelivery
from reconciler.model.operator import SECRET_FIELDS, NotifySink
from reconciler.model.quiet_hours import QuietHours
from reconciler.model.spec import CredentialSource
from reconciler.ports import NotificationSink, PeerNames, Rate
from reconciler.redaction import KNOWN_SECRETS
from reconciler.telemetry.apprise_sink import AppriseSink, open_service, secrets_of_service
from reconciler.telemetry.heartbeat import check_url, secrets_of
from reconciler.telemetry.pagerduty_sink import EVENTS_URL, PagerDutySink
from reconciler.telemetry.slack_sink import SlackSink
from reconciler.telemetry.teams_sink import RETIRED_HOST, TeamsSink
from reconciler.telemetry.webhook_sink import WebhookSink, signing_keys
from reconciler.wiring.command_errors import ConfigurationError

RATES = {
    "webhook": Rate(requests_per_second=10, burst=20, concurrency=1),
    "slack": Rate(requests_per_second=1, burst=5, concurrency=1),
    "teams": Rate(requests_per_second=1, burst=5, concurrency=1),
    "pagerduty": Rate(requests_per_second=2, burst=20, concurrency=1),
}
"""The request rate of each type of sink. Slack allows one request a second, and PagerDuty two for each key."""


RECEIVER = PeerNames("the receiver", "the URL of the sink", "the notification")


@dataclass(frozen=True, slots=True)
class NotifierOptions:
    """Where notifications are kept and sent.

    Args:
        sinks: the sinks in the operator's file.
        state_dir: the state directory. The caller holds its lock if there are sinks.
        secret_dirs: the directories in which secrets may be stored in files.
        within_s: how long to deliver before the process ends, unless it is interrupted.
        quiet_hours: the quiet hours of each sink that has some, by its name.
        report: is called with what became of the notifications of each sink, by its name.
    """

    sinks: tuple[NotifySink, ...]
    state_dir: Path
    secret_dirs: tuple[Path, ...]
    within_s: float
    quiet_hours: Mapping[str, QuietHours]
    report: Callable[[Mapping[str, SinkDelivery]], None] = lambda _: None


@asynccontextmanager
async def with_notifier(
    runtime: Runtime, options: NotifierOptions, warn: Callable[[str], None]
) -> AsyncIterator[Runtime]:
    """Yield the runtime, with a notifier if there are sinks. `warn` logs a message about notifications.

    Raises `ConfigurationError` if a sink cannot be used, and `OSError` if the outbox cannot be written.
    """
    if not options.sinks:
        yield runtime
        return
    async with AsyncExitStack() as stack:
        sinks = [(await _open(each, runtime, options, stack), each) for each in options.sinks]
        urls = {each.name: _url(each, options) for each in options.sinks}
        outbox = StateOutbox(options.state_dir, LocalDisk(options.state_dir), urls)
        for notice in outbox.notices:
            warn(notice)
        if outbox.is_new:
            outbox.start(told_before(runtime.statuses.load(), runtime.clock.now()))
        notifier = Notifier(
            outbox, sinks, runtime.clock, random.random, warn, dict(options.quiet_hours), options.report
        )
        notifier.start()
        within_s = options.within_s
        try:
            yield replace(runtime, news=notifier)
        except asyncio.CancelledError:
            within_s = 0.0  # a person interrupted the run, and does not want to wait
            raise
        finally:
            for name, number in (await notifier.finish(within_s)).items():
                messages = "1 notification" if number == 1 else f"{number} notifications"
                if notifier.is_held(name):
                    warn(f"{messages} to {name} held until its quiet hours end: the next run after that sends it")
                else:
                    warn(f"{messages} to {name} not delivered yet: the next run with this state directory tries again")


@asynccontextmanager
async def told_of_watch(runtime: Runtime, specs: str) -> AsyncIterator[None]:
    """Notify the sinks, if there are any, that a watch of these specs starts, and after the body that it stopped."""
    recorder, now = runtime.news, runtime.clock.now
    if recorder is None:
        yield
        return

    def stopped(*, has_failed: bool) -> News:
        pending = [each.name for each in runtime.statuses.known().jobs if each.open_receipt is not None]
        return watch_stopped(specs, now(), pending, has_failed=has_failed)

    recorder.tell_watch(watch_started(specs, now()))
    try:
        yield
    except Exception:
        recorder.tell_watch(stopped(has_failed=True))
        raise
    recorder.tell_watch(stopped(has_failed=False))


async def _open(
    rules: NotifySink, runtime: Runtime, options: NotifierOptions, stack: AsyncExitStack
) -> NotificationSink:
    from reconciler.transport import HttpTransport, Throttle  # noqa: PLC0415  httpx takes 0.2 s to import

    secrets = {
        field: _secret(rules.name, field, source, options.secret_dirs)
        for field in SECRET_FIELDS
        if (source := getattr(rules, field)) is not None
    }
    url = secrets.get("url", EVENTS_URL)
    try:
        if rules.type == "apprise":
            redact_parts(rules.name, secrets_of_service(url))
            return AppriseSink(rules.name, open_service(url))
        _check_url(url)
        keys = signing_keys(secrets["secret"]) if rules.type == "webhook" else ()
        transport = await stack.enter_async_context(HttpTransport(url, Throttle(RATES[rules.type], names=RECEIVER)))
    except (ValueError, PermanentError) as error:
        msg = f"the sink {rules.name} of the operator's file cannot be used: {error}"
        raise ConfigurationError(msg) from None
    if "url" in secrets:
        redact_parts(rules.name, secrets_of(url))
    match rules.type:
        case "webhook":
            return WebhookSink(rules.name, transport, keys, runtime.clock.now)
        case "slack":
            return SlackSink(rules.name, transport)
        case "teams":
            return TeamsSink(rules.name, transport)
        case "pagerduty":
            return PagerDutySink(rules.name, transport, secrets["key"])


def _url(rules: NotifySink, options: NotifierOptions) -> str:
    """Return the URL of a sink, or an empty text if it has none of its own."""
    return "" if rules.url is None else _secret(rules.name, "url", rules.url, options.secret_dirs)


def redact_parts(sink: str, parts: Iterable[str]) -> None:
    """Redact parts of the URL of a sink from now on."""
    for number, part in enumerate(parts):
        # Each part is a source of its own, because only some secrets of a source are kept.
        KNOWN_SECRETS.add(("sink", sink, number), part)


def _check_url(url: str) -> None:
    """Raise `ValueError` if a URL cannot be used. The message does not contain the URL."""
    check_url(url)
    if url.startswith("http://") and not parse_endpoint(url).is_loopback:
        msg = "its URL must start with https://, unless its host is this machine"
        raise ValueError(msg)
    if (urlsplit(url).hostname or "").endswith(RETIRED_HOST):
        msg = "its URL is that of an Office 365 connector, which Microsoft has retired: create a workflow in Teams"
        raise ValueError(msg)


def _secret(sink: str, field: str, source: CredentialSource, secret_dirs: tuple[Path, ...]) -> str:
    """Return the text of a field, and redact it from now on if it is a secret.

    Raises `ConfigurationError` if it is not set or cannot be read.
    """
    place = source.env or source.file or ""
    secret = current_secret(place, os.environ, secret_dirs)
    if not secret:
        msg = f"the {field} of the sink {sink} is missing: {place} is not set, is empty or cannot be read"
        raise ConfigurationError(msg)
    if field != "url":  # of a URL only the path and the query are secret
        KNOWN_SECRETS.add(("sink", sink, field), *secret.split())
    return secret
