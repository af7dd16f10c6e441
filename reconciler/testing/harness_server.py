"""Functions that serve a simulated provider on a socket, and open an adapter at its address as reconcile does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Queue
from types import MappingProxyType
from typing import Any

from starlette.types import ASGIApp

from reconciler.plugin import Account, AccountConfig, JobController, ProviderType, Rate
from reconciler.ports import jobs_by_kind
from reconciler.redacted_provider import redacted
from reconciler.sandbox.serving import serve
from reconciler.throttle import Throttle
from reconciler.transport import Deadlines, HttpTransport

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
STARTS_WITHIN_S = 10
UNTHROTTLED = Rate(requests_per_second=1000, burst=1000, concurrency=8)
LONG_DEADLINES = Deadlines(connect_s=5, request_s=5)
"""The deadlines if the provider responds to every request. They are long enough for a busy machine."""
SHORT_DEADLINES = Deadlines(connect_s=0.25, request_s=0.25)
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an application on a free loopback port while the body runs. Yields `http://127.0.0.1:PORT`.

    Raises `queue.Empty` if the server does not start within `STARTS_WITHIN_S` seconds.
    """
    ready: Queue[str] = Queue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve(app, on_ready=ready.put, stop=stop))

    thread = threading.Thread(target=run, name="served")
    thread.start()
    try:
        yield ready.get(timeout=STARTS_WITHIN_S)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def account_at(
    type_: ProviderType, base_url: str, options: Mapping[str, Any] = NO_OPTIONS, *, kind: str | None = None
) -> Account:
    """Return the account that a Provider document with this address and these options names.

    `kind` is the kind of its jobs. None means the first kind of the type. Raises `ValueError` if an option is invalid.
    """
    scope = type_.scope(type_.options.model_validate(dict(options)))
    return Account(type_.name, base_url, scope, kind=kind or next(iter(jobs_by_kind(type_))))


@asynccontextmanager
async def opened(
    type_: ProviderType,
    base_url: str,
    options: Mapping[str, Any] = NO_OPTIONS,
    *,
    kind: str | None = None,
    secret: str = "",
    is_impatient: bool = False,
    now: Callable[[], datetime] = lambda: NOW,
) -> AsyncIterator[JobController]:
    """Open an account of a provider type, with reconcile's own transport.

    Args:
        type_: the provider type.
        base_url: the address of the simulated provider.
        options: the options, as in a Provider document.
        kind: the kind of job; None means the first kind of the type.
        secret: the secret that the credentials return.
        is_impatient: whether the deadlines are a quarter of a second, for a provider that does not respond.
        now: the wall clock.

    Raises `ValueError` if the options are invalid, and the errors of `ProviderType.open`.
    """
    config = AccountConfig(
        account=account_at(type_, base_url, options, kind=kind),
        options=type_.options.model_validate(dict(options)),
        state_dir=None,
        now=now,
    )
    deadlines = SHORT_DEADLINES if is_impatient else LONG_DEADLINES
    async with (
        HttpTransport(base_url, Throttle(UNTHROTTLED), deadlines) as transport,
        type_.open(config, transport, _Secret(secret)) as controller,
    ):
        yield redacted(controller)


@dataclass(frozen=True, slots=True)
class _Secret:
    text: str

    async def token(self) -> str:
        return self.text
