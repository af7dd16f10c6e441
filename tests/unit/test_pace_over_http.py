"""A real server on the loopback interface that throttles, and the real transport. The tests count requests.

With `--long` they run for ten minutes, and otherwise for some seconds.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from reconciler.errors import TransientError
from reconciler.ports import Rate
from reconciler.throttle import Throttle
from reconciler.transport import HttpTransport
from tests.support.limited_provider import Hint, LimitedProvider

ADAPTIVE = Rate(requests_per_second_max=math.inf, concurrency_max=64)
AT_ONCE = 40
Record = Callable[[str, object], None]


@asynccontextmanager
async def serving(provider: LimitedProvider) -> AsyncIterator[str]:
    """Serve a provider on the loopback interface. Yields its base URL."""
    clock = asyncio.get_running_loop().time

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                status, headers = provider.answer(clock())
                lines = [f"HTTP/1.1 {status} .", "content-length: 2", *(f"{k}: {v}" for k, v in headers.items())]
                writer.write("\r\n".join([*lines, "", "{}"]).encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def ask_for(transport: HttpTransport, seconds: float) -> None:
    """Send as many requests as the throttle permits."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds

    async def caller() -> None:
        while clock() < until:
            try:
                await transport.send("GET", "/jobs")
            except TransientError as error:
                await asyncio.sleep(min(error.retry_after_s or 0.1, until - clock()))

    await asyncio.gather(*(caller() for _ in range(16)))


@pytest.mark.long
def test_the_pace_adapts_to_servers_that_allow_two_requests_a_second(
    record_property: Record, pytestconfig: pytest.Config
) -> None:
    is_long = pytestconfig.getoption("long")
    lasts_s = 600.0 if is_long else 12.0
    providers = [LimitedProvider(2.0, hint) for hint in Hint]

    async def ask(provider: LimitedProvider) -> None:
        async with serving(provider) as url, HttpTransport(url, Throttle(ADAPTIVE)) as transport:
            await ask_for(transport, lasts_s)

    async def main() -> None:
        await asyncio.gather(*map(ask, providers))

    asyncio.run(main())
    for each in providers:
        record_property(
            f"a server allows 2 requests a second for {lasts_s:g} s, hints: {each.hint.value}",
            f"{each.served / lasts_s:.2f} a second were served, {each.refused_part:.1%} of the answers were 429",
        )

        # The limit is found by ten requests at once, most of which are throttled.
        assert each.served >= (0.8 * 2 * lasts_s if is_long else 2)
        assert each.refused <= (0.1 * (each.served + each.refused) if is_long else 12 + each.served)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("hint", Hint)
def test_the_pace_rises_above_its_start_for_a_fast_server(hint: Hint) -> None:
    provider, rates = LimitedProvider(100.0, hint), list[float]()

    async def main() -> None:
        gate = Throttle(ADAPTIVE)
        async with serving(provider) as url, HttpTransport(url, gate) as transport:
            while provider.served < 200:
                await asyncio.gather(*(transport.send("GET", "/jobs") for _ in range(AT_ONCE)))
                rates.append(gate.request_rate().per_second)

    asyncio.run(main())

    # The rate is 0 for a moment after a round in which the headers said that no request is left.
    assert max(rates) > 20
    # How many requests are throttled before the rate falls depends on the machine.
    assert provider.refused <= 2 * AT_ONCE
