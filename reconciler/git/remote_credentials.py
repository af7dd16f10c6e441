"""What opens a Git remote: a token from a file, from a variable or from the URL, or else what Git finds by itself.

Rules: a secret goes to Git by its environment, so that no list of processes, no file and no log shows it; it is read
anew for each command, so that one that was renewed is used; it does not follow a redirect; what a remote says back is
told without it. An ssh agent, a key or a credential helper is Git's own business.
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
"""For GitHub; other hosts take any name beside a token."""


def split_url(url: str) -> tuple[str, str | None, str | None]:
    """Return a URL over HTTP without its user and password, and these two; any other URL as it is."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or "@" not in parts.netloc:
        return url, None, None
    before, _, host = parts.netloc.rpartition("@")
    user, _, password = before.partition(":")
    return urlunsplit(parts._replace(netloc=host)), unquote(user) or None, unquote(password) or None


@dataclass(frozen=True, slots=True)
class RemoteCredentials:
    """A remote's URL without its secret, and the secret.

    Args:
        url: as Git may see it.
        user: who has the token; None is who hosts expect beside one.
        file: the file that holds it.
        token: the token, where no file does.
    """

    url: str
    user: str | None = None
    file: Path | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def is_given(self) -> bool:
        """Whether there is a token, though perhaps the wrong one."""
        return self.file is not None or self.token is not None

    def secret(self) -> str | None:
        """Return the token as it is now. Raises OSError, or ValueError where the file holds none."""
        found = self.token if self.file is None else self.file.read_text(encoding="utf-8").strip()
        if self.file is not None and not found:
            msg = "it is empty"
            raise ValueError(msg)
        KNOWN_SECRETS.add(("git", self.url), found or "")
        return found

    def environment(self, count: int = 0) -> Mapping[str, str]:
        """Return what makes Git send the token to this remote, after `count` settings that are in the environment.

        Raises what `secret` raises.
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

    def strike(self, text: str) -> str:
        """Return a text without the secret."""
        with suppress(OSError, ValueError):
            secret = self.secret()
            for each in (secret, self._basic(secret)) if secret else ():
                text = text.replace(each, "***")
        return text

    def _basic(self, secret: str) -> str:
        return base64.b64encode(f"{self.user or _USER}:{secret}".encode()).decode()
