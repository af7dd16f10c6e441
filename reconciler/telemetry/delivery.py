"""Send one request of a sink, and judge its response.

Rules: a response that says that the request itself is wrong is permanent, because a repeat would be refused too. After
any other failure the notification is kept: the receiver may be repaired, and so may its URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from reconciler.errors import Delivered, Kind, PermanentError, ReceiverGoneError, TransientError
from reconciler.model.foreign import one_line
from reconciler.ports import Response, Sign, Transport

TEXT_MAX = 120
"""The maximum number of characters of a response that a message quotes."""
_REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})


async def post(
    transport: Transport,
    body: Mapping[str, object],
    *,
    path: str = "",
    headers: Mapping[str, str] | None = None,
    sign: Sign | None = None,
    may_be_gone: bool = False,
) -> None:
    """Send a notification. Raises the errors of `NotificationSink.deliver`.

    `may_be_gone` is whether HTTP 410 means that the receiver accepts no further notifications.
    """
    try:
        response = await transport.send("POST", path, json=body, headers=headers, sign=sign)
    except PermanentError as error:
        # The cause is the URL or this machine, for example a redirect. The notification itself is not at fault.
        raise TransientError(str(error), delivered=Delivered.UNKNOWN) from None
    _check(response, may_be_gone=may_be_gone)


def _check(response: Response, *, may_be_gone: bool) -> None:
    status = response.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    said = one_line(response.body[: 8 * TEXT_MAX].decode(errors="replace"), TEXT_MAX)
    message = f"HTTP {status}{f': {said}' if said else ''}"
    if status == HTTPStatus.GONE and may_be_gone:
        raise ReceiverGoneError(message)
    if status in _REFUSALS:
        raise PermanentError(message, kind=Kind.REFUSED)
    delivered = Delivered.NO if status < HTTPStatus.INTERNAL_SERVER_ERROR else Delivered.UNKNOWN
    raise TransientError(message, delivered=delivered, retry_after_s=response.retry_after_s)
