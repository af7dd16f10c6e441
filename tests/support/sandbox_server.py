"""A real server on a real socket, for clients that need a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from reconciler.testing import served


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Serve an application on a free loopback port until the block ends. Yields `http://127.0.0.1:PORT/v1`."""
    with served(app) as url:
        yield f"{url}/v1"
