"""The base URL of a CI host's API, to which a token is sent."""

from __future__ import annotations

import re

from reconciler.local.credential_policy import normalise_base_url

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$)")


def api_address(variable: str, value: str) -> str:
    """Return the base URL in a variable. Raises `ValueError` if it is invalid, or plain http except to loopback."""
    url = normalise_base_url(value)
    if url.startswith("http:") and not _LOOPBACK.match(url):
        msg = f"{variable} is {url}, and no token is sent over plain http: use https"
        raise ValueError(msg)
    return url
