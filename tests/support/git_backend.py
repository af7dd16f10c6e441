"""A loopback server for repositories over HTTP that accepts one user and token, as a Git host does for a CI job.

It runs `git http-backend`. While it handles a request, Git's processes on this machine wait for the response, so it
also looks whether the command line of any process contains the token.
"""

from __future__ import annotations

import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.threaded_server import serving

NO_PUSH = "You are not allowed to upload code."
"""What GitLab says with HTTP 403 if the project does not allow pushes with job tokens."""


@dataclass(slots=True)
class GitBackend:
    """The repositories below a directory.

    Args:
        repositories: the directory.
        user: the only user name that is accepted.
        token: the only password that is accepted.
        may_push: whether the user may push. If not, a push gets HTTP 403.
        pushes: the number of pushes that were accepted.
        exposed: the command lines in which the token was seen.
    """

    repositories: Path
    user: str
    token: str
    may_push: bool = True
    pushes: int = 0
    exposed: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def secrets(self) -> tuple[str, str]:
        """The token, and how it is sent."""
        return self.token, b64encode(f"{self.user}:{self.token}".encode()).decode()

    def look_at_processes(self) -> None:
        """Record each process whose command line contains the token."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = path.read_bytes().decode("utf-8", "replace").replace("\0", " ")
                if any(each in words for each in self.secrets):
                    self.exposed.append(words)

    def environment(self, handler: BaseHTTPRequestHandler) -> dict[str, str]:
        """Return the variables of a request (RFC 3875)."""
        path, _, query = handler.path.partition("?")
        return {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.repositories),
            "GIT_HTTP_EXPORT_ALL": "",
            "GIT_PROTOCOL": handler.headers.get("git-protocol", ""),
            "REQUEST_METHOD": handler.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_USER": self.user,
            "CONTENT_TYPE": handler.headers.get("content-type", ""),
            "CONTENT_LENGTH": handler.headers.get("content-length", "0"),
            "HTTP_CONTENT_ENCODING": handler.headers.get("content-encoding", ""),
        }


@contextmanager
def git_backend(repositories: Path, user: str, token: str) -> Iterator[GitBackend]:
    """Serve the repositories until the block ends. The address of the directory is in `url`, without a user."""
    backend = GitBackend(repositories, user, token)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            """Answer a request."""
            backend.look_at_processes()
            sent = self.rfile.read(int(self.headers.get("content-length", "0")))
            if self.headers.get("authorization") != f"Basic {backend.secrets[1]}":
                self.respond(HTTPStatus.UNAUTHORIZED, b"", ("WWW-Authenticate", 'Basic realm="GitLab"'))
            elif "git-receive-pack" in self.path and not backend.may_push:
                self.respond(HTTPStatus.FORBIDDEN, NO_PUSH.encode(), ("Content-Type", "text/plain"))
            else:
                self.pass_on(sent)

        def pass_on(self, sent: bytes) -> None:
            """Let Git answer a request."""
            ran = subprocess.run(
                ["git", "http-backend"], input=sent, env=backend.environment(self), capture_output=True, check=True
            )
            head, _, body = ran.stdout.partition(b"\r\n\r\n")
            headers = [tuple(line.split(": ", 1)) for line in head.decode().splitlines()]
            status = next((int(value.split()[0]) for name, value in headers if name == "Status"), HTTPStatus.OK)
            backend.pushes += self.command == "POST" and self.path.endswith("/git-receive-pack")
            self.respond(status, body, *((name, value) for name, value in headers if name != "Status"))

        def respond(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
            """Send a response."""
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = handle_any  # noqa: N815  the names of the base class

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        backend.url = f"http://127.0.0.1:{server.server_port}"
        yield backend
