"""The credentials for a Git remote: a token from a file, a variable or the URL, or else those that Git finds itself.

Rules: Git gets the secret in its environment, so that it does not appear in a process list, file or log. The secret is
read again for each command, so that a rotated secret takes effect. With a secret, Git does not follow redirects. The
secret is redacted in messages from a remote. Without a secret, Git uses the ssh agent, ssh key or credential helper
that it finds.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from reconciler.redaction import KNOWN_SECRETS

_USER = "x-access-token"
"""The user name for GitHub. Other hosts accept any name with a token."""


def split_url(url: str) -> tuple[str, str | None, str | None]:
    """Return an HTTP or HTTPS URL without its user and password, the user, and the password.

    A missing or empty user or password is None. Any other URL is returned unchanged, with None for both. Raises
    `ValueError` if the host of the URL is invalid.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or "@" not in parts.netloc:
        return url, None, None
    before, _, host = parts.netloc.rpartition("@")
    user, _, password = before.partition(":")
    return urlunsplit(parts._replace(netloc=host)), unquote(user) or None, unquote(password) or None


@dataclass(frozen=True, slots=True)
class RemoteCredentials:
    """The URL of a remote, and the source of its secret.

    Args:
        url: the URL for Git, without the secret.
        user: the user name to send with the token. None means `x-access-token`.
        file: the file that contains the token, or None.
        token: the token, which is used only if `file` is None. If both are None, Git finds the credentials.
    """

    url: str
    user: str | None = None
    file: Path | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def is_given(self) -> bool:
        """Whether a token was given, valid or not."""
        return self.file is not None or self.token is not None

    def secret(self) -> str | None:
        """Return the current token, or None if none was given.

        Raises `OSError` if the file cannot be read, and `ValueError` if it is empty or not UTF-8.
        """
        found = self.token if self.file is None else self.file.read_text(encoding="utf-8").strip()
        if self.file is not None and not found:
            msg = "it is empty"
            raise ValueError(msg)
        KNOWN_SECRETS.add(("git", self.url), found or "")
        return found

    def environment(self, count: int = 0) -> Mapping[str, str]:
        """Return the environment variables that make Git send the token to this remote; empty without a token.

        `count` is the number of settings that the environment already passes to Git (`GIT_CONFIG_COUNT`). Raises
        `OSError` or `ValueError` if the token cannot be read.
        """
        secret = self.secret()
        if secret is None:
            return {}
        settings = {
            "http.extraHeader": f"Authorization: Basic {self._basic(secret)}",
            "http.followRedirects": "false",
        }
        named = {
            f"GIT_CONFIG_{part}_{number}": text
            for number, setting in enumerate(settings.items(), start=count)
            for part, text in zip(("KEY", "VALUE"), setting, strict=True)
        }
        return {"GIT_CONFIG_COUNT": str(count + len(settings)), **named}

    def redact(self, text: str) -> str:
        """Return a text with the current secret redacted. If the secret cannot be read, the text is unchanged."""
        with suppress(OSError, ValueError):
            secret = self.secret()
            for each in (secret, self._basic(secret)) if secret else ():
                text = text.replace(each, "***")
        return text

    def _basic(self, secret: str) -> str:
        return base64.b64encode(f"{self.user or _USER}:{secret}".encode()).decode()
