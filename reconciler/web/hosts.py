"""Which names the health port answers to.

A page on the internet can let its own name lead to an address of this machine (DNS rebinding), and have a browser here
read what the port says. The browser then names that page's host, which nobody here has given the port. An address says
nothing of the kind, and probes of Kubernetes and Prometheus use addresses. A name without a dot cannot be had on the
internet.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from http import HTTPStatus
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = re.compile(r"(?:\[[0-9a-fA-F:.]+(?:%[\w.%-]+)?\]|(?P<name>[^\s:\[\]]+))(?::[0-9]*)?", re.ASCII)


class KnownHosts:
    """An application that answers only requests for this machine's addresses and for names that it was given."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(name.casefold().rstrip(".") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse with 421 (RFC 9110, section 15.5.20)."""
        hosts = Headers(scope=scope).getlist("host")
        if all(map(self.knows, hosts)):
            await self._app(scope, receive, send)
            return
        text = "this name is not one of mine; --listen-names says which are\n"
        await PlainTextResponse(text, HTTPStatus.MISDIRECTED_REQUEST)(scope, receive, send)

    def knows(self, host: str) -> bool:
        """Return whether a request for this host, with or without a port, may be answered."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = (found["name"] or "").casefold().rstrip(".")
        return "." not in name or name in self._names or _is_address(name)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
