"""A package index on loopback, which serves the files of a directory (PEP 503), and counts the bytes that it sends."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.threaded_server import serving


@dataclass(slots=True)
class PackageIndex:
    """A running index: its URL, and how many bytes of which files it has sent."""

    url: str
    sent: dict[str, int] = field(default_factory=dict)


@contextmanager
def package_index(folder: Path) -> Iterator[PackageIndex]:
    """Serve every file in a directory until the block ends. The beginning of a file's name is its project."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            """Send what describes a response, without its content."""
            self._send(has_content=False)

        def do_GET(self) -> None:
            """Send the list of a project's files, or a file."""
            self._send(has_content=True)

        def _send(self, *, has_content: bool) -> None:
            kind, _, name = self.path.strip("/").partition("/")
            if kind == "files":
                body = (folder / Path(name).name).read_bytes()
                index.sent |= {name: len(body)} if has_content else {}
            else:
                files = sorted(each.name for each in folder.iterdir() if _project(each.name) == name)
                links = "".join(f'<a href="/files/{html.escape(each)}">{html.escape(each)}</a>' for each in files)
                body = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/octet-stream" if kind == "files" else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if has_content:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index = PackageIndex(f"http://127.0.0.1:{server.server_port}/simple")
    with serving(server):
        yield index


def _project(file: str) -> str:
    """Return the normalised name (PEP 503) of the project that a wheel or source distribution belongs to."""
    return re.sub(r"[-_.]+", "-", re.split(r"-\d", file, maxsplit=1)[0]).lower()
