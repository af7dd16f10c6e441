"""Which connection a request uses, and which certificates it trusts, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from reconciler.errors import Delivered, Kind, NotSentError, PermanentError, TransientError
from reconciler.ports import Rate
from reconciler.preflight import sent_only_if
from reconciler.transport import Deadlines, HttpTransport, Throttle
from tests.support.certificates import an_authority, server_context

FREELY = Rate(requests_per_second=1000, burst=1000, concurrency=8)
SOON = Deadlines(connect_s=2, request_s=2)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Peer:
    """A server that answers this many requests on each connection, and aborts the connection at the next one."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.heard: list[list[str]] = []
        self.meetings: list[asyncio.Task[None]] = []
        self.address = ""

    def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in its own task, which `listening` waits for."""
        self.meetings.append(asyncio.create_task(self._talk(reader, writer)))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines: list[str] = []
        self.heard.append(lines)
        with suppress(ConnectionError):
            while head := await reader.read(65_536):
                lines.append(head.split(b"\r\n")[0].decode(errors="replace"))
                if len(lines) > self.answers:
                    break
                writer.write(OK)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def listening(answers: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    peer = Peer(answers)
    server = await asyncio.start_server(peer.meet, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()
    peer.address = f"{host}:{port}"
    async with server:
        yield peer
        await asyncio.gather(*peer.meetings)


def sent(answers: int, *methods: str) -> tuple[Peer, list[int | TransientError]]:
    """Send requests one after another, and return the server and the status or error of each request."""

    async def main() -> tuple[Peer, list[int | TransientError]]:
        async with (
            listening(answers) as peer,
            HttpTransport(f"http://{peer.address}", Throttle(FREELY), SOON) as transport,
        ):
            return peer, [await one(transport, method) for method in methods]

    return asyncio.run(main())


async def one(transport: HttpTransport, method: str) -> int | TransientError:
    try:
        return (await transport.send(method, "/jobs")).status
    except TransientError as error:
        return error


def test_get_requests_share_a_connection() -> None:
    peer, results = sent(9, "GET", "GET", "GET")

    assert results == [200, 200, 200]
    assert len(peer.heard) == 1


def test_a_get_request_on_a_closed_connection_is_sent_again_on_a_new_one() -> None:
    peer, results = sent(1, "GET", "GET", "GET")

    assert results == [200, 200, 200]
    assert [len(lines) for lines in peer.heard] == [2, 1, 1] or [len(lines) for lines in peer.heard] == [2, 2, 1]


def test_a_repeated_get_request_uses_the_rate_limit_twice() -> None:
    async def main() -> tuple[int, int, float]:
        gate = Throttle(Rate(requests_per_second=10, burst=1, concurrency=1))
        async with listening(1) as peer, HttpTransport(f"http://{peer.address}", gate, SOON) as transport:
            await transport.send("GET", "/jobs")
            begun = asyncio.get_running_loop().time()
            await transport.send("GET", "/jobs")
            return sum(map(len, peer.heard)), gate.requests, asyncio.get_running_loop().time() - begun

    heard, requests, took_s = asyncio.run(main())

    assert (heard, requests) == (3, 3)
    assert took_s > 0.15, "the second request and its repeat each wait for a tenth of a second"


def test_a_change_request_is_always_sent_on_its_own_connection() -> None:
    peer, results = sent(1, "GET", "POST", "POST")

    assert results == [200, 200, 200]
    assert peer.heard == [["GET /jobs HTTP/1.1"], ["POST /jobs HTTP/1.1"], ["POST /jobs HTTP/1.1"]]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_on_a_new_connection_that_breaks_is_not_sent_again(method: str) -> None:
    peer, (error,) = sent(0, method)

    assert isinstance(error, TransientError)
    assert error.delivered is Delivered.UNKNOWN
    assert peer.heard == [[f"{method} /jobs HTTP/1.1"]]


def test_certificate_authorities_of_ssl_cert_file_and_ssl_cert_dir_are_both_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_of, other_of = tmp_path / "one", tmp_path / "other"
    one_of.mkdir()
    other_of.mkdir()
    authorities = an_authority("One", one_of), an_authority("Other", other_of)
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities[0]))
    monkeypatch.setenv("SSL_CERT_DIR", str(other_of))

    async def main() -> list[int]:
        statuses = []
        for authority in authorities:
            async with (
                listening(1, server_context(authority)) as peer,
                HttpTransport(f"https://{peer.address}", Throttle(FREELY), SOON) as transport,
            ):
                statuses.append((await transport.send("GET", "/jobs")).status)
        return statuses

    assert asyncio.run(main()) == [200, 200]


def test_a_certificate_authority_that_is_not_configured_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(an_authority("Other", tmp_path / "other")))
    authority = an_authority("One", tmp_path)

    async def main() -> TransientError:
        async with (
            listening(1, server_context(authority)) as peer,
            HttpTransport(f"https://{peer.address}", Throttle(FREELY), SOON) as transport,
        ):
            with pytest.raises(TransientError, match="certificate") as caught:
                await transport.send("GET", "/jobs")
            return caught.value

    assert asyncio.run(main()).delivered is Delivered.NO


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("SSL_CERT_FILE", "/none/authority.pem", "the certificates that SSL_CERT_FILE names"),
        ("HTTPS_PROXY", "http://[::1", "HTTPS_PROXY or ALL_PROXY is not an address"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:9", "httpx[socks]"),
    ],
)
def test_an_unusable_certificate_or_proxy_setting_is_reported_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, told: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(PermanentError) as caught:
        HttpTransport("https://provider.example/v1", Throttle(FREELY))

    assert caught.value.kind is Kind.UNREACHABLE
    assert told in str(caught.value)
    assert text not in str(caught.value)


@pytest.mark.parametrize("no_proxy", ["localhost,127.0.0.1,[::1]", "fe11::/16", "[::1"])
def test_ipv6_addresses_in_no_proxy_do_not_prevent_a_proxied_request(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("NO_PROXY", no_proxy)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    async def main() -> TransientError:
        async with HttpTransport("https://provider.example/v1", Throttle(FREELY), SOON) as transport:
            with pytest.raises(TransientError, match=r"through the proxy 127\.0\.0\.1") as caught:
                await transport.send("GET", "/jobs")
            return caught.value

    assert asyncio.run(main()).delivered is Delivered.NO


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_may_no_longer_be_sent_once_it_is_connected_is_not_sent(method: str) -> None:
    asked: list[bool] = []

    def check() -> bool:
        asked.append(True)
        return len(asked) == 1  # the throttle asks first

    async def main() -> tuple[Peer, TransientError]:
        async with listening(1) as peer, HttpTransport(f"http://{peer.address}", Throttle(FREELY), SOON) as transport:
            with sent_only_if(check), pytest.raises(NotSentError, match="no longer leads") as raised:
                await transport.send(method, "/")
            return peer, raised.value

    peer, error = asyncio.run(main())
    assert error.delivered is Delivered.NO
    assert peer.heard in ([], [[]])
    assert len(asked) == 2


def test_a_server_that_closes_the_connection_before_tls_is_named_with_what_to_check() -> None:
    async def main() -> tuple[Peer, int | TransientError]:
        async with listening(0) as peer, HttpTransport(f"https://{peer.address}", Throttle(FREELY), SOON) as transport:
            return peer, await one(transport, "GET")

    peer, error = asyncio.run(main())
    assert isinstance(error, TransientError)
    assert error.delivered is Delivered.NO
    assert str(error) == (
        f"cannot connect to {peer.address}: the server closed the connection while TLS began: check that it uses https"
    )


def test_the_certificates_of_a_transport_replace_those_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = an_authority("Ours", tmp_path), an_authority("Theirs", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(theirs))

    async def main() -> int | TransientError:
        context = ssl.create_default_context(cafile=ours)
        async with (
            listening(1, server_context(ours)) as peer,
            HttpTransport(f"https://{peer.address}", Throttle(FREELY), SOON, tls=context) as transport,
        ):
            return await one(transport, "GET")

    assert asyncio.run(main()) == 200
