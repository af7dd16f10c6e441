"""Where a request is sent and how its response is handled, over real sockets on loopback."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.http_checks import too_long_error
from reconciler.ports import PeerNames, Rate, Response
from reconciler.time_headers import RETRY_AFTER_MAX_S, http_date, retry_after_s
from reconciler.transport import BODY_MAX, Deadlines, HttpTransport, Throttle

FREELY = Rate(requests_per_second=1000, burst=1000, concurrency=8)
SOON = Deadlines(connect_s=1, request_s=0.5)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Peer:
    """A server that sends the same bytes on each connection and records what it receives."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.heard: list[bytes] = []
        self.meetings: list[asyncio.Task[None]] = []
        self.address = ""

    def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in its own task, which `listening` waits for."""
        self.meetings.append(asyncio.create_task(self._talk(reader, writer)))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            self.heard.append(await reader.read(65_536))
            writer.write(self.answer or b"")
            await writer.drain()
            if self.answer is None:
                await reader.read()
        with suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def listening(answer: bytes | None) -> AsyncIterator[Peer]:
    peer = Peer(answer)
    server = await asyncio.start_server(peer.meet, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    peer.address = f"{host}:{port}"
    async with server:
        yield peer
        await asyncio.gather(*peer.meetings)


async def ask(address: str, deadlines: Deadlines = SOON) -> Response:
    async with HttpTransport(f"http://{address}/v1", Throttle(FREELY), deadlines) as transport:
        return await transport.send(
            "GET", "/jobs", query={"limit": "3"}, headers={"authorization": "Bearer canary-key"}
        )


def exchange(answer: bytes | None, deadlines: Deadlines = SOON) -> tuple[Peer, Response | Exception]:
    async def main() -> tuple[Peer, Response | Exception]:
        async with listening(answer) as peer:
            try:
                return peer, await ask(peer.address, deadlines)
            except (TransientError, PermanentError) as error:
                return peer, error

    return asyncio.run(main())


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500])
def test_every_response_is_returned_regardless_of_its_status(status: int) -> None:
    head = f"HTTP/1.1 {status} X\r\nDate: Mon, 23 Nov 2026 14:03:20 GMT\r\nX-Request-ID: 7\r\n"

    peer, response = exchange(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())

    assert isinstance(response, Response)
    assert (response.status, response.json(), response.headers["x-request-id"]) == (status, {}, "7")
    assert response.at == datetime(2026, 11, 23, 14, 3, 20, tzinfo=UTC)
    assert peer.heard[0].startswith(b"GET /v1/jobs?limit=3 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "path",
    [
        "jobs",
        "https://evil.example/jobs",
        "//evil.example/jobs",
        "/jobs//cancel",
        "/jobs/../admin",
        "/jobs/./x",
        "/jobs/%2e%2e/admin",
        "/jobs/..%2fadmin",
        "/jobs/..\\admin",
        "/jobs/..%5Cadmin",
        "/jobs?all=1",
        "/jobs#x",
        "/jobs/a b",
        "/jobs/a\r\nHost: evil.example",
        "/jobs/\x00",
        "/jobs/é",
    ],
)
def test_a_path_that_is_malformed_or_leaves_the_base_url_is_not_sent(path: str) -> None:
    async def main() -> int:
        async with listening(OK) as peer, HttpTransport(f"http://{peer.address}/v1", Throttle(FREELY)) as transport:
            with pytest.raises(PermanentError) as caught:
                await transport.send("GET", path)
            assert caught.value.kind is Kind.INVALID
            assert peer.heard == []
            return transport.requests

    requests = asyncio.run(main())

    assert requests == 0


def test_a_percent_encoded_job_id_is_sent_unchanged() -> None:
    async def main() -> bytes:
        async with listening(OK) as peer, HttpTransport(f"http://{peer.address}", Throttle(FREELY), SOON) as transport:
            await transport.send("POST", "/jobs/a%2Fb%3A/cancel")
            return peer.heard[0]

    heard = asyncio.run(main())

    assert heard.startswith(b"POST /jobs/a%2Fb%3A/cancel HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            b"HTTP/1.1 302 X\r\nLocation: https://x.example/\r\nContent-Length: 0\r\n\r\n",
            "because the notification would be sent there too: correct the URL of the sink",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 0\r\n\r\n", "check the URL of the sink"),
    ],
)
def test_an_error_names_what_the_requests_are_sent_to(answer: bytes, said: str) -> None:
    async def main() -> PermanentError:
        names = PeerNames("the receiver", "the URL of the sink", "the notification")
        async with (
            listening(answer) as peer,
            HttpTransport(f"http://{peer.address}", Throttle(FREELY, names=names), SOON) as transport,
        ):
            with pytest.raises(PermanentError) as caught:
                await transport.send("POST", "")
            return caught.value

    error = asyncio.run(main())

    assert str(error).endswith(said)
    assert str(too_long_error("x", 64 * 1024**2, PeerNames(url="the URL of the sink"))) == (
        "x sent a response of more than 64 MiB: check the URL of the sink"
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_rejected_and_never_followed(status: int) -> None:
    async def main() -> tuple[list[bytes], PermanentError]:
        async with listening(OK) as elsewhere:
            head = f"HTTP/1.1 {status} X\r\nLocation: http://user:pw@{elsewhere.address}/?token=t\r\n"
            async with listening(f"{head}Content-Length: 0\r\n\r\n".encode()) as peer:
                with pytest.raises(PermanentError) as caught:
                    await ask(peer.address)
            return elsewhere.heard, caught.value

    heard, error = asyncio.run(main())

    assert heard == []
    assert error.kind is Kind.REFUSED
    assert str(status) in str(error)
    assert "'127.0.0.1'" in str(error)
    assert "token" not in str(error)
    assert "pw" not in str(error)


def test_a_refused_connection_is_reported_as_not_delivered() -> None:
    async def main() -> TransientError:
        async with listening(OK) as peer:
            address = peer.address
        with pytest.raises(TransientError) as caught:
            await ask(address)
        return caught.value

    error = asyncio.run(main())

    assert error.delivered is Delivered.NO
    assert "127.0.0.1" in str(error)


def test_a_failed_tls_handshake_is_reported_as_not_delivered() -> None:
    async def main() -> TransientError:
        async with listening(OK) as peer, HttpTransport(f"https://{peer.address}", Throttle(FREELY)) as transport:
            with pytest.raises(TransientError) as caught:
                await transport.send("GET", "/jobs")
            return caught.value

    error = asyncio.run(main())

    assert error.delivered is Delivered.NO
    assert "certificate" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="silence"),
        pytest.param(b"", id="closed at once"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", id="cut body"),
        pytest.param(b"not HTTP at all\r\n\r\n", id="no HTTP"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
            id="not what it is encoded as",
        ),
    ],
)
def test_without_a_complete_response_delivery_is_reported_as_unknown(answer: bytes | None) -> None:
    peer, error = exchange(answer)

    assert len(peer.heard) == 1
    assert isinstance(error, TransientError)
    assert error.delivered is Delivered.UNKNOWN
    assert peer.address in str(error)


def test_a_response_that_cannot_be_decompressed_is_reported_as_such() -> None:
    peer, error = exchange(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")

    assert isinstance(error, TransientError)
    assert str(error) == f"{peer.address} sent a response that could not be decompressed"


def test_no_error_contains_the_key_or_an_exception_of_the_http_library() -> None:
    _, error = exchange(b"")

    assert isinstance(error, TransientError)
    assert "canary-key" not in str(error)
    assert "limit" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_response_over_the_size_limit_is_rejected() -> None:
    _, error = exchange(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(BODY_MAX + 1), Deadlines())

    assert isinstance(error, PermanentError)
    assert error.kind is Kind.INVALID


def test_plain_http_ignores_netrc_and_proxy_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password canary-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def main() -> bytes:
        async with listening(OK) as peer, HttpTransport(f"http://{peer.address}", Throttle(FREELY), SOON) as transport:
            await transport.send("GET", "/jobs")
            return peer.heard[0]

    heard = asyncio.run(main())

    assert b"authorization" not in heard.lower()


AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "at", "expected"),
    [
        ({}, AT, None),
        ({"retry-after": "7"}, None, 7),
        ({"retry-after": "0"}, None, 0),
        ({"retry-after": "1.5"}, None, 1.5),
        ({"retry-after": "-3"}, None, 0),
        ({"retry-after": "7", "retry-after-ms": "250"}, None, 0.25),
        ({"retry-after": "7", "retry-after-ms": "0"}, None, 0),
        ({"retry-after": "7", "retry-after-ms": "soon"}, None, 7),
        ({"retry-after": "Mon, 23 Nov 2026 14:02:00 GMT"}, AT, 120),
        ({"retry-after": "Mon, 23 Nov 2026 13:59:00 GMT"}, AT, 0),
        ({"retry-after": "Mon, 23 Nov 2026 14:02:00 GMT"}, None, None),
        ({"retry-after": "nan"}, AT, None),
        ({"retry-after": "inf"}, AT, None),
        ({"retry-after": "1e12"}, AT, RETRY_AFTER_MAX_S),
        ({"retry-after": "tomorrow"}, AT, None),
    ],
)
def test_retry_after_headers_are_parsed_as_seconds_milliseconds_or_dates(
    headers: dict[str, str], at: datetime | None, expected: float | None
) -> None:
    assert retry_after_s(headers, at) == expected


@pytest.mark.parametrize(
    "text", [None, "", "yesterday", "Mon, 99 Nov 2026 14:03:20 GMT", "31 Dec 9999 23:59:59 -0100", "1, 2"]
)
def test_an_invalid_http_date_is_ignored(text: str | None) -> None:
    assert http_date(text) is None


BEARER = "canary-key-of-the-header"


def told(answer: bytes, headers: dict[str, str], *, conceal: str = "") -> Response | PermanentError:
    """Send a request with these headers to a server that responds with `answer`. Return the response or the error."""

    async def main() -> Response | PermanentError:
        async with (
            listening(answer) as peer,
            HttpTransport(f"http://{peer.address}", Throttle(FREELY), SOON) as transport,
        ):
            transport.conceal(conceal)
            try:
                return await transport.send("GET", "/jobs", headers=headers)
            except PermanentError as error:
                return error

    return asyncio.run(main())


def saying(text: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nX-Said: {text}\r\nContent-Length: {len(text) + 2}\r\n\r\n[{text}]".encode()


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {BEARER}"},
        {"Authorization": BEARER},
        {"Proxy-Authorization": f"Basic {b64encode(f'user:{BEARER}'.encode()).decode()}"},
        {"api-key": BEARER},
        {"x-api-key": BEARER},
        {"X-Auth-Token": BEARER},
        {"cookie": BEARER},
    ],
)
@pytest.mark.parametrize("guise", [str, str.upper, lambda key: b64encode(f"x{key}".encode()).decode()])
def test_credentials_of_a_request_are_redacted_from_its_response_body_and_headers(
    headers: dict[str, str], guise: Callable[[str], str]
) -> None:
    response = told(saying(guise(BEARER)), headers)

    assert isinstance(response, Response)
    assert (response.body, response.headers["x-said"]) == (b"[[redacted]]", "[redacted]")


def test_a_header_that_is_not_a_credential_is_not_redacted() -> None:
    response = told(saying("project-of-somebody"), {"openai-project": "project-of-somebody"})

    assert isinstance(response, Response)
    assert response.body == b"[project-of-somebody]"


def test_a_concealed_secret_is_redacted_even_if_no_header_contained_it() -> None:
    response = told(saying("canary-that-signs"), {}, conceal="canary-that-signs")

    assert isinstance(response, Response)
    assert response.body == b"[[redacted]]"


@pytest.mark.parametrize("value", ["canary\n", " canary", "cana\try", "canaryß", "cana\r\nx: ry", "canary\0"])
@pytest.mark.parametrize("how", ["given", "signed"])
def test_an_invalid_header_is_reported_by_name_without_its_value(how: str, value: str) -> None:
    made = {"X-Token": value}

    async def main() -> PermanentError:
        async with HttpTransport("http://127.0.0.1:9/v1", Throttle(FREELY), SOON) as transport:
            sent = (
                transport.send("POST", "/jobs", headers=made)
                if how == "given"
                else transport.send("POST", "/jobs", sign=lambda *_: made)
            )
            with pytest.raises(PermanentError) as caught:
                await sent
        return caught.value

    told = asyncio.run(main())

    assert told.kind is Kind.MISSING
    assert "the header x-token is not valid, so no request was sent" in str(told)
    assert "cana" not in str(told)


def test_a_binary_response_is_returned_unchanged() -> None:
    data = bytes(range(256))
    response = told(b"HTTP/1.1 200 OK\r\nContent-Length: 256\r\n\r\n" + data, {"api-key": BEARER})

    assert isinstance(response, Response)
    assert response.body == data


@pytest.mark.parametrize(
    "host", [BEARER, BEARER.upper(), BEARER[:-2], "x.canary-k.ey-of.the-header", BEARER.encode().hex(), "canary-key"]
)
def test_a_redirect_to_a_host_that_contains_the_key_does_not_reveal_it(host: str) -> None:
    error = told(f"HTTP/1.1 307 X\r\nLocation: https://{host}.example/\r\n\r\n".encode(), {"api-key": BEARER})

    assert isinstance(error, PermanentError)
    assert "another host, whose name is not shown" in str(error)
    assert host.lower() not in str(error)


@pytest.mark.parametrize("host", ["a" * 50_000, "%1b%5b31m.example"])
def test_the_error_for_a_redirect_is_short_and_printable(host: str) -> None:
    error = told(f"HTTP/1.1 307 X\r\nLocation: https://{host}/\r\n\r\n".encode("latin-1"), {})

    assert len(str(error)) < 500
    assert str(error).isprintable()


def test_a_signature_covers_the_method_url_and_body_as_sent() -> None:
    asked: list[tuple[str, str, bytes]] = []

    def sign(method: str, url: str, body: bytes) -> dict[str, str]:
        asked.append((method, url, body))
        return {"authorization": "signed"}

    async def main() -> tuple[str, bytes]:
        async with listening(OK) as peer, HttpTransport(f"http://{peer.address}/v1", Throttle(FREELY)) as transport:
            await transport.send("POST", "/a%2Fb", query={"q": "x y/+"}, json={"é": 1}, sign=sign)
        return peer.address, peer.heard[0]

    address, heard = asyncio.run(main())
    head, _, body = heard.partition(b"\r\n\r\n")
    target = head.split()[1].decode()

    assert asked == [("POST", f"http://{address}{target}", body)]
    assert b"authorization: signed" in head.lower()
