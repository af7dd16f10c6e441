"""The receivers of notifications in a simulated run, behind the real sinks and the real transport.

Rules: the receivers outlive the processes, and record everything that arrives. A request is an effect of the process
that sends it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reconciler.controller.notifier import Notifier, told_before
from reconciler.local.outbox import StateOutbox
from reconciler.model.operator import NotifySink
from reconciler.ports import Clock, Disk, NotificationSink, StoredStatuses
from reconciler.telemetry.pagerduty_sink import PagerDutySink
from reconciler.telemetry.slack_sink import SlackSink
from reconciler.telemetry.webhook_sink import WebhookSink, signing_keys
from reconciler.transport import HttpTransport, Throttle
from reconciler.wiring.open_notifier import RATES
from tests.support.webhook_receiver import SECRET

URL = "http://listeners.localhost"
NAMES = ("webhook", "slack", "pagerduty")


@dataclass(frozen=True, slots=True)
class Heard:
    """One request that a receiver accepted."""

    at: datetime
    sink: str
    id: str
    content: Any


@dataclass(slots=True)
class Listeners:
    """The receivers. Those in `away` respond with HTTP 503."""

    clock: Clock
    heard: list[Heard] = field(default_factory=list)
    away: set[str] = field(default_factory=set)
    refused: int = 0

    def at(self, sink: str) -> list[Heard]:
        """Return what a receiver accepted."""
        return [each for each in self.heard if each.sink == sink]

    async def receive(self, request: Request) -> Response:
        """Record a request, or respond with 503 while its sink is away."""
        sink = request.path_params["sink"]
        if sink in self.away:
            self.refused += 1
            return Response(status_code=503)
        key = request.headers.get("webhook-id", "")
        self.heard.append(Heard(self.clock.now(), sink, key, await request.json()))
        return Response("ok")


@asynccontextmanager
async def telling(
    listeners: Listeners, disk: Disk, state: Path, effect: Callable[[str], None]
) -> AsyncIterator[Notifier]:
    """Run a notifier that tells every receiver, until its process ends.

    Args:
        listeners: the receivers.
        disk: the disk of the process.
        state: the state directory.
        effect: called before each request.
    """

    async def receive(request: Request) -> Response:
        effect(f"POST {request.url.path}")
        return await listeners.receive(request)

    app = Starlette(routes=[Route("/{sink}", receive, methods=["POST"])])
    async with AsyncExitStack() as stack:

        async def at(name: str) -> HttpTransport:
            transport = HttpTransport(f"{URL}/{name}", Throttle(RATES[name])).to_app(app)
            return await stack.enter_async_context(transport)

        sinks: tuple[NotificationSink, ...] = (
            WebhookSink("webhook", await at("webhook"), signing_keys(SECRET), listeners.clock.now),
            SlackSink("slack", await at("slack")),
            PagerDutySink("pagerduty", await at("pagerduty"), "key"),
        )
        outbox = StateOutbox(state, disk, {name: f"{URL}/{name}" for name in NAMES})
        if outbox.is_new:
            outbox.start(told_before(StoredStatuses(), listeners.clock.now()))
        notifier = Notifier(outbox, [(each, _rules(each.name)) for each in sinks], listeners.clock, lambda: 0.5, print)
        notifier.start()
        try:
            yield notifier
        finally:
            await notifier.finish(2)


def _rules(name: str) -> NotifySink:
    where = {"env": "X"}
    needs = {"webhook": ("url", "secret"), "slack": ("url",), "pagerduty": ("key",)}
    return NotifySink.model_validate({"name": name, "type": name, **dict.fromkeys(needs[name], where)})
