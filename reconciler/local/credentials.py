"""The sources of secrets. A secret is read again for each request, so a rotated secret takes effect.

Rules: secrets are not cached here, and messages never contain a secret or a part of it. To find out whether two
credentials have the same secret, their marks are compared. A mark is useless outside this process.
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
"""The directory in which container platforms provide secrets. The operator may allow other directories too."""

_FILE_MAX = 64 * 1024
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_AWS_KEY_ID = re.compile(r"[A-Z0-9]{16,128}(?=:)")
"""The key id in AWS credentials of the form `ID:SECRET`. The marks of credentials with the same id are equal."""


@dataclass(frozen=True, slots=True)
class NoCredentials:
    """The credentials of an account that needs no secret, or whose secret a vendor's library finds."""

    async def token(self) -> str:
        """Return an empty text, which stands for no secret."""
        return ""


@dataclass(frozen=True, slots=True)
class EnvCredentials:
    """A secret in an environment variable."""

    variable: str
    environ: Mapping[str, str]

    async def token(self) -> str:
        """Return the secret.

        Raises `PermanentError(missing)` if the variable is not set, or if its value cannot be sent in a header.
        """
        secret = self.environ.get(self.variable, "")
        if not secret:
            msg = f"{self.variable} is not set: set this environment variable to the provider's key"
            raise PermanentError(msg, kind=Kind.MISSING)
        return _sendable(secret, self.variable)


def canonical_file(path: str) -> str:
    """Return the canonical path of a credential file, by which bindings are compared.

    Links to directories are resolved. If the file itself is a link to a target below its own directory, the path of the
    link is returned, because Kubernetes volumes consist of such links, and their targets change. If it is a link to any
    other target, the path of the target is returned.
    """
    return _resolve(path)[0]


def _resolve(path: str) -> tuple[str, str]:
    """Return the canonical path of a file, and the path of its current target with all links resolved."""
    directory, name = os.path.split(path)
    home, real = os.path.realpath(directory), os.path.realpath(path)
    is_at_home = name not in {"", ".", ".."} and real.startswith(f"{home.rstrip('/')}/")
    return os.path.join(home, name) if is_at_home else real, real  # noqa: PTH118  a text, as in bindings


@dataclass(frozen=True, slots=True)
class FileCredentials:
    """A secret in a file below `SECRETS_DIR`, or below a directory that the operator allows.

    Args:
        path: the path as written in the spec.
        allowed_dirs: the directories that the operator allows.
        name: the canonical path at the time when the binding was checked. If the canonical path has changed since then,
            the file is not read. None if no binding was checked.
    """

    path: Path
    allowed_dirs: tuple[Path, ...] = ()
    name: str | None = None

    async def token(self) -> str:
        """Return the secret.

        Raises the errors of `read`, and `PermanentError(missing)` if the text cannot be sent in a header.
        """
        return _sendable(self.read(), str(self.path))

    def read(self) -> str:
        """Return the file's text without its final line break.

        Raises `PermanentError(missing)` if the file is empty, cannot be read, must not be read (`allowed_dirs`,
        `name`), or is not a regular file of at most 64 KiB.
        """
        try:
            name, real = _resolve(str(self.path))
            target = Path(real).resolve(strict=True)
            if not any(target.is_relative_to(each.resolve()) for each in (SECRETS_DIR, *self.allowed_dirs)):
                msg = (
                    f"the credential file {self.path} is not read, because after links are followed it is neither "
                    f"below {SECRETS_DIR} nor below a directory of --secrets-dir: move it, or add its directory with "
                    "--secrets-dir"
                )
                raise PermanentError(msg, kind=Kind.MISSING)
            if self.name not in (None, name):
                msg = (
                    f"the credential file {self.path} is not read, because a link on its path changed its target after "
                    "the host was checked: restart reconcile to check it again"
                )
                raise PermanentError(msg, kind=Kind.MISSING)
            data = _bytes_of(target)
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "its links form a loop"
            msg = f"the credential file {self.path} cannot be read: {reason}"
            raise PermanentError(msg, kind=Kind.MISSING) from None
        if data is None:
            what = f"not a regular file of at most {_FILE_MAX:,} bytes: write only the key to it"
            msg = f"the credential file {self.path} is {what}"
            raise PermanentError(msg, kind=Kind.MISSING)
        secret = data.decode("latin-1").removesuffix("\n").removesuffix("\r")
        if not secret:
            msg = f"the credential file {self.path} is empty: write the provider's key to it"
            raise PermanentError(msg, kind=Kind.MISSING)
        return secret


def _bytes_of(target: Path) -> bytes | None:
    """Return the content of a file, or None if it is too long or not a regular file.

    `target` must be a path without links. Each directory on the path is opened relative to its parent. Raises `OSError`
    if the file cannot be read, or if a part of the path has become a link in the meantime.
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


def current_secret(name: str, environ: Mapping[str, str], allowed_dirs: tuple[Path, ...] = ()) -> str:
    """Return the current secret of a credential, or an empty text if it is not set or cannot be read.

    Args:
        name: the name of a variable, or the path of a file.
        environ: the environment variables.
        allowed_dirs: the directories in which files may be read, in addition to `SECRETS_DIR`.
    """
    if "/" not in name:
        return environ.get(name, "")
    try:
        return FileCredentials(Path(name), allowed_dirs).read()
    except PermanentError:
        return ""


@dataclass(frozen=True, slots=True)
class SecretMarks:
    """Keyed hashes by which secrets are compared. The hash key stays in this object, so marks show only equality."""

    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def of(self, secret: str) -> bytes | None:
        """Return the mark of a secret, or None if the secret is empty. Equal secrets have equal marks."""
        if not secret:
            return None
        whose = _AWS_KEY_ID.match(secret)
        return hmac.digest(self._key, (whose[0] if whose else secret).encode(errors="surrogateescape"), "sha256")


def _sendable(secret: str, place: str) -> str:
    """Return the secret. Raises `PermanentError(missing)`, without the secret, if it cannot be sent in a header."""
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        msg = f"the secret in {place} contains a space, a line break or another invalid character: correct it"
        raise PermanentError(msg, kind=Kind.MISSING)
    return secret
