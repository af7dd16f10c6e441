"""A mail server on a loopback socket that keeps the messages it receives."""

from __future__ import annotations

import email
import email.policy
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from threading import Thread

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

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1], received
        finally:
            server.shutdown()
            thread.join()
