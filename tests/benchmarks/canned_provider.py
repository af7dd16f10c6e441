"""`python -m tests.benchmarks.canned_provider ACCOUNT...`: a provider that is never the slowest part.

It serves accounts on a loopback port, each below a path of its own: `/NAME/v1/fine_tuning/jobs`. An account is written
as `NAME,JOBS,UNFINISHED,MANNER`. The provider prints its port once it is ready, and ends when its standard input is
closed. `/arrivals` returns the time of the first cancel of each job by the monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks.canned_jobs import DEFAULT_LIMIT, CannedJobs
from tests.support.limited_provider import LimitedProvider

ALLOWED_PER_S = 2.0
"""The number of requests per second that a throttled account allows."""
JOBS = "v1/fine_tuning/jobs"
_REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests"}
_NOT_FOUND = b'{"error":{"message":"Could not find it","type":"invalid_request_error","code":"fine_tune_not_found"}}'
_THROTTLED = b'{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}'


class Manner(Enum):
    """How an account responds to requests."""

    AT_ONCE = "at-once"
    NEVER = "never"
    THROTTLED = "throttled"


@dataclass(slots=True)
class CannedProvider:
    """The accounts by name, how each responds, and the requests so far."""

    accounts: Mapping[str, CannedJobs]
    manners: Mapping[str, Manner]
    cancelled_at: dict[str, float] = field(default_factory=dict)
    requests: int = 0
    _limits: dict[str, LimitedProvider] = field(default_factory=dict)

    def answer(self, method: str, target: str, now: float) -> tuple[int, bytes] | None:
        """Return the status and the body for a request that arrives now; None for one that is never answered."""
        if target == "/arrivals":
            return 200, json.dumps({"cancels": self.cancelled_at, "requests": self.requests}).encode()
        self.requests += 1
        url = urlsplit(target)
        name, _, path = url.path.removeprefix("/").partition("/")
        jobs = self.accounts.get(name)
        if jobs is None or not path.startswith(JOBS):
            return 404, _NOT_FOUND
        if self.manners[name] is Manner.NEVER:
            return None
        if self.manners[name] is Manner.THROTTLED:
            limit = self._limits.setdefault(name, LimitedProvider(ALLOWED_PER_S))
            if limit.answer(now)[0] != 200:
                return 429, _THROTTLED
        body = self._body(jobs, method, path.removeprefix(JOBS).removeprefix("/"), url.query, now)
        return (404, _NOT_FOUND) if body is None else (200, body)

    def _body(self, jobs: CannedJobs, method: str, path: str, query: str, now: float) -> bytes | None:
        if not path:
            asked = parse_qs(query)
            after = asked.get("after", [None])[0]
            return jobs.page(after, int(asked.get("limit", [str(DEFAULT_LIMIT)])[0]))
        job_id, _, verb = path.partition("/")
        if method == "POST" and verb == "cancel":
            self.cancelled_at.setdefault(job_id, now)
            return jobs.cancel(job_id)
        return jobs.job(job_id)


class _Connection(asyncio.Protocol):
    """One connection, which handles one request after another."""

    def __init__(self, answer: Callable[[str, str, float], tuple[int, bytes] | None]) -> None:
        self._answer = answer
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            length = _content_length(head)
            if len(rest) < length:
                return
            self._received = rest[length:]
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ", 2)
            answered = self._answer(method, target, time.monotonic())
            if answered is not None:
                self._transport.write(_response(*answered))


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _response(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n".encode("ascii") + body


async def _serve(provider: CannedProvider) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(provider.answer), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Serve the accounts that the arguments name."""
    accounts, manners = {}, {}
    for word in sys.argv[1:]:
        name, number, unfinished, manner = word.split(",")
        accounts[name] = CannedJobs(name, int(number), int(unfinished))
        manners[name] = Manner(manner)
    asyncio.run(_serve(CannedProvider(accounts, manners)))


if __name__ == "__main__":
    main()
