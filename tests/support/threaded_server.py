"""Servers of the standard library, each in a thread of the test."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from threading import Thread

POLL_S = 0.01
"""How often a server looks whether it should stop, in seconds. Each test that uses one waits for that."""
Answer = Callable[[str, str, str, bytes], tuple[int, object]]
"""Returns the status and the content of a response, from the method, path, bearer token and body of the request."""


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Serve until the block ends, and close the server."""
    with server:
        thread = Thread(target=server.serve_forever, args=(POLL_S,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serving_json(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve the content of each response as JSON until the block ends. Yields the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            """Answer a request."""
            sent = self.rfile.read(int(self.headers.get("content-length", "0")))
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            status, content = answer(self.command, self.path, token, sent)
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815  the names of the base class

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield server.server_port
