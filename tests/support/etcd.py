"""A server of etcd, from Debian's package `etcd-server`. See `.ci/lanes/cluster`."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import a_free_port
from tests.support.sandbox_client import wait_for

ETCD = shutil.which("etcd")
STARTS_WITHIN_S = 30
needs_etcd = pytest.mark.skipif(ETCD is None, reason="etcd is not installed: apt install etcd-server")


@dataclass(slots=True)
class Etcd:
    """One server. Its data survives `kill` and `start`.

    `options` are further options of its command line, and `client` is the TLS context of requests to it.
    """

    directory: Path
    options: tuple[str, ...] = ()
    client: ssl.SSLContext | None = None
    port: int = field(default_factory=a_free_port)
    _peer_port: int = field(default_factory=a_free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"{'http' if self.client is None else 'https'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until it responds."""
        peer = f"http://127.0.0.1:{self._peer_port}"
        command = [str(ETCD), "--name", "a", "--data-dir", str(self.directory / "data"), "--log-level", "error"]
        command += ["--listen-client-urls", self.url, "--advertise-client-urls", self.url]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"a={peer}"]
        with (self.directory / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self.options], stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}
            )
        wait_for(self._is_up, "etcd responds", STARTS_WITHIN_S)

    def signal(self, number: int) -> None:
        """Send a signal, such as SIGSTOP or SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the server."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def ask(self, path: str, body: Mapping[str, object], token: str | None = None) -> dict[str, Any]:
        """Send one request, and return the response. Raises `HTTPError` if it is refused."""
        headers = {"content-type": "application/json", **({"authorization": token} if token else {})}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)  # noqa: S310  loopback
        with urllib.request.urlopen(request, timeout=5, context=self.client) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found

    def value(self, key: str, token: str | None = None) -> str | None:
        """Return the value of a key, or None if it does not exist."""
        found = self.ask("/v3/kv/range", {"key": encoded(key)}, token).get("kvs")
        return base64.b64decode(found[0]["value"]).decode() if found else None

    def _is_up(self) -> bool:
        try:
            self.ask("/v3/maintenance/status", {})
        except urllib.error.HTTPError:
            return True  # a server that needs a token is up too
        except OSError:
            return False
        return True


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@contextmanager
def running_etcd(directory: Path, *options: str, client: ssl.SSLContext | None = None) -> Iterator[Etcd]:
    """Run a server until the block ends."""
    directory.mkdir()
    etcd = Etcd(directory, options, client)
    etcd.start()
    try:
        yield etcd
    finally:
        etcd.kill()
