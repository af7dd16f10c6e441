"""A server with the accounts that authors of specs may and may not use, and a record of the requests.

Each key gives access to its own jobs only. Beside the server is a socket that must receive no connection.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.threaded_server import serving_json

JOBS = "/v1/fine_tuning/jobs"


@dataclass
class Provider:
    """The jobs of the server, and the requests since the last reset."""

    jobs: Mapping[str, Sequence[str]]
    """The jobs, by key."""
    nowhere: socket.socket
    port: int = 0
    cancels: list[str] = field(default_factory=list)
    """The jobs for which a change was requested with their own key, one for each request."""
    strange: list[str] = field(default_factory=list)
    """The paths of the other requested changes: of jobs that do not belong to the key of the request."""
    _over: set[str] = field(default_factory=set)

    @property
    def host(self) -> str:
        """The address of the server."""
        return f"127.0.0.1:{self.port}"

    @property
    def elsewhere(self) -> str:
        """The address of the socket that must receive no connection."""
        return f"127.0.0.1:{self.nowhere.getsockname()[1]}"

    def forget(self) -> None:
        """Forget all requests, and let every job run again."""
        self.cancels.clear()
        self.strange.clear()
        self._over.clear()

    def was_elsewhere(self) -> bool:
        """Return whether a client has connected to the socket that must receive no connection, since the last call."""
        try:
            self.nowhere.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def answer(self, method: str, path: str, key: str) -> tuple[int, Any]:
        """Record a request, and respond to it as the key of the request permits."""
        own = self.jobs.get(key, ())
        rest = path.partition("?")[0].partition(JOBS)[2]
        job, _, verb = rest.lstrip("/").partition("/")
        if method == "POST":
            (self.cancels if job in own else self.strange).append(job if job in own else path)
            self._over.add(job)
        if not rest:
            return 200, {"object": "list", "data": [self._row(each) for each in own], "has_more": False}
        if job not in own or verb not in {"", "cancel"}:
            error = {"message": f"Could not find fine tune: {job}", "type": "invalid_request_error"}
            return 404, {"error": {**error, "code": "fine_tune_not_found"}}
        return 200, self._row(job)

    def _row(self, job: str) -> dict[str, Any]:
        now = int(time.time())
        status, ended = ("cancelled", now) if job in self._over else ("running", None)
        usual = {"object": "fine_tuning.job", "id": job, "status": status, "created_at": now - 7200, "model": "gpt-4o"}
        return {**usual, "fine_tuned_model": None, "finished_at": ended}


@contextmanager
def provider(jobs: Mapping[str, Sequence[str]]) -> Iterator[Provider]:
    """Serve these jobs until the body ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as nowhere:
        nowhere.settimeout(0)
        known = Provider(jobs, nowhere)
        with serving_json(lambda method, path, key, _: known.answer(method, path, key)) as known.port:
            yield known
