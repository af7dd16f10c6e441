"""Each request that is sent is reported to the hooks as one record."""

from __future__ import annotations

import asyncio

from reconciler.model.action_record import Sent
from reconciler.throttle import Throttle
from reconciler.transport import HttpTransport
from tests.support.clock import in_virtual_time
from tests.unit.test_transport_limits import FREELY, say_ok


def test_a_request_is_reported_to_hooks_with_its_status_and_wait() -> None:
    sent: list[Sent] = []

    async def main() -> None:
        gate = Throttle(FREELY)
        transport = HttpTransport("http://sandbox.localhost/v1", gate, hooks=(sent.append,)).to_app(say_ok)
        await transport.send("GET", "/jobs")

    in_virtual_time(main)

    assert [(each.method, each.status) for each in sent] == [("GET", 200)]
    assert sent[0].waited_s == 0


def test_a_request_without_a_response_is_reported_to_hooks_with_its_duration() -> None:
    sent: list[Sent] = []

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        transport = HttpTransport("http://sandbox.localhost/v1", Throttle(FREELY), hooks=(sent.append,)).to_app(hang)
        await asyncio.gather(transport.send("POST", "/jobs"), return_exceptions=True)

    in_virtual_time(main)

    assert [(each.method, each.status, round(each.took_s)) for each in sent] == [("POST", None, 45)]
