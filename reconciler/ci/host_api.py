"""The API of a CI host, in which a result is kept as a comment: its base URL, its transport, and lists of comments."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.local.credential_policy import normalise_base_url
from reconciler.ports import CommentRefusedError, PeerNames, Rate, Response

if TYPE_CHECKING:
    from reconciler.transport import HttpTransport

PAGE_SIZE = 100
"""The number of comments that are requested at once: the largest page that GitHub and GitLab offer."""
PAGES_MAX = 30
"""The maximum number of pages of comments that are searched for the comment of an earlier run."""
RATE = Rate(requests_per_second=5, burst=10)

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$)")


@dataclass(frozen=True, slots=True)
class HostApi:
    """The API of a CI host.

    Args:
        host: the name of the host.
        variable: the environment variable with the base URL, to which a token is sent.
    """

    host: str
    variable: str

    def base_url(self, value: str) -> str:
        """Return the base URL in the variable.

        Raises `ValueError` if it is invalid, or plain http except to loopback.
        """
        url = normalise_base_url(value)
        if url.startswith("http:") and not _LOOPBACK.match(url):
            msg = f"{self.variable} is {url}, and no token is sent over plain http: use https"
            raise ValueError(msg)
        return url

    def transport(self, base_url: str, *, tls: ssl.SSLContext | None = None) -> HttpTransport:
        """Return a transport to the API. Raises `PermanentError(unreachable)` as `HttpTransport` does."""
        from reconciler.transport import HttpTransport, Throttle  # noqa: PLC0415  importing httpx takes 0.2 s

        return HttpTransport(base_url, Throttle(RATE, names=PeerNames(self.host, self.variable, "the token")), tls=tls)

    def comments(self, response: Response) -> list[Mapping[str, Any]]:
        """Return one page of comments. Raises `CommentRefusedError` if the response has another form."""
        listed = response.json()
        if isinstance(listed, list) and all(isinstance(each, dict) for each in listed):
            return listed
        raise self.foreign_response()

    def id_of(self, answer: Any) -> int:
        """Return the ID of a comment or a user. Raises `CommentRefusedError` if it has none."""
        number = answer.get("id") if isinstance(answer, dict) else None
        if isinstance(number, int):
            return number
        raise self.foreign_response()

    def foreign_response(self) -> CommentRefusedError:
        """Return the error for a response that another program than the API has sent."""
        return CommentRefusedError(f"the response is not from {self.host}'s API")
