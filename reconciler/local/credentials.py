"""Where a secret comes from, read anew for each request, so that a rotated one is used at once.

Rules: nothing is remembered, and no message holds the secret or any part of it. Whether two credentials hold one secret
is told by marks, which mean nothing outside this process.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.errors import Kind, PermanentError

SECRETS_DIR = Path("/run/secrets")
"""Where container platforms put secrets; the operator may name more directories."""

_FILE_MAX = 64 * 1024
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_AWS_KEY_ID = re.compile(r"[A-Z0-9]{16,128}(?=:)")
"""What stands before the secret in AWS credentials that are written as one text: whose they are, it says alone."""


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
        """Return the secret. Raises `PermanentError(missing)`."""
        secret = self.environ.get(self.variable, "")
        if not secret:
            msg = f"{self.variable} is not set: put the provider's key into this environment variable"
            raise PermanentError(msg, kind=Kind.MISSING)
        return _sendable(secret, self.variable)


def named_file(path: str) -> str:
    """Return the name that a credential file goes by: bindings are compared by it.

    Links among directories are followed, so that `a/link/../key` is what the disk makes of it. A link to a file below
    its own directory keeps its name, because the volumes of Kubernetes are made of such, and lead elsewhere after each
    change; one that leads out of its directory is the file that it leads to.
    """
    return _followed(path)[0]


def _followed(path: str) -> tuple[str, str]:
    """Return the name of a file, and the path without links of the file that is there now."""
    directory, name = os.path.split(path)
    home, real = os.path.realpath(directory), os.path.realpath(path)
    is_at_home = name not in {"", ".", ".."} and real.startswith(f"{home.rstrip('/')}/")
    return os.path.join(home, name) if is_at_home else real, real  # noqa: PTH118  texts, as bindings are


@dataclass(frozen=True, slots=True)
class FileCredentials:
    """A secret in a file below `SECRETS_DIR`, or below a directory that the operator names.

    Args:
        path: as a spec has it.
        allowed_dirs: the operator's directories.
        name: what `named_file` said when the credential was compared with its binding; None where it was not. A path
            that goes by another name by now is not read.
    """

    path: Path
    allowed_dirs: tuple[Path, ...] = ()
    name: str | None = None

    async def token(self) -> str:
        """Return the file's text without the line break at its end. Raises `PermanentError(missing)`."""
        return _sendable(self.read(), str(self.path))

    def read(self) -> str:
        """Return the same. Raises `PermanentError(missing)`."""
        try:
            name, real = _followed(str(self.path))
            target = Path(real).resolve(strict=True)
            if not any(target.is_relative_to(each.resolve()) for each in (SECRETS_DIR, *self.allowed_dirs)):
                msg = (
                    f"the credential file {self.path} is not below {SECRETS_DIR}, nor below a directory that the "
                    "operator named: it is not read"
                )
                raise PermanentError(msg, kind=Kind.MISSING)
            if self.name not in (None, name):
                msg = f"the credential file {self.path} leads elsewhere than when its host was checked: it is not read"
                raise PermanentError(msg, kind=Kind.MISSING)
            data = _bytes_of(target)
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "its links go round in a circle"
            msg = f"the credential file {self.path} cannot be read: {reason}"
            raise PermanentError(msg, kind=Kind.MISSING) from None
        if data is None:
            msg = f"the credential file {self.path} is not a plain file of at most {_FILE_MAX} bytes"
            raise PermanentError(msg, kind=Kind.MISSING)
        secret = data.decode("latin-1").removesuffix("\n").removesuffix("\r")
        if not secret:
            msg = f"the credential file {self.path} is empty"
            raise PermanentError(msg, kind=Kind.MISSING)
        return secret


def _bytes_of(target: Path) -> bytes | None:
    """Return what is in a file whose path holds no link; None if it is too long, or no plain file. Raises OSError.

    It is opened from directory to directory, so that a link that has been put into the path meanwhile is an error.
    """
    directory = os.open(target.anchor, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in target.parts[1:-1]:
            above, directory = directory, os.open(name, _DIRECTORY, dir_fd=directory)
            os.close(above)
        descriptor = os.open(target.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(_FILE_MAX + 1)
    return data if len(data) <= _FILE_MAX else None


def present(name: str, environ: Mapping[str, str], allowed_dirs: tuple[Path, ...] = ()) -> str:
    """Return the secret that a credential holds at this moment, and nothing where it holds none that may be read.

    Args:
        name: a variable, or a file's path.
        environ: the variables.
        allowed_dirs: where files may be read, besides `SECRETS_DIR`.
    """
    if "/" not in name:
        return environ.get(name, "")
    try:
        return FileCredentials(Path(name), allowed_dirs).read()
    except PermanentError:
        return ""


@dataclass(frozen=True, slots=True)
class Marks:
    """Tells whether secrets are equal, by marks that nobody can lead back to them: the key never leaves this object."""

    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def of(self, secret: str) -> bytes | None:
        """Return a secret's mark; None for no secret."""
        if not secret:
            return None
        whose = _AWS_KEY_ID.match(secret)
        return hmac.digest(self._key, (whose[0] if whose else secret).encode(errors="surrogateescape"), "sha256")


def _sendable(secret: str, place: str) -> str:
    """Return the secret if it can stand in a header, else raise without repeating it."""
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        msg = f"the secret in {place} holds a blank, a line break or another character that no key has: check it"
        raise PermanentError(msg, kind=Kind.MISSING)
    return secret
