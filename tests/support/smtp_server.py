"""A mail server on a loopback socket that keeps the messages it receives."""

from __future__ import annotations

import email
import email.policy
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from tests.support.threaded_server import serving

_ANSWERS = {b"EHLO": b"250 loopback", b"DATA": b"354 go on", b"QUIT": b"221 bye"}


@contextmanager
def a_mail_server() -> Iterator[tuple[int, list[EmailMessage]]]:
    """Serve while the body runs. Yield the port, and the list to which received messages are added."""
    received: list[EmailMessage] = []

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            """Accept everything that one client sends."""
            self.wfile.write(b"220 loopback\r\n")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                self.wfile.write(_ANSWERS.get(verb, b"250 OK") + b"\r\n")
                if verb == b"DATA":
                    lines = iter(self.rfile.readline, b".\r\n")
                    received.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
                    self.wfile.write(b"250 OK\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    with serving(server):
        yield server.server_address[1], received
