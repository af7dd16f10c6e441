"""E-mail and many other services, through the library Apprise (the extra `notify`).

Rules: Apprise blocks and may hang, so it runs in a thread, and an attempt ends after `ATTEMPT_MAX_S`. If it fails, the
service may have received the message, and Apprise passes no idempotency key on. So each notification is sent at least
once, and a repeat has a mark. What Apprise logs or raises may contain parts of the URL, so none of it is repeated.
"""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from reconciler.errors import Delivered, TransientError
from reconciler.model.notification import Notification
from reconciler.telemetry.heartbeat import WORD_MAX
from reconciler.views.notification_text import details, line, severity_word

ATTEMPT_MAX_S = 45.0
"""How long to wait for one attempt, in seconds."""
_LOGGERS = ("apprise", "requests", "urllib3")
_TYPES = {"error": "failure", "warning": "warning", "info": "info", "resolved": "success"}
"""The type of a message in Apprise, by the severity word. It selects a colour or an icon."""


@dataclass(slots=True)
class AppriseSink:
    """The `NotificationSink` for a service of Apprise.

    Args:
        name: the name of the sink.
        service: an `apprise.Apprise` with one service, from `open_service`.
        attempt_max_s: how long to wait for one attempt, in seconds.
    """

    name: str
    service: Any
    attempt_max_s: float = ATTEMPT_MAX_S
    is_for_people: bool = True
    knows_ids: bool = False
    _attempt: asyncio.Future[str] | None = field(default=None, init=False)
    """The problem of the latest attempt, or an empty string, once the attempt has ended."""

    async def deliver(self, message: Notification, *, may_be_repeat: bool) -> None:
        """Send a notification, as `NotificationSink` describes."""
        if self._attempt is not None and not self._attempt.done():
            msg = "an earlier attempt of Apprise has not ended"
            raise TransientError(msg, delivered=Delivered.NO)
        loop = asyncio.get_running_loop()
        attempt: asyncio.Future[str] = loop.create_future()
        self._attempt = attempt

        def run() -> None:
            problem = self._send(message, may_be_repeat=may_be_repeat)
            with suppress(RuntimeError):  # the process is ending, and the event loop is closed
                loop.call_soon_threadsafe(attempt.set_result, problem)

        # A daemon, so that the process can end although Apprise hangs.
        Thread(target=run, name=f"notify-{self.name}", daemon=True).start()
        try:
            async with asyncio.timeout(self.attempt_max_s):
                problem = await asyncio.shield(attempt)
        except TimeoutError:
            problem = f"Apprise has not delivered it within {self.attempt_max_s:g} s"
        if problem:
            raise TransientError(problem, delivered=Delivered.UNKNOWN)

    def _send(self, message: Notification, *, may_be_repeat: bool) -> str:
        """Send a notification, and return the problem, or an empty string."""
        try:
            is_sent = self.service.notify(
                title=f"reconcile: {message.type} ({severity_word(message)})",
                body=f"{line(message, may_be_repeat=may_be_repeat)}\n{details(message)}",
                notify_type=_TYPES[severity_word(message)],
                body_format="text",
            )
        except Exception as error:  # noqa: BLE001  its message may contain a secret
            return f"Apprise raised {type(error).__name__}"
        return "" if is_sent else "Apprise could not deliver it, and does not say why"


def open_service(url: str) -> Any:
    """Return an `apprise.Apprise` with the service of one URL.

    Raises `ValueError` if Apprise is not installed or does not accept the URL. The message does not contain the URL.
    """
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)  # also that of the loggers below it
        logger.propagate = False
    try:
        import apprise  # noqa: PLC0415  an extra, and slow to import
    except ImportError:
        msg = "the type apprise needs a library that is not installed: pip install 'llm-job-reconciler[notify]'"
        raise ValueError(msg) from None
    # With a timeout of its own, Apprise would use threads that the process waits for when it ends.
    asset = apprise.AppriseAsset(app_id="reconcile", storage_mode="memory", http_redirects=False, service_timeout=0)
    service = apprise.Apprise(asset=asset)
    with suppress(Exception):  # whatever a plugin raises, the URL cannot be used
        service.add(url)
    if len(service) != 1:
        msg = "its URL is not one that Apprise accepts"
        raise ValueError(msg)
    return service


def secrets_of_service(url: str) -> list[str]:
    """Return the parts of a URL of Apprise to redact: the URL, its password, and each part that is not a short word.

    A part with a dot is not included, because it is probably a host.
    """
    parts = {url, url.partition("://")[2]}
    with suppress(ValueError):
        parts.add(urlsplit(url).password or "")
    pieces = re.split(r"[/:@?&=#]+", url.partition("://")[2])
    parts.update(each for each in pieces if "." not in each and (not each.isalpha() or len(each) > WORD_MAX))
    return sorted(parts | {unquote(each) for each in parts})
