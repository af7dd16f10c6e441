"""Where a secret comes from, read anew for each request, so that a rotated one is used at once.

Rules: nothing is remembered, and no message holds the secret or any part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import Kind, Permanent

SECRETS_DIR = Path("/run/secrets")
"""Where container platforms put secrets; the operator may name more directories."""

_FILE_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class NoCredentials:
    """For an account that needs none."""

    async def token(self) -> str:
        """Return the empty text: no authorisation is sent."""
        return ""


@dataclass(frozen=True, slots=True)
class EnvCredentials:
    """A secret in an environment variable."""

    variable: str
    environ: Mapping[str, str]

    async def token(self) -> str:
        """Return the secret. Raises `Permanent(missing)`."""
        secret = self.environ.get(self.variable, "")
        if not secret:
            msg = f"{self.variable} is not set: put the provider's key into this environment variable"
            raise Permanent(msg, kind=Kind.MISSING)
        return _sendable(secret, self.variable)


@dataclass(frozen=True, slots=True)
class FileCredentials:
    """A secret in a file below `SECRETS_DIR`, or below a directory that the operator names."""

    path: Path
    allowed_dirs: tuple[Path, ...] = ()

    async def token(self) -> str:
        """Return the file's text without the line break at its end. Raises `Permanent(missing)`."""
        return _sendable(self._read(), str(self.path))

    def _read(self) -> str:
        try:
            target = self.path.resolve(strict=True)
            if not any(target.is_relative_to(each.resolve()) for each in (SECRETS_DIR, *self.allowed_dirs)):
                msg = (
                    f"the credential file {self.path} is not below {SECRETS_DIR}, nor below a directory that the "
                    "operator named: it is not read"
                )
                raise Permanent(msg, kind=Kind.MISSING)
            if not target.is_file() or target.stat().st_size > _FILE_MAX:
                msg = f"the credential file {self.path} is not a plain file of at most {_FILE_MAX} bytes"
                raise Permanent(msg, kind=Kind.MISSING)
            secret = target.read_bytes().decode("latin-1").removesuffix("\n").removesuffix("\r")
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "its links go round in a circle"
            msg = f"the credential file {self.path} cannot be read: {reason}"
            raise Permanent(msg, kind=Kind.MISSING) from None
        if not secret:
            msg = f"the credential file {self.path} is empty"
            raise Permanent(msg, kind=Kind.MISSING)
        return secret


def _sendable(secret: str, place: str) -> str:
    """Return the secret if it can stand in a header, else raise without repeating it."""
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        msg = f"the secret in {place} holds a blank, a line break or another character that no key has: check it"
        raise Permanent(msg, kind=Kind.MISSING)
    return secret
