"""A heartbeat over a real socket: the requests that are sent, and the failures that are reported."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reconciler.ports import Rate
from reconciler.telemetry.heartbeat import Heartbeat, check_url, secrets_of
from reconciler.testing import served
from reconciler.transport import HttpTransport, Throttle


def test_each_heartbeat_is_one_request_and_only_a_changed_outcome_is_reported() -> None:
    answers = [200, 500, 503, 404, 200, 200]
    heard: list[str] = []
    told: list[str] = []

    async def hear(request: Request) -> Response:
        heard.append(f"{request.method} {request.url.path}?{request.url.query}")
        return Response(status_code=answers[len(heard) - 1])

    async def main(url: str) -> None:
        gate = Throttle(Rate(requests_per_second=1000, burst=1000))
        async with HttpTransport(f"{url}//ping/canary?from=us&from=me", gate) as transport:
            heartbeat = Heartbeat(transport, told.append)
            for count in range(1, len(answers) + 1):
                heartbeat.send()
                heartbeat.send()
                while len(heard) < count or heartbeat.is_sending:  # noqa: ASYNC110  a server has no event to wait for
                    await asyncio.sleep(0.01)
            await heartbeat.stop()

    with served(Starlette(routes=[Route("/{path:path}", hear)])) as url:
        asyncio.run(main(url))

    assert heard == ["GET //ping/canary?from=us&from=me"] * len(answers)
    assert told == ["the heartbeat to --heartbeat-url failed: HTTP 500", "heartbeats are received again"]


@pytest.mark.parametrize(
    "url", ["", "http://[::1", "https://h:0/", "example.org/ping", "ftp://example.org", "https://user:key@example.org/"]
)
def test_an_invalid_heartbeat_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="must start with http"):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://hc.example/0f1e2d3c-aaaa-bbbb", {"/0f1e2d3c-aaaa-bbbb", "0f1e2d3c-aaaa-bbbb"}),
        ("https://up.example/api/heartbeats//k3y?t=s3cret", {"/api/heartbeats//k3y", "k3y", "t=s3cret", "s3cret"}),
        ("https://up.example/api/heartbeats", {"/api/heartbeats"}),
    ],
)
def test_the_secrets_of_a_url_are_its_path_its_query_and_its_non_word_parts(url: str, secrets: set[str]) -> None:
    assert {each for each in secrets_of(url) if each} == secrets
