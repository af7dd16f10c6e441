"""The host names that the health port accepts in requests.

An attacker can make the host name of a web page resolve to an address of this machine (DNS rebinding). A browser on
this machine then lets the page read the health port. The `Host` header of such a request contains the host name of the
page, so the port refuses names that the operator did not list. IP addresses are accepted, because DNS cannot point them
elsewhere, and the probes of Kubernetes and Prometheus use them. Names without a dot are accepted, because the public
DNS does not resolve them.
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


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on can be reached only from this machine."""
    return host.casefold() == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


class HostFilter:
    """An application that accepts only requests for IP addresses, names without a dot, and the given names.

    A request without a `Host` header is accepted, because it does not come from a browser.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(name.casefold().rstrip(".") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to the application, or refuse it with status 421 (RFC 9110, section 15.5.20)."""
        hosts = Headers(scope=scope).getlist("host")
        if all(map(self.is_accepted, hosts)):
            await self._app(scope, receive, send)
            return
        text = "this host name is not accepted; add it with --listen-names\n"
        await PlainTextResponse(text, HTTPStatus.MISDIRECTED_REQUEST)(scope, receive, send)

    def is_accepted(self, host: str) -> bool:
        """Return whether requests with this value of the `Host` header, with or without a port, are accepted."""
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
