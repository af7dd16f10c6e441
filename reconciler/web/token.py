"""The token without which the page and the metrics are not served.

A program sends it as `Authorization: Bearer TOKEN`. A person opens the page once with `?token=TOKEN`: the response is a
redirect to the same address without the token, with a cookie.

Rules: the comparison takes the same time for every wrong token. The cookie contains a digest, not the token, so a
stolen cookie does not reveal the token. The cookie is `SameSite=Lax`, so that a link from a message opens the page.
Health and readiness need no token, because probes cannot send one, and neither do the stylesheet and the script.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN = ("/healthz", "/readyz")
"""The paths that need no token."""
STATIC = "/static/"
TEXT = (
    "A token is needed. In a browser, add ?token=TOKEN to the address once. Other clients send the header "
    "Authorization: Bearer TOKEN. The token is in the file of --listen-token-file, or in RECONCILE_LISTEN_TOKEN.\n"
)


class TokenFilter:
    """An application that serves only requests with the token, except for the paths that need none."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = sha256(token.encode()).digest()
        self._cookie = hmac.new(token.encode(), b"cookie of the page", sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to the application, exchange its token for a cookie, or refuse it with status 401."""
        request = Request(scope)
        path = request.url.path
        if path in OPEN or path.startswith(STATIC) or self._is_allowed(request):
            await self._app(scope, receive, send)
            return
        response = self._exchange(request) or PlainTextResponse(
            TEXT, HTTPStatus.UNAUTHORIZED, {"www-authenticate": "Bearer", "cache-control": "no-store"}
        )
        await response(scope, receive, send)

    def _is_allowed(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.casefold() == "bearer" and self._is_token(token.strip()):
            return True
        cookie = request.cookies.get(_cookie_name(request), "")
        return hmac.compare_digest(cookie.encode(), self._cookie.encode())

    def _is_token(self, token: str) -> bool:
        return hmac.compare_digest(sha256(token.encode()).digest(), self._token)

    def _exchange(self, request: Request) -> Response | None:
        """Return the redirect that sets the cookie if the query contains the token, or None."""
        parameters = parse_qsl(request.url.query, keep_blank_values=True)
        if request.method != "GET" or not any(name == "token" and self._is_token(value) for name, value in parameters):
            return None
        rest = urlencode([(name, value) for name, value in parameters if name != "token"])
        # A path that begins with two slashes would lead to another host.
        target = f"/{quote(request.scope['path'].lstrip('/'))}" + (f"?{rest}" if rest else "")
        response = RedirectResponse(target, HTTPStatus.SEE_OTHER, {"cache-control": "no-store"})
        is_secure = request.url.scheme == "https"
        response.set_cookie(_cookie_name(request), self._cookie, httponly=True, samesite="lax", secure=is_secure)
        return response


def _cookie_name(request: Request) -> str:
    """Return the name of the cookie. It contains the port, because browsers send a cookie to every port of a host."""
    return f"reconcile-{request.scope['server'][1]}"
