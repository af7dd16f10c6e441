"""The rate, concurrency and deadline of requests to an application in this process, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from reconciler.errors import Delivered, NotSentError, PermanentError, TransientError
from reconciler.ports import Rate, Response
from reconciler.preflight import abort_unless
from reconciler.transport import SENDS_MAX, HttpTransport, Throttle
from tests.support.clock import in_virtual_time

FREELY = Rate(requests_per_second=1000, burst=1000, concurrency=8)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def in_process(app: App, rate: Rate = FREELY) -> HttpTransport:
    return HttpTransport("http://sandbox.localhost/v1", Throttle(rate)).to_app(app)


async def say_ok(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


@pytest.mark.parametrize("status", [400, 429, 503])
def test_no_request_is_sent_during_a_pause_requested_by_retry_after(status: int) -> None:
    calls = 0

    async def busy_once(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal calls
        calls += 1
        headers = [(b"retry-after", b"30")] if calls == 1 else []
        await send({"type": "http.response.start", "status": status if calls == 1 else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    async def main() -> None:
        transport = in_process(busy_once)
        first = await transport.send("GET", "/jobs")
        await asyncio.sleep(10)
        with pytest.raises(TransientError) as caught:
            await transport.send("GET", "/jobs")
        calls_while_closed = calls
        await asyncio.sleep(20)
        last = await transport.send("GET", "/jobs")

        assert first.retry_after_s == pytest.approx(30)
        assert caught.value.delivered is Delivered.NO
        assert caught.value.retry_after_s == pytest.approx(20)
        assert calls_while_closed == 1
        assert last.status == 200

    in_virtual_time(main)


def test_a_queued_request_is_rejected_if_the_provider_requests_a_pause() -> None:
    async def busy(_scope: Scope, _receive: Receive, send: Send) -> None:
        await asyncio.sleep(1)
        await send({"type": "http.response.start", "status": 429, "headers": [(b"retry-after", b"30")]})
        await send({"type": "http.response.body", "body": b""})

    async def main() -> None:
        transport = in_process(busy, Rate(requests_per_second=1, burst=10, concurrency=1))
        sent = [asyncio.create_task(transport.send("GET", "/jobs")) for _ in range(3)]
        results = await asyncio.gather(*sent, return_exceptions=True)

        assert [type(each) for each in results] == [Response, NotSentError, NotSentError]
        assert transport.requests == 1

    in_virtual_time(main)


def refusing(times: int, status: int = 429, body: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()) -> App:
    """Return an application that rejects this many requests, and then responds with 200."""
    calls = 0

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal calls
        calls += 1
        is_refused = calls <= times
        start = {"status": status if is_refused else 200, "headers": list(headers) if is_refused else []}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": body if is_refused else b"{}"})

    return answer


@pytest.mark.parametrize(
    ("method", "status", "body"),
    [
        ("GET", 429, b""),
        ("GET", 503, b"the engine is overloaded"),
        ("GET", 529, b""),
        ("POST", 429, b""),
        ("POST", 400, b'{"__type": "ThrottlingException"}'),
    ],
)
def test_a_throttled_request_that_changes_no_job_is_sent_again(method: str, status: int, body: bytes) -> None:
    async def main() -> None:
        transport = in_process(refusing(2, status, body))
        answer = await transport.send(method, "/jobs")

        assert answer.status == 200
        assert transport.requests == 3

    in_virtual_time(main)


def test_a_throttled_read_is_sent_again_after_a_short_retry_after() -> None:
    async def main() -> None:
        transport = in_process(refusing(1, headers=((b"retry-after", b"3"),)))
        answer = await transport.send("GET", "/jobs")

        assert answer.status == 200
        assert asyncio.get_running_loop().time() == pytest.approx(3, abs=0.01)

    in_virtual_time(main)


def test_a_read_that_is_throttled_every_time_returns_its_last_response() -> None:
    async def main() -> None:
        transport = in_process(refusing(1000))
        answer = await transport.send("GET", "/jobs")

        assert answer.status == 429
        assert transport.requests == SENDS_MAX

    in_virtual_time(main)


@pytest.mark.parametrize(("method", "status"), [("POST", 429), ("GET", 429), ("POST", 529)])
def test_a_throttled_change_request_is_not_sent_again_by_the_transport(method: str, status: int) -> None:
    async def main() -> None:
        transport = in_process(refusing(1, status))
        with abort_unless(lambda: True):
            answer = await transport.send(method, "/jobs/a/cancel")

        assert answer.status == status
        assert transport.requests == 1

    in_virtual_time(main)


def test_an_overloaded_post_request_is_not_sent_again() -> None:
    async def main() -> None:
        transport = in_process(refusing(1, 529))

        assert (await transport.send("POST", "/comments")).status == 529
        assert transport.requests == 1

    in_virtual_time(main)


def test_requests_are_sent_no_faster_than_the_rate_limit() -> None:
    async def main() -> None:
        transport = in_process(say_ok, Rate(requests_per_second=2, burst=5, concurrency=4))
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(transport.send("GET", "/jobs") for _ in range(25)))
        took_s = asyncio.get_running_loop().time() - started

        assert took_s == pytest.approx(10, abs=0.01)
        assert transport.requests == 25

    in_virtual_time(main)


def test_no_more_requests_run_at_once_than_the_concurrency_limit() -> None:
    under_way = 0
    most = 0

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(1)
        under_way -= 1
        await say_ok(scope, receive, send)

    async def main() -> None:
        transport = in_process(slow, Rate(requests_per_second=100, burst=100, concurrency=3))
        await asyncio.gather(*(transport.send("GET", "/jobs") for _ in range(9)))

    in_virtual_time(main)

    assert most == 3


def test_a_request_to_a_hanging_in_process_application_times_out() -> None:
    async def hang(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        started = asyncio.get_running_loop().time()
        with pytest.raises(TransientError) as caught:
            await in_process(hang).send("GET", "/jobs")
        took_s = asyncio.get_running_loop().time() - started

        assert caught.value.delivered is Delivered.UNKNOWN
        assert took_s == pytest.approx(45)

    in_virtual_time(main)


def test_time_in_the_queue_does_not_reduce_the_request_deadline() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(40)
        await say_ok(scope, receive, send)

    async def main() -> None:
        transport = in_process(slow, Rate(requests_per_second=1, burst=1, concurrency=1))
        answers = await asyncio.gather(*(transport.send("GET", "/jobs") for _ in range(3)))

        assert [each.status for each in answers] == [200, 200, 200]

    in_virtual_time(main)


@pytest.mark.parametrize("error", [RuntimeError("canary"), ConnectionResetError(), AssertionError()])
def test_an_exception_in_an_in_process_application_leaves_the_delivery_unknown(error: Exception) -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    with pytest.raises(TransientError) as caught:
        asyncio.run(in_process(broken).send("POST", "/jobs"))

    assert caught.value.delivered is Delivered.UNKNOWN
    assert "canary" not in str(caught.value)


def test_a_response_that_is_compressed_more_than_once_is_rejected() -> None:
    async def squeeze(_scope: Scope, _receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-encoding", b"gzip, gzip")]}
        await send(start)
        await send({"type": "http.response.body", "body": b"whatever"})

    async def main() -> None:
        with pytest.raises(PermanentError, match="compressed more than once"):
            await in_process(squeeze).send("GET", "/jobs")

    in_virtual_time(main)
